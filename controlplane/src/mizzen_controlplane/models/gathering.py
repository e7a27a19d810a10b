"""How the bytes of one unfinished upload are gathered in a file: in any order, by several writers at once.

Beside the file lies a journal of the ranges that have been written. A file without one was appended to, and holds what
its length says. Nothing is told to be here before its bytes are written, so that a kill loses only what was under way;
what a power failure takes is found by the digest of the whole.
"""

import asyncio
import fcntl
import os
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from mizzen_controlplane.models.part_layout import Range, merged

_LINE = re.compile(rb"^(\d{1,15}) (\d{1,15})$")
_LOOK_AGAIN_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Gathering:
    """Where the bytes of a file of `size` bytes are gathered."""

    part: Path
    size: int

    @property
    def journal(self) -> Path:
        """Lines `first end`."""
        return self.part.with_suffix(".ranges")

    def ranges(self) -> list[Range]:
        """What is here."""
        try:
            here = self.part.stat().st_size
        except FileNotFoundError:
            return []
        noted = self._noted()
        return merged([(0, here)] if noted is None else noted, min(here, self.size))

    @property
    def whole(self) -> bool:
        """All bytes are here."""
        return _covers(self.ranges(), self.size) and self.part.exists()

    @property
    def became_content(self) -> bool:
        """All bytes were here, and the file has been moved away since: its digest was right. Nothing else moves it."""
        noted = self._noted()
        return noted is not None and _covers(merged(noted, self.size), self.size) and not self.part.exists()

    def _noted(self) -> list[Range] | None:
        """What the journal says; None without one."""
        try:
            return _parsed(self.journal.read_bytes())
        except FileNotFoundError:
            return None

    def note(self, first: int, end: int) -> None:
        """The bytes from `first` to `end` are written."""
        with self.journal.open("ab", buffering=0) as stream:
            stream.write(b"%d %d\n" % (first, end))

    def begin_journal(self) -> None:
        """From now on the journal says what is here: first of all what was appended before there was one."""
        if self.journal.exists():
            return
        beginning = b"".join(b"%d %d\n" % one for one in self.ranges())
        fresh = self.journal.with_suffix(f".{os.getpid()}.fresh")
        fresh.write_bytes(beginning)
        try:
            os.link(fresh, self.journal)  # whole, or not at all; another writer's counts as well
        except FileExistsError:
            pass
        finally:
            fresh.unlink()

    def drop(self) -> None:
        """Forget all of it: first the bytes, so that a kill in between leaves none that count."""
        os.truncate(self.part, 0)
        self.journal.unlink(missing_ok=True)
        self.part.unlink()

    def open(self) -> int:
        """A descriptor for writing at any place; raises OSError."""
        self.part.parent.mkdir(parents=True, exist_ok=True)
        return os.open(self.part, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def is_at(self, descriptor: int) -> bool:
        """Whether the open file is still the one that is gathered, and no content that it has become."""
        try:
            there = self.part.stat()
        except FileNotFoundError:
            return False
        mine = os.fstat(descriptor)
        return (there.st_ino, there.st_dev) == (mine.st_ino, mine.st_dev)


@asynccontextmanager
async def writing(gathering: Gathering) -> AsyncIterator[int]:
    """A descriptor to write parts at: others write beside it, but nobody makes content of it meanwhile."""
    while True:
        descriptor = gathering.open()
        try:
            await _hold(descriptor, fcntl.LOCK_SH)
            if gathering.is_at(descriptor):
                gathering.begin_journal()
                yield descriptor
                return
        finally:
            os.close(descriptor)


@asynccontextmanager
async def alone(gathering: Gathering) -> AsyncIterator[bool]:
    """Nobody writes meanwhile; False where the bytes are gathered no more."""
    try:
        descriptor = os.open(gathering.part, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        yield False
        return
    try:
        await _hold(descriptor, fcntl.LOCK_EX)
        yield gathering.is_at(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def held_at_once(gathering: Gathering) -> Iterator[int | None]:
    """A descriptor to append at, with nobody beside; None where somebody else is at it."""
    descriptor = gathering.open()
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield None
        else:
            yield descriptor if gathering.is_at(descriptor) else None
    finally:
        os.close(descriptor)


async def hold_shared(descriptor: int) -> None:
    """Wait for a lock that others may hold too; closing lets go."""
    await _hold(descriptor, fcntl.LOCK_SH)


async def hold_alone(descriptor: int) -> None:
    """Wait for a lock that nobody else holds; closing lets go."""
    await _hold(descriptor, fcntl.LOCK_EX)


async def _hold(descriptor: int, kind: int) -> None:
    """Wait for the lock by looking, not in a thread: those who hold it need the threads to get on."""
    while True:
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            await asyncio.sleep(_LOOK_AGAIN_SECONDS)
        else:
            return


def _covers(ranges: list[Range], size: int) -> bool:
    return ranges == ([(0, size)] if size else [])


def _parsed(journal: bytes) -> list[Range]:
    found = (_LINE.match(line) for line in journal.split(b"\n"))
    return [(int(one[1]), int(one[2])) for one in found if one is not None]
