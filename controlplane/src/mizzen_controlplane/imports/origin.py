"""What is fetched, and from where? What every kind of origin answers."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class OriginFile:
    """A file that is to be fetched."""

    path: str
    """In the version."""
    locator: str
    """Where the origin has it: a URL, or a key."""
    size: int | None = None
    """Bytes, where the origin says so before it is asked for the file."""
    sha256: str = ""
    """Hex digest, where it is known before; what arrives is held to it."""
    etag: str = ""
    """What the origin calls this content, where it was listed with one."""
    vouched: bool = False
    """The origin itself told the digest: where the project has that content, it is this file."""


@dataclass(frozen=True, slots=True)
class Listing:
    """What an origin has under a name; written down once, so that every later attempt fetches the same."""

    files: tuple[OriginFile, ...]
    revision: str = ""
    """What the name meant exactly, such as a commit; empty where only the digests of the files say it."""


@dataclass(frozen=True, slots=True)
class Stream:
    """The bytes of a file, from `first` on."""

    first: int
    """Where they begin; 0 although more was asked for where the origin cannot begin elsewhere."""
    size: int | None
    """Of the whole file; None where the origin does not say."""
    etag: str
    """What the origin calls this content; empty for nothing."""
    chunks: AsyncIterator[bytes]


class BrokenOffError(Exception):
    """The bytes stopped coming before the end; to go on may help."""


class Origin(Protocol):
    """One place that versions are fetched from."""

    async def listing(self) -> Listing:
        """All its files; raises Problem, and TryLaterError while it is away."""
        ...

    def opened(self, file: OriginFile, first: int, etag: str) -> AbstractAsyncContextManager[Stream]:
        """The bytes of `file` from `first` on, where it is still the content `etag`; `first` 0 for all of it.

        Raises Problem, TryLaterError, and BrokenOffError also while the bytes are read.
        """
        ...
