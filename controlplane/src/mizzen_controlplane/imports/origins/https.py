"""Files of a web server, each under its URL; and how the files of other origins on the web are read."""

import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from urllib.parse import quote, unquote, urlsplit

from mizzen_controlplane.imports.origin import Listing, OriginFile, Stream
from mizzen_controlplane.imports.source import Source
from mizzen_controlplane.imports.web import Web, host_of, pieces
from mizzen_controlplane.kit.problem import Invalid

_CONTENT_RANGE = re.compile(r"^bytes (\d{1,15})-(\d{1,15})/(\d{1,15}|\*)$")


class WebFiles:
    """Reads files by URL."""

    def __init__(self, web: Web) -> None:
        self.web = web

    @asynccontextmanager
    async def opened(self, file: OriginFile, first: int, etag: str) -> AsyncIterator[Stream]:
        """The bytes from `first` on; from the start where the server knows no ranges."""
        headers = {"Range": f"bytes={first}-"} if first else {}
        if first and etag:
            headers["If-Range"] = etag
        fine = frozenset({200, 206}) if first else frozenset({200})
        async with self.web.asked(file.locator, headers, fine=fine) as response:
            begins, size = 0, response.content_length
            if response.status == 206:
                begins, size = _range(response.headers.get("Content-Range", ""), file.locator)
            if response.headers.get("Content-Encoding", "identity") != "identity":
                raise Invalid(f"{host_of(file.locator)} sends the file compressed, although asked not to.",
                              code="origin_refused")  # fmt: skip
            yield Stream(begins, size, _strong(response.headers.get("ETag", "")), pieces(response, file.locator))


class WebServer(WebFiles):
    """The files that a URL and names below it mean."""

    def __init__(self, web: Web, source: Source, names: Sequence[str]) -> None:
        super().__init__(web)
        self._source, self._names = source, names

    async def listing(self) -> Listing:
        """The names as they were given; a web server lists nothing."""
        base = f"{self._source.origin}/{self._source.path}"
        if not self._names:
            return Listing((OriginFile(unquote(urlsplit(base).path).rpartition("/")[2], base),))
        return Listing(tuple(OriginFile(name, base + quote(name)) for name in self._names))


def _range(told: str, url: str) -> tuple[int, int | None]:
    match = _CONTENT_RANGE.match(told)
    if match is None:
        raise Invalid(f"{host_of(url)} answers a range with {told[:64]!r}.", code="origin_refused")
    return int(match[1]), None if match[3] == "*" else int(match[3])


def _strong(etag: str) -> str:
    """Only a strong one says that bytes are the same."""
    return "" if etag.startswith("W/") else etag[:256]
