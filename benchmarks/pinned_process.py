"""What does a program take? It runs on one core, and its CPU time and memory are read from the kernel."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

CORE_OF_THE_MEASURED = 0
CORE_OF_THE_REST = 1
"""Load generator, engine, control plane and the benchmark itself."""
START_SECONDS = 90.0
MB = 1e6


class Pinned:
    """A program and its children on one core, until the end of a `with` block."""

    def __init__(
        self, command: Sequence[str | Path], core: int, log: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        """Its output goes to `log`; `environment` replaces the benchmark's own."""
        self.log = log
        self._name = str(command[0])
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                ["taskset", "-c", str(core), *map(str, command)],
                stdout=output,
                stderr=subprocess.STDOUT,
                env=None if environment is None else dict(environment),
                start_new_session=True,
            )

    def _processes(self) -> Iterable[psutil.Process]:
        leader = psutil.Process(self.process.pid)
        return (leader, *leader.children(recursive=True))

    def cpu_seconds(self) -> float:
        """CPU that it and its children have used so far, in all their threads."""
        total = 0
        for one in self._processes():
            for task in Path(f"/proc/{one.pid}/task").iterdir():
                try:
                    total += int((task / "schedstat").read_text().split()[0])
                except (FileNotFoundError, ProcessLookupError):
                    continue  # a thread that has just ended
        return total / 1e9

    def memory_mb(self) -> float:
        """Resident memory of all of it, in MB of 10^6 bytes."""
        return sum(one.memory_info().rss for one in self._processes()) / MB

    def wait_for_port(self, port: int, path: str = "/health") -> None:
        """Until a GET is answered with 200; RuntimeError with the end of its log where it never is."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break
            if answers(port, path):
                return
            time.sleep(0.1)
        tail = self.log.read_text(errors="replace")[-2000:]
        raise RuntimeError(f"{self._name} does not answer on port {port}: {tail}")

    def stop(self) -> None:
        """End it and its children."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()


def answers(port: int, path: str) -> bool:
    """Whether a GET is answered with 200."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2) as caller:
            caller.sendall(f"GET {path} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nconnection: close\r\n\r\n".encode())
            return b" 200 " in caller.recv(64)
    except OSError:
        return False


def pin_self() -> None:
    """The benchmark leaves the measured core alone. RuntimeError on a machine with one core."""
    if len(os.sched_getaffinity(0)) < 2:
        raise RuntimeError("this benchmark needs two cores: one for what is measured, one for those who ask and answer")
    os.sched_setaffinity(0, {CORE_OF_THE_REST})
