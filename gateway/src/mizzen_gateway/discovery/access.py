"""How does the gateway learn of keys, limits and prices? It follows the control plane's feed, and keeps a copy.

`AccessFeed.run` is one task for the life of the process. The copy on disk lets a gateway start, and serve, without the
control plane.
"""

import asyncio
import os
import random
import time
from collections.abc import Generator
from contextlib import aclosing
from pathlib import Path
from typing import TypeVar

import aiohttp
import structlog
from mizzen_crds.access import AccessDelta
from mizzen_crds.access_signature import signing_key

from mizzen_gateway.discovery.access_building import with_delta
from mizzen_gateway.discovery.access_copy import AccessCopy, verify
from mizzen_gateway.discovery.access_index import AccessIndex, AccessState
from mizzen_gateway.discovery.access_lines import read_line
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
Made = TypeVar("Made")

log = structlog.get_logger(__name__)


class AccessFeed:
    """Keeps an `AccessState` as the control plane has it."""

    def __init__(
        self, session: aiohttp.ClientSession, base_url: str, state: AccessState, cache_file: Path, pepper: bytes
    ) -> None:
        """`session` carries the gateway's token; `base_url` is the control plane's, without a slash at its end.

        `pepper`: what the key that access is signed with is derived from.
        """
        self._key = signing_key(pepper)
        self._copy = AccessCopy(cache_file, self._key)
        self._whole = False
        """The next line should be a snapshot, whatever is known."""
        self._session = session
        self._url = f"{base_url}/internal/v1/access/watch"
        self._state = state
        self._cache_file = cache_file
        self._touched_at = 0.0
        self._failures = 0

    def load_cache(self) -> bool:
        """Take up the copy of an earlier run, as old as it is. False where there is none that can be used."""
        found = self._copy.load()
        if found is not None:
            self._state.put(*found)
        return found is not None

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
        after = 0 if self._state.index is None or self._whole else self._state.index.version
        self._whole = False
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS)
        async with self._session.get(
            self._url, params={"after": str(after), "deltas": "true"}, timeout=timeout
        ) as response:
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
                        if not await self._take(line):
                            self._whole = True
                            return
                        line, size = [begun], len(begun)

    async def _take(self, pieces: list[bytes]) -> bool:
        """Take a line up; False where the feed should begin anew, with a snapshot."""
        before = self._state.index
        line = await in_turns(read_line((piece for piece in pieces if piece), before))
        if line is None:
            return True
        now = time.time()
        self._failures = 0
        if line.index is None and line.delta is None:
            if before is not None and line.version == before.version:
                self._state.confirmed_at = now
                self._touch(now)
            return True
        await asyncio.to_thread(verify, self._key, pieces, line)
        if line.index is not None:
            await self._replace(before, line.index, now)
        elif line.delta is not None:
            self._go_on(before, line.delta, now)
        await asyncio.to_thread(self._copy.keep, pieces, line)
        self._touched_at = now
        return not self._copy.is_full

    async def _replace(self, before: AccessIndex | None, index: AccessIndex, now: float) -> None:
        if before is not None and index.version < before.version:
            raise ValueError(
                f"a snapshot of version {index.version} is older than what is in force, {before.version}: refused"
            )
        self._state.put(index, now)
        if before is not None:
            await in_turns(before.dismantled())

    def _go_on(self, before: AccessIndex | None, delta: AccessDelta, now: float) -> None:
        if before is None:
            raise ValueError("a delta came before any snapshot")
        self._whole = True  # should it not fit
        self._state.put(with_delta(before, delta), now)
        self._whole = False

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
