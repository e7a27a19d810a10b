"""How a log stays bounded: pieces by size, the newest without a number."""

import os
from pathlib import Path

MAX_BYTES = 10 * 1024 * 1024
KEEP = 3


class RotatingLog:
    """A log file written by one process. A write that would pass `max_bytes` starts a new piece."""

    def __init__(self, path: Path, max_bytes: int = MAX_BYTES, keep: int = KEEP) -> None:
        self._path = path
        self._max_bytes = max_bytes
        self._keep = keep
        self._stream = path.open("ab", buffering=0)

    def write(self, content: bytes) -> None:
        """Append; a full disk loses log lines rather than the pod."""
        if self._stream.tell() and self._stream.tell() + len(content) > self._max_bytes:
            self._stream.close()
            shift_pieces(self._path, self._keep)
            self._path.rename(piece(self._path, 1))
            self._stream = self._path.open("ab", buffering=0)
        try:
            self._stream.write(content)
        except OSError:
            return

    def close(self) -> None:
        """No more writes."""
        self._stream.close()


def rotate_in_place(path: Path, max_bytes: int = MAX_BYTES, keep: int = KEEP) -> bool:
    """Rotate a log that another process appends to: copy, then truncate. Lines written between the two are lost."""
    if not path.exists() or path.stat().st_size <= max_bytes:
        return False
    shift_pieces(path, keep)
    with path.open("rb") as source, piece(path, 1).open("wb") as target:
        while chunk := source.read(1 << 20):
            target.write(chunk)
    os.truncate(path, 0)
    return True


def shift_pieces(path: Path, keep: int) -> None:
    """Make room for a piece with number 1; the oldest goes."""
    for number in range(keep, 0, -1):
        if piece(path, number).exists():
            if number == keep:
                piece(path, number).unlink()
            else:
                piece(path, number).rename(piece(path, number + 1))


def piece(path: Path, number: int) -> Path:
    """Path of an older piece."""
    return path.with_name(f"{path.name}.{number}")
