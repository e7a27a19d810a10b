"""Which process is meant, also after its number was given to another one: number, start time and boot together."""

import os
import signal
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

PROC = Path("/proc")
DEAD_STATES = frozenset({"Z", "X", "x"})


@cache
def boot_id() -> str:
    """Changes with every start of the machine."""
    return (PROC / "sys/kernel/random/boot_id").read_text().strip()


@dataclass(frozen=True)
class ProcessIdentity:
    """A process, for ever: never the same for two."""

    pid: int
    start_ticks: int
    boot: str

    @property
    def alive(self) -> bool:
        """It runs. A zombie has ended."""
        if self.boot != boot_id():
            return False
        fields = stat_fields(self.pid)
        return fields is not None and fields[0] not in DEAD_STATES and int(fields[19]) == self.start_ticks

    def signal(self, number: signal.Signals) -> bool:
        """Send a signal to this very process; False where it has ended. Never hits a successor of its number."""
        try:
            descriptor = os.pidfd_open(self.pid)
        except ProcessLookupError:
            return False
        try:
            # The descriptor holds the process now, so the number cannot change hands after this look.
            if not self.alive:
                return False
            signal.pidfd_send_signal(descriptor, number)
        except ProcessLookupError:
            return False
        finally:
            os.close(descriptor)
        return True

    def as_json(self) -> dict[str, Any]:
        """For a state file."""
        return {"pid": self.pid, "start_ticks": self.start_ticks, "boot": self.boot}


def identity_of(pid: int) -> ProcessIdentity | None:
    """Identity of a running process; None where there is none."""
    fields = stat_fields(pid)
    return None if fields is None else ProcessIdentity(pid, int(fields[19]), boot_id())


def identity_from_json(value: Any) -> ProcessIdentity | None:
    """Read back what `as_json` wrote; None for anything else."""
    if not isinstance(value, dict) or not {"pid", "start_ticks", "boot"} <= value.keys():
        return None
    return ProcessIdentity(int(value["pid"]), int(value["start_ticks"]), str(value["boot"]))


def stat_fields(pid: int) -> list[str] | None:
    """Fields of /proc/PID/stat from the third on: [0] state, [1] parent, [2] group, [3] session, [19] start ticks."""
    try:
        text = (PROC / str(pid) / "stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return text[text.rindex(")") + 2 :].split()


def running_pids() -> list[int]:
    """Numbers of all processes that this process may see."""
    return [int(entry.name) for entry in PROC.iterdir() if entry.name.isdigit()]


def marked_processes(name: str, value: str) -> list[ProcessIdentity]:
    """Every living process that carries the variable `name` = `value` in the environment it was started with."""
    wanted = f"{name}={value}".encode()
    found = []
    for pid in running_pids():
        if pid == os.getpid():
            continue
        try:
            environment = (PROC / str(pid) / "environ").read_bytes()
        except (FileNotFoundError, PermissionError, ProcessLookupError):
            continue
        if wanted in environment.split(b"\0") and (identity := identity_of(pid)) and identity.alive:
            found.append(identity)
    return found
