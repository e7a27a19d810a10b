"""What does a gateway know of access when it starts without the control plane? The feed's own lines, kept on disk.

The file is a line with a snapshot and the deltas behind it, as they came: signed, so that nobody who can write the file
can make or bring back a key. A copy that is damaged, or has a gap, is of no use: part of it could be a key that was
revoked.
"""

import hmac
import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, Final

import structlog
from mizzen_crds.access_signature import signature_of

from mizzen_gateway.discovery.access_building import with_delta, without_pause
from mizzen_gateway.discovery.access_index import AccessIndex
from mizzen_gateway.discovery.access_lines import Line, read_line

PIECE: Final = 256 * 1024
MOST_DELTAS: Final = 1_000
"""Behind a snapshot; then the file begins anew with a snapshot."""
log = structlog.get_logger(__name__)


class ForgedError(ValueError):
    """Access that is not signed as the control plane signs it."""


def verify(key: bytes, pieces: Sequence[bytes], line: Line) -> None:
    """Raises ForgedError where the signature of a line is not that of its snapshot or delta."""
    if not hmac.compare_digest(signature_of(key, between(pieces, line.begin, line.end)), line.signature):
        raise ForgedError(
            "access is not signed with the pepper of this gateway; see that MIZZEN_PEPPER_FILE holds the control "
            "plane's pepper, and that the control plane is of this release"
        )


def between(pieces: Iterable[bytes], begin: int, end: int) -> Iterator[bytes]:
    """Bytes of a text that comes in pieces."""
    at = 0
    for piece in pieces:
        yield piece[max(0, begin - at) : max(0, end - at)]
        at += len(piece)


class AccessCopy:
    """The file."""

    def __init__(self, file: Path, key: bytes) -> None:
        """`key`: of the signatures."""
        self.file = file
        self._key = key
        self._deltas = 0

    @property
    def is_full(self) -> bool:
        """A snapshot should come next."""
        return self._deltas >= MOST_DELTAS

    def load(self) -> tuple[AccessIndex, float] | None:
        """What it says, and when that was confirmed; None where there is no copy that can be used."""
        try:
            with self.file.open("rb") as file:
                confirmed_at = os.fstat(file.fileno()).st_mtime
                return self._read(file), confirmed_at
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            log.warning(
                "access snapshot on disk is of no use",
                file=str(self.file),
                error=type(error).__name__,
                detail=str(error)[:200],
            )
            return None

    def _read(self, file: BinaryIO) -> AccessIndex:
        index: AccessIndex | None = None
        for raw in file:
            pieces = [raw[at : at + PIECE] for at in range(0, len(raw), PIECE)]
            line = without_pause(read_line(pieces, None))
            if line is None:
                continue
            verify(self._key, pieces, line)
            if line.index is not None:
                index = line.index
            elif index is not None and line.delta is not None:
                index = with_delta(index, line.delta)
                self._deltas += 1
        if index is None:
            raise ValueError("it holds no snapshot")
        return index

    def keep(self, pieces: Sequence[bytes], line: Line) -> None:
        """Write a line: a snapshot as a new file, whole or not at all, for the owner alone; a delta behind it.

        A full disk costs the copy, not the service: a copy that lacks a delta would bring back keys, and is removed.
        """
        try:
            if line.index is not None:
                self._begin(pieces)
            else:
                with self.file.open("ab") as file:
                    file.writelines((*pieces, b"\n"))
                    file.flush()
                    os.fsync(file.fileno())
                self._deltas += 1
        except OSError as error:
            log.warning("access snapshot not kept", file=str(self.file), error=str(error))
            if line.delta is not None:
                self.file.unlink(missing_ok=True)
                self._deltas = MOST_DELTAS

    def _begin(self, pieces: Sequence[bytes]) -> None:
        folder = self.file.parent
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor, name = tempfile.mkstemp(dir=folder, prefix=".access-")  # mode 0600
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.writelines((*pieces, b"\n"))
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(self.file)
        except OSError:
            Path(name).unlink(missing_ok=True)
            raise
        self._deltas = 0
