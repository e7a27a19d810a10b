"""Where do anchors go that the owner of the database cannot reach? To a folder elsewhere, or to an HTTPS endpoint.

`MIZZEN_AUDIT_SINK` names it. A sink is only ever appended to and read: a folder on other storage (better: append-only,
`chattr +a`), or a server that takes a line by POST and answers GET with all lines that it has.
"""

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Protocol
from urllib.parse import urlsplit

from mizzen_controlplane.kit.settings import SettingsError

FILE_NAME: Final = "anchors.jsonl"
TIMEOUT_SECONDS: Final = 20.0
LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")


class SinkError(Exception):
    """The sink did not take or give anchors; the text says why."""


class Sink(Protocol):
    """Takes anchors, and gives them back."""

    async def append(self, line: bytes) -> None:
        """Keep `line` for good. Raises SinkError."""
        ...

    async def lines(self) -> Sequence[bytes]:
        """All that it has. Raises SinkError."""
        ...


class FolderSink:
    """One file that only grows."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE_NAME

    async def append(self, line: bytes) -> None:
        """Append and have it on the disk. Raises SinkError."""
        await asyncio.to_thread(self._append, line)

    async def lines(self) -> Sequence[bytes]:
        """All lines; none where there is no file yet. Raises SinkError."""
        return await asyncio.to_thread(self._lines)

    def _append(self, line: bytes) -> None:
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                end = os.fstat(descriptor).st_size
                torn = end > 0 and os.pread(descriptor, 1, end - 1) != b"\n"  # a crash while a line was written
                os.write(descriptor, (b"\n" if torn else b"") + line)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise SinkError(f"{self._path} cannot be appended to ({error.strerror})") from error

    def _lines(self) -> list[bytes]:
        try:
            return self._path.read_bytes().splitlines() if self._path.exists() else []
        except OSError as error:
            raise SinkError(f"{self._path} cannot be read ({error.strerror})") from error


class EndpointSink:
    """A server that keeps lines."""

    def __init__(self, url: str, token: str) -> None:
        self._url = url
        self._headers = {"Content-Type": "application/x-ndjson"}
        if token:
            self._headers["Authorization"] = f"Bearer {token}"

    async def append(self, line: bytes) -> None:
        """POST it. Raises SinkError."""
        await self._asked("POST", line)

    async def lines(self) -> Sequence[bytes]:
        """GET all. Raises SinkError."""
        return (await self._asked("GET", None)).splitlines()

    async def _asked(self, method: str, body: bytes | None) -> bytes:
        import aiohttp  # here, as most installations have no endpoint and need not load a client

        timeout = aiohttp.ClientTimeout(total=TIMEOUT_SECONDS)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout, headers=self._headers) as session,
                session.request(method, self._url, data=body, allow_redirects=False) as answer,
            ):
                if answer.status >= 300:
                    raise SinkError(f"{self._url} answered {answer.status} to {method}")
                return await answer.read() if method == "GET" else b""
        except (aiohttp.ClientError, TimeoutError) as error:
            raise SinkError(f"{self._url} does not answer ({type(error).__name__})") from error


def sink_from(url: str, token: str = "") -> Sink | None:
    """The sink that MIZZEN_AUDIT_SINK names; None where it is empty. Raises SettingsError."""
    if not url:
        return None
    named = urlsplit(url)
    if named.scheme == "file" and not named.netloc and named.path.startswith("/"):
        return FolderSink(Path(named.path))
    if named.hostname and (named.scheme == "https" or (named.scheme == "http" and named.hostname in LOOPBACK)):
        return EndpointSink(url, token)
    raise SettingsError(
        f"MIZZEN_AUDIT_SINK is {url!r}: it must be file:///folder, on storage that the owner of the database cannot "
        "write, or https://host/path. A bucket (s3://) is not taken yet: mount it, or put an endpoint before it."
    )
