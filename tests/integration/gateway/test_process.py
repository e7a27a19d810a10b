"""`python -m mizzen_gateway` as a program: what it says when it cannot start, and how it ends."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from support.free_ports import free_port
from support.gateway import gateway_environment, gateway_process, make_key, make_snapshot, wait_for_http, write_feeds

KEY = make_key()


def start(environment: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    variables = {name: value for name, value in os.environ.items() if not name.startswith("MIZZEN_")}
    return subprocess.run(
        [sys.executable, "-m", "mizzen_gateway"],
        env={**variables, **environment},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


@pytest.mark.parametrize("variable", ["MIZZEN_PORT", "MIZZEN_ADMIN_PORT"])
def test_a_port_in_use_is_one_sentence_and_exit_code_2(tmp_path: Path, variable: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        ended = start(gateway_environment(tmp_path, **{variable: str(taken.getsockname()[1])}))
    assert ended.returncode == 2, ended.stderr
    last = ended.stderr.strip().splitlines()[-1]
    assert variable in last
    assert "stop the program that uses it" in last
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"MIZZEN_CONTROLPLANE_URL": ""}, "MIZZEN_CONTROLPLANE_URL"),
        ({"MIZZEN_TOKEN_FILE": "/nowhere"}, "MIZZEN_TOKEN_FILE"),
        ({"MIZZEN_PORT": "http"}, "MIZZEN_PORT"),
        ({"MIZZEN_DRAIN_SECONDS": "-1"}, "MIZZEN_DRAIN_SECONDS"),
        ({"MIZZEN_DATA_DIR": "/proc/nowhere"}, "MIZZEN_DATA_DIR"),
    ],
)
def test_a_wrong_setting_is_named_with_exit_code_2(tmp_path: Path, change: dict[str, str], word: str) -> None:
    ended = start({**gateway_environment(tmp_path), **change})
    assert ended.returncode == 2, ended.stderr
    assert word in ended.stderr.strip().splitlines()[-1]
    assert "Traceback" not in ended.stderr


def test_the_admin_port_tells_life_readiness_and_metrics(tmp_path: Path) -> None:
    admin = free_port()
    with (
        gateway_process(tmp_path, make_snapshot([KEY]), MIZZEN_ADMIN_PORT=str(admin)),
        httpx.Client(base_url=f"http://127.0.0.1:{admin}", trust_env=False) as client,
    ):
        assert client.get("/healthz").status_code == 200
        assert client.get("/readyz").status_code == 200
        assert "mizzen_gateway_snapshot_version 1.0" in client.get("/metrics").text
        assert client.get("/v1/models").status_code == 404
        assert client.post("/healthz").status_code == 405


def test_without_a_snapshot_it_lives_but_is_not_ready_and_serves_nobody(tmp_path: Path) -> None:
    port, admin = free_port(), free_port()
    environment = gateway_environment(tmp_path, MIZZEN_PORT=str(port), MIZZEN_ADMIN_PORT=str(admin))
    process = subprocess.Popen([sys.executable, "-m", "mizzen_gateway"], env={**os.environ, **environment})
    try:
        wait_for_http(f"http://127.0.0.1:{admin}/healthz", process)
        with httpx.Client(trust_env=False) as client:
            assert client.get(f"http://127.0.0.1:{admin}/readyz").status_code == 503
            answer = client.get(f"http://127.0.0.1:{port}/v1/models", headers=KEY.headers)
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "quota_unavailable")
    finally:
        process.kill()
        process.wait()


def test_sigterm_ends_it_with_exit_code_0(tmp_path: Path) -> None:
    admin = free_port()
    write_feeds(tmp_path, make_snapshot([KEY]))
    environment = gateway_environment(tmp_path, MIZZEN_ADMIN_PORT=str(admin))
    process = subprocess.Popen([sys.executable, "-m", "mizzen_gateway"], env={**os.environ, **environment})
    try:
        wait_for_http(f"http://127.0.0.1:{admin}/readyz", process)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.wait()
