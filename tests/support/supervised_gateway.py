"""A gateway of several processes under a supervisor."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mizzen_crds.access import AccessSnapshot
from support.free_ports import free_port
from support.gateway import gateway_environment, wait_for_http, write_feeds


@dataclass
class Supervised:
    """A running supervisor."""

    process: "subprocess.Popen[bytes]"
    url: str
    admin_url: str
    log: Path

    @property
    def workers(self) -> set[int]:
        """Process ids of its workers now."""
        pid = self.process.pid
        with suppress(FileNotFoundError):
            return set(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))
        return set()

    def signal(self, number: int) -> None:
        """Send one to the supervisor."""
        self.process.send_signal(number)


@contextmanager
def supervised_gateway(
    folder: Path, snapshot: AccessSnapshot, *documents: dict[str, Any], workers: int = 1, **environment: str
) -> Iterator[Supervised]:
    """Start one from the feeds' copies on disk; whatever is left of it at the end is killed."""
    write_feeds(folder, snapshot, *documents)
    port, admin = free_port(), free_port()
    variables = {name: value for name, value in os.environ.items() if not name.startswith("MIZZEN_")}
    given = {"MIZZEN_PORT": str(port), "MIZZEN_ADMIN_PORT": str(admin), "MIZZEN_WORKERS": str(workers), **environment}
    log = folder / "log"
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", "mizzen_gateway"],
            env={**variables, **gateway_environment(folder, **given)},
            stdout=stream,
            stderr=stream,
        )
    running = Supervised(process, f"http://127.0.0.1:{port}", f"http://127.0.0.1:{admin}", log)
    try:
        wait_for_http(f"{running.admin_url}/readyz", process)
        yield running
    finally:
        for pid in (*running.workers, process.pid):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.wait()
