"""How does the gateway learn of keys, limits and prices? It follows the control plane's feed, and keeps a copy.

`AccessFeed.run` is one task for the life of the process. The copy on disk lets a gateway start, and serve, without the
control plane.
"""

import asyncio
import os
import random
import tempfile
import time
from pathlib import Path

import aiohttp
import structlog
from mizzen_crds.access import AccessFeedLine, AccessSnapshot
from pydantic import ValidationError

from mizzen_gateway.discovery.access_index import AccessState, index_snapshot

SILENCE_SECONDS = 5.0
"""A feed says something each second; one that has been silent this long is taken for dead."""
TOUCH_SECONDS = 10.0
"""How often the copy on disk is marked as confirmed."""
LINE_LIMIT = 256 * 1024 * 1024
"""Bytes of one line at most."""

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
            raw = self._cache_file.read_bytes()
            confirmed_at = self._cache_file.stat().st_mtime
            snapshot = AccessSnapshot.model_validate_json(raw)
        except FileNotFoundError:
            return False
        except (OSError, ValidationError) as error:
            log.warning("access snapshot on disk is of no use", file=str(self._cache_file), error=type(error).__name__)
            return False
        self._state.put(index_snapshot(snapshot), confirmed_at)
        return True

    async def run(self) -> None:
        """Follow the feed until cancelled; reconnects with jittered back-off."""
        while True:
            try:
                await self._follow()
            except (aiohttp.ClientError, TimeoutError, OSError, ValidationError) as error:
                self._failures += 1
                log.warning("access feed broke", error=type(error).__name__, detail=_detail(error))
            await asyncio.sleep(random.uniform(0.05, min(5.0, 0.1 * 2 ** min(self._failures, 6))))  # noqa: S311 - jitter

    async def _follow(self) -> None:
        after = 0 if self._state.index is None else self._state.index.version
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=5, sock_read=SILENCE_SECONDS)
        async with self._session.get(self._url, params={"after": str(after)}, timeout=timeout) as response:
            response.raise_for_status()
            buffer = bytearray()
            async for chunk in response.content.iter_any():
                buffer += chunk
                if len(buffer) > LINE_LIMIT:
                    raise aiohttp.ClientPayloadError(f"a line of the access feed is longer than {LINE_LIMIT} bytes")
                if b"\n" not in chunk:  # a long line is searched once, not once a chunk
                    continue
                *lines, rest = buffer.split(b"\n")
                buffer = rest
                for line in lines:
                    self._take(bytes(line))

    def _take(self, line: bytes) -> None:
        if not line.strip():
            return
        message = AccessFeedLine.model_validate_json(line)
        now = time.time()
        self._failures = 0
        index = self._state.index
        if message.snapshot is not None:
            self._state.put(index_snapshot(message.snapshot), now)
            self._keep(message.snapshot)
            self._touched_at = now
        elif index is not None and message.version == index.version:
            self._state.confirmed_at = now
            self._touch(now)

    def _keep(self, snapshot: AccessSnapshot) -> None:
        """Write the copy: whole or not at all, for the owner alone. A full disk costs the copy, not the service."""
        folder = self._cache_file.parent
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor, name = tempfile.mkstemp(dir=folder, prefix=".access-")  # mode 0600
            try:
                with os.fdopen(descriptor, "wb") as file:
                    file.write(snapshot.model_dump_json().encode())
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
