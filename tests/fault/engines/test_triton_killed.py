"""What a killed Triton leaves behind, and that its successor starts at once."""

import signal
import time
from collections.abc import Callable
from pathlib import Path

import psutil
from support import onnx_models
from support.triton import lay_out, running_triton

MOST_LEFT_BYTES = 4 * 1024 * 1024
STUB_SECONDS = 20.0


def shared_memory() -> dict[Path, int]:
    return {path: path.stat().st_size for path in Path("/dev/shm").iterdir() if path.is_file()}


def until(condition: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_killed_triton_leaves_little_and_its_successor_serves(tmp_path: Path) -> None:
    done = lay_out(onnx_models.saved(onnx_models.doubling(), tmp_path / "source"), tmp_path / "repository", "m")
    assert done.returncode == 0, done.stderr
    before = shared_memory()
    with running_triton(tmp_path / "repository", tmp_path / "first.log") as first:
        stubs = psutil.Process(first.process.pid).children(recursive=True)
        assert stubs
        first.process.send_signal(signal.SIGKILL)
        first.process.wait()
        # The backend's process notices that its server is gone and ends by itself.
        until(lambda: not any(stub.is_running() and stub.status() != "zombie" for stub in stubs), STUB_SECONDS)
        left = {path: size for path, size in shared_memory().items() if path not in before}
        ours = {path: size for path, size in left.items() if path.name.startswith("triton_python_backend")}
        assert sum(ours.values()) < MOST_LEFT_BYTES
        with running_triton(tmp_path / "repository", tmp_path / "second.log") as second:
            assert second.process.poll() is None
    for path in ours:
        path.unlink(missing_ok=True)
