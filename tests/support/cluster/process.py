"""One program of a cluster: started, stopped, killed, paused, and gone with the process that started it.

The kernel kills it when the thread that started it ends (PDEATHSIG), so one thread that lasts as long as this process
starts them all. It has a session of its own: Ctrl-C reaches the test run, which then ends it in order.
"""

import os
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

_END_SECONDS = 10.0
_SPAWNER = ThreadPoolExecutor(1, thread_name_prefix="starts-programs")


@dataclass
class Process:
    """A program with its command; its output goes to `log`."""

    name: str
    command: Sequence[str]
    log: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    _running: subprocess.Popen[bytes] | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def pid(self) -> int:
        """Number of the running process; RuntimeError where it does not run."""
        if self._running is None:
            raise RuntimeError(f"{self.name} does not run; start it first")
        return self._running.pid

    @property
    def runs(self) -> bool:
        """It was started and has not ended."""
        return self._running is not None and self._running.poll() is None

    def start(self) -> None:
        """Start it; nothing where it runs."""
        with self._lock:
            if not self.runs:
                self._running = _SPAWNER.submit(self._spawn).result()

    def _spawn(self) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            return subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "--", *self.command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={"PATH": "/usr/bin:/bin", **self.environment},
                start_new_session=True,
            )

    def stop(self) -> None:
        """Ask it to end, and kill it when it does not."""
        self.resume()
        self._signal(signal.SIGTERM)
        self._gone(_END_SECONDS)

    def kill(self) -> None:
        """`kill -9`, and wait until it is gone."""
        self._signal(signal.SIGKILL)
        self._gone(_END_SECONDS)

    def pause(self) -> None:
        """Freeze it, and return once it stands still: its connections stay open and nothing answers."""
        self._signal(signal.SIGSTOP)
        if self.runs:
            os.waitid(os.P_PID, self.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)

    def resume(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    def restart(self) -> None:
        """Kill and start again."""
        self.kill()
        self.start()

    def last_lines(self, count: int = 15) -> str:
        """The end of its output."""
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        return "\n".join([f"== {self.name}: {self.log}", *lines[-count:]])

    def _signal(self, number: int) -> None:
        if self._running is not None and self._running.poll() is None:
            self._running.send_signal(number)

    def _gone(self, seconds: float) -> None:
        if self._running is None:
            return
        try:
            self._running.wait(seconds)
        except subprocess.TimeoutExpired:
            self._running.kill()
            self._running.wait(seconds)
