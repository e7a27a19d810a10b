"""What does a fetch need from a place that has weights? A list of files, and each file's bytes from any offset."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Protocol

from mizzen_engines.failure import EngineStartError, ExitCode

BOOKKEEPING_PREFIX = ".mizzen"


class TransferBrokenError(Exception):
    """The transfer broke off; trying again from where it stopped may help."""


@dataclass(frozen=True)
class RemoteFile:
    """One file of an artifact."""

    path: str
    """Relative, `/` between its parts."""
    size: int | None
    """Bytes, where the source tells."""
    sha256: str = ""
    """Expected digest of the content, where the source tells."""
    mark: str = ""
    """Changes when the content does (ETag, revision); a part of another mark is not continued."""


@dataclass(frozen=True)
class Listing:
    """Every file of an artifact."""

    files: tuple[RemoteFile, ...]
    digest: str = ""
    """Digest that the source claims for the whole, sha256:..., or empty."""

    @property
    def total_bytes(self) -> int | None:
        """Bytes of all files; None where one is unknown."""
        sizes = [file.size for file in self.files]
        return None if None in sizes else sum(size or 0 for size in sizes)


class Source(Protocol):
    """A place that has weights."""

    async def listing(self) -> Listing:
        """Every file of the artifact."""
        ...

    def read(self, file: RemoteFile, offset: int) -> AbstractAsyncContextManager["Body"]:
        """Open the file at `offset`. Raises TransferBrokenError where it breaks off."""
        ...


@dataclass(frozen=True)
class Body:
    """An open file."""

    offset: int
    """Where the bytes begin: the offset asked for, or 0 where the source cannot start there."""
    chunks: AsyncIterator[bytes]


def safe_path(path: str) -> str:
    """The path, if it stays inside the model's folder. Raises EngineStartError where it leads elsewhere."""
    parts = PurePosixPath(path)
    outside = parts.is_absolute() or ".." in parts.parts or "\\" in path or "\0" in path or not parts.parts
    if outside or parts.parts[0].startswith(BOOKKEEPING_PREFIX):
        raise EngineStartError(
            ExitCode.ARTIFACT_WRONG, f"the artifact has a file {path!r}, which would lie outside of the model's folder."
        )
    return parts.as_posix()
