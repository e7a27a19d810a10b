"""Where on disk are the records? In numbered segments, of which those before the cursor are in the ledger already.

Pure file access; nothing here knows of time, of the network or of what a record says.
"""

import contextlib
import fcntl
import os
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from struct import Struct

SUFFIX = ".spool"
_PLACE = Struct("<QQ")
_CURSOR = Struct("<QQI")


@dataclass(frozen=True, slots=True, order=True)
class Cursor:
    """All before this place is in the ledger."""

    segment: int = 0
    offset: int = 0


class SegmentFolder:
    """The folder of the spool: segments and the cursor. One process at a time has it."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._lock = _claim(folder / "lock")
        self.folder = folder
        self._cursor_file = os.open(folder / "cursor", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def path(self, number: int) -> Path:
        """File of a segment."""
        return self.folder / f"{number:012d}{SUFFIX}"

    def numbers(self) -> list[int]:
        """Segments that are there, oldest first."""
        return sorted(int(path.stem) for path in self.folder.glob(f"*{SUFFIX}") if path.stem.isdigit())

    def create(self, number: int) -> int:
        """Make a segment; its descriptor, open for appending."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
        return os.open(self.path(number), flags, 0o600)

    def read(self, number: int, offset: int = 0, size: int = -1) -> bytes:
        """Bytes of a segment."""
        with self.path(number).open("rb") as file:
            file.seek(offset)
            return file.read(size)

    def cut(self, place: Cursor) -> None:
        """Remove what lies in a segment from there on."""
        os.truncate(self.path(place.segment), place.offset)

    def remove(self, numbers: Iterable[int]) -> int:
        """Remove segments whose records are all in the ledger; the bytes that they had."""
        removed = 0
        for number in numbers:
            with contextlib.suppress(FileNotFoundError):
                size = self.path(number).stat().st_size
                self.path(number).unlink()
                removed += size
        return removed

    def total_bytes(self) -> int:
        """Bytes of all segments."""
        return sum(self.path(number).stat().st_size for number in self.numbers())

    def close(self) -> None:
        """Let another process have the folder."""
        os.close(self._cursor_file)
        os.close(self._lock)

    def load_cursor(self) -> Cursor:
        """The cursor; the beginning where there is none or it cannot be read: the ledger knows what it has."""
        raw = os.pread(self._cursor_file, _CURSOR.size, 0)
        if len(raw) < _CURSOR.size:
            return Cursor()
        segment, offset, checksum = _CURSOR.unpack(raw)
        return Cursor(segment, offset) if checksum == zlib.crc32(raw[: _PLACE.size]) else Cursor()

    def save_cursor(self, cursor: Cursor) -> None:
        """Keep the cursor by one write in place; renaming a file instead can cost a sync of the disk."""
        place = _PLACE.pack(cursor.segment, cursor.offset)
        os.pwrite(self._cursor_file, place + zlib.crc32(place).to_bytes(4, "little"), 0)


def _claim(path: Path) -> int:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise BlockingIOError(
            f"another gateway uses the folder {path.parent}; give each its own MIZZEN_DATA_DIR"
        ) from None
    return descriptor
