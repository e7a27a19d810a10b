"""The attendant against a small real server: it waits for warm-up and an empty engine, never for one that is gone."""

import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from mizzen_engines import attendant


@dataclass
class Behaviour:
    """What the small engine answers, and what it was asked."""

    healthy: int = 200
    answer: int = 200
    busy: list[int] = field(default_factory=list)
    metrics: bool = True
    bodies: list[dict] = field(default_factory=list)


@pytest.fixture
def behaviour() -> Behaviour:
    return Behaviour()


@pytest.fixture
def port(behaviour: Behaviour) -> Iterator[int]:
    class Handler(BaseHTTPRequestHandler):
        def reply(self, status: int, text: str = "") -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        def do_GET(self) -> None:
            if self.path == "/metrics":
                load = behaviour.busy.pop(0) if len(behaviour.busy) > 1 else behaviour.busy[0]
                text = f'# HELP run x\nrun{{model="a b"}} {load}\nrunning 99\nwait 0\n'
                self.reply(200, text) if behaviour.metrics else self.reply(404)
            elif self.path == "/v2/models/m":
                inputs = [{"name": "text", "datatype": "BYTES", "shape": [-1, 2]}]
                self.reply(200, json.dumps({"inputs": inputs}))
            else:
                self.reply(behaviour.healthy)

        def do_POST(self) -> None:
            behaviour.bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.reply(behaviour.answer)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


class Clock:
    """Time that passes only while resting."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def rest(self, seconds: float) -> None:
        self.now += seconds


def engine(port: int, **more: str) -> attendant.Engine:
    variables = {"POD_IP": "127.0.0.1", "MIZZEN_HTTP_PORT": str(port), "MIZZEN_MODEL_NAME": "m"}
    return attendant.Engine(variables | {"MIZZEN_METRIC_RUNNING": "run", "MIZZEN_METRIC_WAITING": "wait"} | more)


def test_a_model_that_http_cannot_call_starts_without_a_warm_up_and_one_that_fails_does_not(behaviour, port, tmp_path):
    behaviour.answer = 501
    tensors = engine(port, MIZZEN_PROTOCOL="OpenInference")
    assert attendant.started(tensors, tmp_path, 2) == 0
    behaviour.answer = 500
    assert attendant.started(tensors, tmp_path, 2) == 1


def test_drain_ends_once_the_engine_was_empty_for_the_quiet_time(behaviour, port):
    behaviour.busy = [3, 0, 1, 0]
    clock = Clock()
    assert attendant.drain(engine(port), 60, 2, clock, clock.rest) == 0
    assert clock.now == pytest.approx(3 * attendant.POLL_SECONDS + 2)


def test_drain_of_a_busy_engine_ends_with_the_budget(behaviour, port):
    behaviour.busy = [1]
    clock = Clock()
    assert attendant.drain(engine(port), 10, 2, clock, clock.rest) == 0
    assert clock.now == pytest.approx(10)


def test_an_engine_that_does_not_tell_its_load_gets_the_whole_budget(behaviour, port):
    behaviour.metrics, behaviour.busy = False, [0]
    clock = Clock()
    attendant.drain(engine(port), 5, 2, clock, clock.rest)
    assert clock.now == pytest.approx(5)


def test_drain_does_not_wait_for_an_engine_that_is_gone(free_port):
    clock = Clock()
    assert attendant.drain(engine(free_port), 60, 2, clock, clock.rest) == 0
    assert clock.now == 0


@pytest.fixture
def free_port() -> int:
    server = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    server.server_close()
    return server.server_port


def test_an_engine_has_started_when_its_warm_up_was_answered(behaviour, port, tmp_path):
    assert attendant.started(engine(port), tmp_path, 3) == 0
    assert [body["max_tokens"] for body in behaviour.bodies] == [1, 1, 1]
    assert not (tmp_path / attendant.WARMUP_FILE).exists()


def test_warm_up_of_tensors_follows_the_models_own_metadata(behaviour, port, tmp_path):
    assert attendant.started(engine(port, MIZZEN_PROTOCOL="OpenInference"), tmp_path, 1) == 0
    assert behaviour.bodies == [{"inputs": [{"name": "text", "datatype": "BYTES", "shape": [1, 2], "data": ["", ""]}]}]


@pytest.mark.parametrize(("healthy", "answer"), [(503, 200), (200, 500)])
def test_an_engine_that_is_unhealthy_or_fails_its_warm_up_has_not_started(behaviour, port, tmp_path, healthy, answer):
    behaviour.healthy, behaviour.answer = healthy, answer
    assert attendant.started(engine(port), tmp_path, 1) == attendant.EXIT_NOT_STARTED


def test_the_installed_file_runs_by_itself_without_mizzen(behaviour, port, tmp_path):
    target = tmp_path / "tools" / "attendant.py"
    assert attendant.main(["install"], {"MIZZEN_ATTENDANT_FILE": str(target)}) == 0
    variables = {"POD_IP": "127.0.0.1", "MIZZEN_HTTP_PORT": str(port), "MIZZEN_SCRATCH_DIR": str(tmp_path)}
    python = shutil.which("python3") or sys.executable
    ran = subprocess.run([python, "-I", str(target), "started"], env=variables, capture_output=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, b"")
    assert Path(target).read_text() == Path(attendant.__file__).read_text()


def test_an_unknown_task_is_a_usage_error(capsys):
    assert attendant.main(["dance"], {}) == attendant.EXIT_USAGE
    assert "install|started|drain" in capsys.readouterr().err
