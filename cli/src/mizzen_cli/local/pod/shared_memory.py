"""Which files in /dev/shm are a pod's own, so that none survives it."""

from collections.abc import Iterable
from pathlib import Path

from mizzen_cli.local.process_identity import PROC, running_pids

SHARED_MEMORY = "/dev/shm"  # noqa: S108 - the one place where POSIX keeps shared memory


def mapped_files(pids: Iterable[int]) -> set[str]:
    """Paths below /dev/shm that the processes have mapped."""
    found = set()
    for pid in pids:
        try:
            lines = (PROC / str(pid) / "maps").read_text().splitlines()
        except (FileNotFoundError, PermissionError, ProcessLookupError):
            continue
        for line in lines:
            parts = line.split(None, 5)
            if len(parts) == 6 and parts[5].startswith(f"{SHARED_MEMORY}/") and not parts[5].endswith(" (deleted)"):
                found.add(parts[5])
    return found


def present_files() -> set[str]:
    """Paths below /dev/shm that exist now."""
    return {str(path) for path in Path(SHARED_MEMORY).iterdir()}


def remove_leftovers(files: Iterable[str]) -> list[str]:
    """Remove those files that no living process has mapped; returns them."""
    removed = []
    for name in set(files) - mapped_files(running_pids()):
        try:
            Path(name).unlink()
        except (FileNotFoundError, PermissionError):
            continue
        removed.append(name)
    return removed
