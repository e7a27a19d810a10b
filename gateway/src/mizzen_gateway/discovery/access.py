"""How does the gateway learn of keys, limits and prices? It follows the control plane's feed, and keeps a copy.

`AccessFeed.run` is one task for the life of the process. The copy on disk lets a gateway start, and serve, without the
control plane.
"""

import asyncio
import os
import random
import tempfile
import time
from collections.abc import Generator, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import TypeVar

import aiohttp
import structlog

from mizzen_gateway.discovery.access_building import without_pause
from mizzen_gateway.discovery.access_index import AccessState
from mizzen_gateway.discovery.access_lines import Line, read_line, read_snapshot
from mizzen_gateway.discovery.heard import heard

SILENCE_SECONDS = 5.0
"""A feed says something each second; one that has been silent this long is taken for dead."""
CONNECT_SECONDS = 5.0
TOUCH_SECONDS = 10.0
"""How often the copy on disk is marked as confirmed."""
LINE_LIMIT = 256 * 1024 * 1024
"""Bytes of one line at most."""
TURN_SECONDS = 0.002
"""The most of a long line that is read before requests have their turn."""
FILE_PIECE = 256 * 1024
Made = TypeVar("Made")

log = structlog.get_logger(__name__)


class AccessFeed:
    """Keeps an `AccessState` as the control plane has it."""

    def __init__(self, session: aiohttp.ClientSession, base_url: str, state: AccessState, cache_file: Path) -> None:
        """`session` carries the gateway's token; `base_url` is the control plane's, without a slash at its end."""
        self._session = session
        self._url = f"{base_url}/internal/v1/access/watch"
        self._state = state
        self._cache_file = cache_file
        self._touched_at = 0.0
        self._failures = 0

    def load_cache(self) -> bool:
        """Take up the copy of an earlier run, as old as it is. False where there is none that can be read."""
        try:
            with self._cache_file.open("rb") as file:
                confirmed_at = os.fstat(file.fileno()).st_mtime
                index = without_pause(read_snapshot(iter(lambda: file.read(FILE_PIECE), b"")))
        except FileNotFoundError:
            return False
        except (OSError, ValueError) as error:
            log.warning("access snapshot on disk is of no use", file=str(self._cache_file), error=type(error).__name__)
            return False
        self._state.put(index, confirmed_at)
        return True

    async def run(self) -> None:
        """Follow the feed until cancelled; reconnects with jittered back-off."""
        while True:
            try:
                await self._follow()
            except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
                self._failures += 1
                log.warning("access feed broke", error=type(error).__name__, detail=_detail(error))
            await asyncio.sleep(random.uniform(0.05, min(5.0, 0.1 * 2 ** min(self._failures, 6))))  # noqa: S311 - jitter

    async def _follow(self) -> None:
        after = 0 if self._state.index is None else self._state.index.version
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS)
        async with self._session.get(self._url, params={"after": str(after)}, timeout=timeout) as response:
            response.raise_for_status()
            line: list[bytes] = []
            size = 0
            async with aclosing(heard(response.content, SILENCE_SECONDS)) as pieces:
                async for piece in pieces:
                    first, *others = piece.split(b"\n")
                    line.append(first)
                    size += len(first)
                    if size > LINE_LIMIT:
                        raise aiohttp.ClientPayloadError(f"a line of the access feed is longer than {LINE_LIMIT} bytes")
                    for begun in others:
                        await self._take(line)
                        line, size = [begun], len(begun)

    async def _take(self, pieces: list[bytes]) -> None:
        before = self._state.index
        line = await in_turns(read_line((piece for piece in pieces if piece), before))
        if line is None:
            return
        now = time.time()
        self._failures = 0
        if line.index is not None:
            self._state.put(line.index, now)
            await asyncio.to_thread(self._keep, pieces, line)
            self._touched_at = now
            if before is not None:
                await in_turns(before.dismantled())
        elif before is not None and line.version == before.version:
            self._state.confirmed_at = now
            self._touch(now)

    def _keep(self, pieces: Sequence[bytes], line: Line) -> None:
        """Write the copy: whole or not at all, for the owner alone. A full disk costs the copy, not the service."""
        folder = self._cache_file.parent
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor, name = tempfile.mkstemp(dir=folder, prefix=".access-")  # mode 0600
            try:
                with os.fdopen(descriptor, "wb") as file:
                    at = 0
                    for piece in pieces:
                        file.write(piece[max(0, line.begin - at) : max(0, line.end - at)])
                        at += len(piece)
                    file.flush()
                    os.fsync(file.fileno())
                Path(name).replace(self._cache_file)
            except OSError:
                Path(name).unlink(missing_ok=True)
                raise
        except OSError as error:
            log.warning("access snapshot not kept", file=str(self._cache_file), error=str(error))

    def _touch(self, now: float) -> None:
        if now - self._touched_at < TOUCH_SECONDS:
            return
        self._touched_at = now
        try:
            os.utime(self._cache_file, (now, now))
        except OSError as error:
            log.warning("copy of the access snapshot not marked", file=str(self._cache_file), error=str(error))


def _detail(error: Exception) -> str:
    return f"status {error.status}" if isinstance(error, aiohttp.ClientResponseError) else str(error)[:200]


async def in_turns(steps: Generator[None, None, Made]) -> Made:
    """Its result; requests have their turn now and then."""
    until = time.perf_counter() + TURN_SECONDS
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]  # what it returns
        if time.perf_counter() >= until:
            await asyncio.sleep(0)
            until = time.perf_counter() + TURN_SECONDS
