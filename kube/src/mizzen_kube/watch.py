"""What does a watch say, line by line? Decodes its events, and tells an end from a cut, and quiet from dead."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import orjson

from mizzen_kube.errors import UnavailableError, error_of_status

Event = tuple[str, dict[str, Any]]
"""ADDED, MODIFIED, DELETED or BOOKMARK, and the object. A bookmark's object has a resource version and no more."""
LONGEST_LINE = 16 * 1024 * 1024
"""Bytes; etcd keeps no object larger than 1.5 MiB."""


async def events(content: aiohttp.StreamReader, doing: str, silence: float) -> AsyncIterator[Event]:
    """Yield events until the server ends the watch in good order.

    Raises UnavailableError after `silence` seconds without a byte and when it breaks off in mid-line, GoneError when
    the server no longer knows the resource version.
    """
    async for line in _lines(content, doing, silence):
        try:
            event = orjson.loads(line)
            kind, manifest = event["type"], event["object"]
        except (orjson.JSONDecodeError, KeyError, TypeError) as error:
            raise UnavailableError(f"{doing}: an event that is none: {line[:80]!r}") from error
        if kind == "ERROR":
            raise error_of_status(doing, manifest, int(manifest.get("code") or 500))
        yield kind, manifest


async def _lines(content: aiohttp.StreamReader, doing: str, silence: float) -> AsyncIterator[bytes]:
    parts: list[bytes] = []
    while chunk := await _read(content, doing, silence):
        *ended, rest = chunk.split(b"\n")
        for line in ended:
            whole = b"".join((*parts, line)) if parts else line
            parts.clear()
            if whole:
                yield whole
        if rest:
            parts.append(rest)
            if sum(map(len, parts)) > LONGEST_LINE:
                raise UnavailableError(f"{doing}: an event of more than {LONGEST_LINE} bytes")
    if parts:
        raise UnavailableError(f"{doing}: cut off in the middle of an event")


async def _read(content: aiohttp.StreamReader, doing: str, silence: float) -> bytes:
    try:
        async with asyncio.timeout(silence):
            return await content.readany()
    except TimeoutError as error:
        raise UnavailableError(f"{doing}: silent for {silence:.0f} s, taken for dead") from error
    except RuntimeError as error:  # aiohttp's word for a connection that closed between two reads
        raise UnavailableError(f"{doing}: {error}") from error
