"""Work without bytes of its own is told as well: checks of a user's volume, layout, and the wait for another fetch."""

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from mizzen_engines import startup_progress
from mizzen_engines.fetch import fetch as fetching
from mizzen_engines.fetch.__main__ import fetch
from mizzen_engines.fetch.digest import artifact_digest, sha256_of
from mizzen_engines.fetch.folder import ModelFolder, PlacedFile
from mizzen_engines.fetch.request import from_environment
from mizzen_engines.fetch.source import RemoteFile
from mizzen_engines.startup_progress import ProgressReport
from mizzen_engines.triton import __main__ as layout

LONG_ENOUGH = 20.0


class Operator:
    """Hears posts; `wait` returns once one of them is as asked for."""

    def __init__(self) -> None:
        self.posts: list[dict[str, object]] = []
        self.tokens: set[str] = set()
        self._news = threading.Condition()
        operator = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                operator.take(body, self.headers.get("authorization", ""))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    def take(self, post: dict[str, object], token: str) -> None:
        with self._news:
            self.posts.append(post)
            self.tokens.add(token)
            self._news.notify_all()

    def wait(self, times: int = 1, **asked: object) -> None:
        def there() -> bool:
            return sum(asked.items() <= one.items() for one in self.posts) >= times

        with self._news:
            assert self._news.wait_for(there, LONG_ENOUGH), f"{asked} not among {self.posts}"


@pytest.fixture
def operator(monkeypatch: pytest.MonkeyPatch) -> Iterator[Operator]:
    monkeypatch.setattr(startup_progress, "EVERY_SECONDS", 0.02)
    monkeypatch.setattr(startup_progress, "LOOK_SECONDS", 0.01)
    made = Operator()
    thread = threading.Thread(target=made.server.serve_forever, daemon=True)
    thread.start()
    yield made
    made.server.shutdown()
    made.server.server_close()
    thread.join()


@pytest.fixture
def pod(operator: Operator, tmp_path: Path) -> dict[str, str]:
    """The variables of a pod's init containers."""
    (tmp_path / "token").write_text("of-the-pod")
    return {
        "MIZZEN_OPERATOR_URL": f"http://127.0.0.1:{operator.server.server_address[1]}",
        "MIZZEN_REGISTRY_TOKEN_FILE": str(tmp_path / "token"),
        "MIZZEN_TERMINATION_LOG": str(tmp_path / "last-words"),
        "MIZZEN_MODEL_DIR": str(tmp_path / "model"),
        "POD_NAME": "p",
    }


def in_background(work: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def test_what_stands_still_is_told_again_and_again(operator: Operator, pod: dict[str, str]) -> None:
    with ProgressReport(pod, "fetch").watched(lambda: (7, 9)):
        operator.wait(times=3, bytes_done=7, bytes_total=9)


def test_what_cannot_be_told_is_not_told(operator: Operator, pod: dict[str, str]) -> None:
    asked = threading.Event()
    with ProgressReport(pod, "fetch").watched(lambda: asked.set()):
        assert asked.wait(LONG_ENOUGH)
    assert operator.posts == []


def test_a_fetch_that_waits_for_another_on_a_shared_claim_tells_how_far_that_one_is(
    operator: Operator, pod: dict[str, str]
) -> None:
    uri, folder = "hf://a/b", ModelFolder(Path(pod["MIZZEN_MODEL_DIR"]))
    request = from_environment(pod | {"MIZZEN_MODEL_URI": uri})
    with folder.locked():
        waiting = in_background(lambda: asyncio.run(fetch(request, ProgressReport(pod, "fetch"))))
        folder.tell_waiting(40, 100)
        operator.wait(bytes_done=40, bytes_total=100)
        folder.tell_waiting(60, None)
        operator.wait(bytes_done=60, bytes_total=None)
        folder.finish(uri, [])
    waiting.join()
    assert operator.posts[-1]["done"]


def test_who_holds_the_lock_next_starts_with_nothing_told(tmp_path: Path) -> None:
    folder = ModelFolder(tmp_path)
    with folder.locked():
        folder.tell_waiting(40, 100)
        assert folder.told_by_holder() == (40, 100)
    with folder.locked():
        assert folder.told_by_holder() is None


def test_the_check_of_a_volume_tells_how_many_bytes_it_has_read(
    operator: Operator, pod: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = Path(pod["MIZZEN_MODEL_DIR"])
    model.mkdir()
    contents = {"a": b"12345", "b": b"678"}
    for name, content in contents.items():
        (model / name).write_bytes(content)
    heard = threading.Event()

    def slow(path: Path, count: Callable[[int], None]) -> str:
        digest = sha256_of(path, count)
        assert path.name == "a" or heard.wait(LONG_ENOUGH)
        return digest

    monkeypatch.setattr(fetching, "sha256_of", slow)
    lines = [(name, len(content), sha256_of(model / name)) for name, content in contents.items()]
    request = from_environment(
        pod | {"MIZZEN_MODEL_URI": "pvc://claim/model", "MIZZEN_MODEL_DIGEST": artifact_digest(lines)}
    )
    checking = in_background(lambda: asyncio.run(fetch(request, ProgressReport(pod, "fetch"))))
    operator.wait(bytes_done=8, bytes_total=8, done=False)
    heard.set()
    checking.join()
    assert operator.posts[-1]["done"]


def test_files_that_are_in_place_already_count_while_they_are_checked(tmp_path: Path) -> None:
    folder, seen = ModelFolder(tmp_path), list[int]()
    (tmp_path / "a").write_bytes(b"12345")
    file = RemoteFile("a", 5, sha256_of(tmp_path / "a"))
    placed = folder.already(file, seen.append)
    assert isinstance(placed, PlacedFile)
    assert sum(seen) == 5


def test_the_layout_tells_what_it_has_made_with_the_pods_own_token(
    operator: Operator, pod: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    repository = tmp_path / "repository"
    more = {"MIZZEN_REPOSITORY_DIR": str(repository), "MIZZEN_MODEL_NAME": "m", "MIZZEN_MODEL_FORMAT": "ONNX"}
    for name, value in (pod | more).items():
        monkeypatch.setenv(name, value)

    def slow(_: object) -> None:
        (repository / "m").mkdir(parents=True)
        (repository / "m" / "model.onnx").write_bytes(b"1234")
        operator.wait(times=2, phase="layout", bytes_done=4, done=False)

    monkeypatch.setattr(layout, "lay_out", slow)
    assert layout.main() == 0
    assert operator.posts[-1]["done"]
    assert operator.tokens == {"Bearer of-the-pod"}
