"""Which port may a program take, and keep over its restarts, while other clusters start beside it?

A port is drawn below the range from which the kernel draws outgoing ones, and a lock file keeps it for this process:
nobody else takes it between a kill and a restart.
"""

import fcntl
import os
import random
import socket
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO

_RANGE = range(20_000, 32_000)
_TRIES = 200


@dataclass(frozen=True)
class Port:
    """A port of 127.0.0.1 that is ours until `release`."""

    number: int
    _lock: IO[str]

    def __str__(self) -> str:
        return str(self.number)

    def release(self) -> None:
        """Give it back; the process's end does so too."""
        self._lock.close()


def reserve() -> Port:
    """A port that nothing listens on and no other test run has reserved."""
    folder = Path(tempfile.gettempdir()) / f"mizzen-ports-{os.getuid()}"
    folder.mkdir(exist_ok=True, mode=0o700)
    for number in random.SystemRandom().sample(_RANGE, _TRIES):
        lock = (folder / str(number)).open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", number))
        except OSError:
            lock.close()
            continue
        return Port(number, lock)
    raise RuntimeError(f"{_TRIES} ports between {_RANGE.start} and {_RANGE.stop} are all taken; end what listens there")
