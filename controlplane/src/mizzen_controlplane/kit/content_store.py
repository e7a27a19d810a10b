"""What keeps the content of artifacts, each under its SHA-256: the local folder, or a bucket of a store."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Protocol


class ContentStore(Protocol):
    """One place of content. Every method may raise Unavailable where the place is away, and InsufficientStorage."""

    async def keep(self, gathered: Path, sha256: str) -> None:
        """Make a whole file whose digest is `sha256` content, durably; again does no harm."""
        ...

    async def held(self, digests: Sequence[str]) -> set[str]:
        """Those of `digests` that are here."""
        ...

    def path_of(self, sha256: str) -> Path | None:
        """Where the content lies on this machine; None for a place that is elsewhere."""
        ...

    def read(self, sha256: str, first: int, end: int) -> AsyncIterator[bytes]:
        """The bytes from `first` to `end`, a few at a time; raises NotFound."""
        ...

    async def signed_url(self, sha256: str, seconds: int) -> str | None:
        """Where whoever holds the URL may read the content for so long; None where that is not offered."""
        ...

    async def remove(self, digests: Sequence[str]) -> None:
        """Remove content; what is not here is fine."""
        ...

    def contents(self) -> AsyncIterator[str]:
        """Digests of all that is here, in no order."""
        ...
