"""Which folder does a process keep its usage in? A worker the first that no other has; its number ends its name."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mizzen_gateway.metering.segments import SUFFIX

MOST = 256


@dataclass(frozen=True, slots=True)
class Place:
    """A folder for one worker, held until its process ends."""

    number: int
    folder: Path
    lock: int

    @property
    def spool(self) -> Path:
        """Where its usage is."""
        return self.folder / "spool"


def claim(data_dir: Path) -> Place:
    """The first free one. Raises OSError where the folder cannot be used.

    While workers are replaced, the new ones take the places behind the old ones', and later ones the first again.
    """
    for number in range(MOST):
        folder = data_dir / f"worker-{number}"
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = _lock(folder)
        if lock is not None:
            return Place(number, folder, lock)
    raise OSError(f"all {MOST} places for workers below {data_dir} are taken")


@contextmanager
def left_spools(data_dir: Path, own: Path) -> Iterator[list[Path]]:
    """Spools with rows that no process has: of workers that are gone, of a run with another MIZZEN_WORKERS.

    The places of workers are held meanwhile, so that no worker takes one of them.
    """
    locks: list[int] = []
    found: list[Path] = []
    try:
        for spool in (data_dir / "spool", *sorted(data_dir.glob("worker-*/spool"))):
            if spool == own or not _holds_rows(spool):
                continue
            if spool.parent != data_dir:
                lock = _lock(spool.parent)
                if lock is None:
                    continue
                locks.append(lock)
            found.append(spool)
        yield found
    finally:
        for lock in locks:
            os.close(lock)


def _holds_rows(spool: Path) -> bool:
    return any(path.stat().st_size for path in spool.glob(f"*{SUFFIX}"))


def _lock(folder: Path) -> int | None:
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor
