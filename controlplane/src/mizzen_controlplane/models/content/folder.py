"""Content in the data folder: one file each, under its digest."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from mizzen_controlplane.models import blob_folder

_READ_BYTES = 1 << 20


class FolderStore:
    """The folder blobs/sha256 of the data folder."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir

    async def keep(self, gathered: Path, sha256: str) -> None:
        """Move the file to its place."""
        await asyncio.to_thread(blob_folder.keep, self._data_dir, gathered, sha256)

    async def held(self, digests: Sequence[str]) -> set[str]:
        """Those of `digests` that are here."""
        return {sha256 for sha256 in digests if self.path_of(sha256).exists()}

    def path_of(self, sha256: str) -> Path:
        """Where the content lies."""
        return blob_folder.blob_path(self._data_dir, sha256)

    async def read(self, sha256: str, first: int, end: int) -> AsyncIterator[bytes]:
        """The bytes from `first` to `end`."""
        stream = await asyncio.to_thread(self.path_of(sha256).open, "rb")
        with stream:
            stream.seek(first)
            while first < end and (chunk := await asyncio.to_thread(stream.read, min(_READ_BYTES, end - first))):
                first += len(chunk)
                yield chunk

    async def signed_url(self, sha256: str, seconds: int) -> str | None:  # noqa: ARG002 - a folder signs nothing
        """None: only the control plane reads its folder."""
        return None

    async def remove(self, digests: Sequence[str]) -> None:
        """Remove content."""
        await asyncio.to_thread(blob_folder.drop, self._data_dir, digests)

    async def contents(self) -> AsyncIterator[str]:
        """Digests of all that is here."""
        folders = await asyncio.to_thread(lambda: sorted(blob_folder.blobs_dir(self._data_dir).iterdir()))
        for folder in folders:
            if folder.is_dir():
                for file in await asyncio.to_thread(lambda where: list(where.iterdir()), folder):
                    yield file.name
