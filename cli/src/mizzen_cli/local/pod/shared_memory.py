"""Which files in /dev/shm are a pod's own, so that none survives it."""

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from mizzen_cli.local.process_identity import PROC, running_pids

SHARED_MEMORY = "/dev/shm"  # noqa: S108 - the one place where POSIX keeps shared memory


def mapped_files(pids: Iterable[int]) -> set[str]:
    """Paths below /dev/shm that the processes have mapped.

    Told by inode: a semaphore is made under another name, mapped, and then linked, so that the kernel calls its mapping
    deleted although the file is there.
    """
    inodes = {inode for pid in pids for inode in _mapped_inodes(pid)}
    return {name for name, inode in _present().items() if inode in inodes}


def _mapped_inodes(pid: int) -> set[int]:
    try:
        lines = (PROC / str(pid) / "maps").read_text().splitlines()
    except (FileNotFoundError, PermissionError, ProcessLookupError):
        return set()
    mappings = (line.split(None, 5) for line in lines)
    return {int(parts[4]) for parts in mappings if len(parts) == 6 and parts[5].startswith(f"{SHARED_MEMORY}/")}


def _present() -> dict[str, int]:
    found = {}
    for path in Path(SHARED_MEMORY).iterdir():
        with suppress(FileNotFoundError):
            found[str(path)] = path.lstat().st_ino
    return found


def present_files() -> set[str]:
    """Paths below /dev/shm that exist now."""
    return set(_present())


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
