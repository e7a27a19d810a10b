"""Control planes that are forked from a process that has imported them already: an import takes most of a start.

Each is a process of its own in all that a test can see, with its environment, log, signals and exit code; but for
what is read when a module is imported, which is nothing of its settings, and for what a password's hash costs: a
thousandth, as tests hash hundreds. `tests/unit/controlplane/sign_in/test_passwords.py` holds the real cost.
"""

import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path
from unittest.mock import patch

PRELOADED = (
    "mizzen_controlplane.serving",
    "aiosqlite",
    "asyncpg",
    "httptools",
    "uvicorn.protocols.http.httptools_impl",
    "uvloop",
)
"""Modules of installed packages: the process that preloads does not know the tests' own path."""


class PreloadedProcess:
    """A control plane; what tests use of `subprocess.Popen`."""

    def __init__(self, variables: Mapping[str, str], log: Path) -> None:
        self._process: ForkServerProcess = _context().Process(target=_serve, args=(dict(variables), str(log)))
        self._process.start()

    @property
    def pid(self) -> int:
        """Its number."""
        pid = self._process.pid
        assert pid is not None
        return pid

    def poll(self) -> int | None:
        """Its exit code, negative for the signal that ended it; None while it runs."""
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        """Its exit code, once it has ended; raises TimeoutExpired after `timeout` seconds."""
        self._process.join(timeout)
        code = self._process.exitcode
        if code is None:
            raise subprocess.TimeoutExpired("mizzen_controlplane", timeout or 0)
        return code

    def send_signal(self, signal_number: signal.Signals) -> None:
        """Send it a signal."""
        if self.poll() is None:
            os.kill(self.pid, signal_number)

    def kill(self) -> None:
        """kill -9."""
        self.send_signal(signal.SIGKILL)


def _context() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(PRELOADED))
    return context


def _serve(variables: dict[str, str], log: str) -> None:
    os.environ.clear()
    os.environ.update(variables)
    written = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    os.dup2(written, 1)
    os.dup2(written, 2)
    os.close(written)
    sys.argv = ["mizzen_controlplane"]
    from mizzen_controlplane.__main__ import main

    _hash_cheaply()
    sys.exit(main())


def _hash_cheaply() -> None:
    from argon2 import PasswordHasher
    from mizzen_controlplane.sign_in import passwords

    cheap = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
    patch.multiple(passwords, _HASHER=cheap, _NOBODYS=cheap.hash("nobody's")).start()
