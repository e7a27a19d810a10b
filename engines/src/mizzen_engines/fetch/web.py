"""How is a single file on the web read? By its https URL; it keeps its name from there."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from yarl import URL

from mizzen_engines.fetch.http_file import HttpReader
from mizzen_engines.fetch.source import Body, Listing, RemoteFile


class WebSource:
    """https://host/path/file."""

    def __init__(self, reader: HttpReader, url: URL) -> None:
        self._reader = reader
        self._url = url

    async def listing(self) -> Listing:
        """The one file, its size and ETag where the server tells them."""
        async with self._reader.get(self._url, method="HEAD") as response:
            length = response.headers.get("content-length", "")
            mark = response.headers.get("etag", "") or response.headers.get("last-modified", "")
        name = self._url.name or "model"
        return Listing((RemoteFile(name, int(length) if length.isdigit() else None, mark=mark),))

    @asynccontextmanager
    async def read(self, file: RemoteFile, offset: int) -> AsyncIterator[Body]:
        """Open the file at `offset`; without a mark it cannot be told whether it is still the same, so from 0."""
        async with self._reader.read(self._url, offset if file.mark else 0) as body:
            yield body
