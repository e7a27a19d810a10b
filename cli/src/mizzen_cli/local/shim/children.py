"""How the shim starts processes and learns of their ends: it is the reaper of all that its pod leaves behind."""

import asyncio
import contextlib
import ctypes
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence

from mizzen_cli.local.process_identity import running_pids, stat_fields
from mizzen_cli.local.spawn import PRIVATE_UMASK

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
_libc = ctypes.CDLL(None, use_errno=True)


def become_subreaper() -> None:
    """Orphaned grandchildren become ours, so that they are reaped and can be ended."""
    if _libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")


def _die_with_parent() -> None:
    """Runs in the child before exec: a shim killed with -9 takes its containers along."""
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


class Child:
    """A process that was started here; leader of its own session and group."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self.pid = process.pid
        self.ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def record(self, wait_status: int) -> None:
        """Called by the reaper: 0 to 255 for an exit, 128 + number for a signal."""
        code = os.waitstatus_to_exitcode(wait_status)
        self._process.returncode = code  # else Popen would wait for it once more
        if not self.ended.done():
            self.ended.set_result(code if code >= 0 else 128 - code)

    def signal_group(self, number: signal.Signals) -> None:
        """Send a signal to the whole group; nothing where it has ended. Safe: an unreaped leader keeps its number."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)


class Children:
    """All children, reaped here alone: asyncio's own child watchers are not used in a shim."""

    def __init__(self) -> None:
        self._known: dict[int, Child] = {}

    def start_reaping(self) -> None:
        """From now on SIGCHLD is handled; call it once, on the running loop."""
        asyncio.get_running_loop().add_signal_handler(signal.SIGCHLD, self.reap)

    def spawn(self, argv: Sequence[str], environment: Mapping[str, str], cwd: str, output: int) -> Child:
        """Start a process; stdout and stderr go to the descriptor `output`. Raises OSError."""
        process = subprocess.Popen(
            argv,
            env=dict(environment),
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            umask=PRIVATE_UMASK,
            preexec_fn=_die_with_parent,
        )
        child = Child(process)
        self._known[child.pid] = child
        return child

    def reap(self) -> None:
        """Take every exit code that is ready, those of adopted grandchildren included."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if child := self._known.pop(pid, None):
                child.record(status)

    def adopted(self) -> list[int]:
        """Living children that were not started here: what ended containers left behind."""
        own = os.getpid()
        return [
            pid
            for pid in running_pids()
            if pid not in self._known and (fields := stat_fields(pid)) and int(fields[1]) == own and fields[0] != "Z"
        ]


def session_members(session: int) -> list[int]:
    """Numbers of the processes in a session."""
    return [pid for pid in running_pids() if (fields := stat_fields(pid)) and int(fields[3]) == session]
