"""Which deployments are there, and where do their endpoints listen? On one machine the store's watch tells."""

import asyncio
import random
from contextlib import aclosing

import aiohttp
import structlog
from mizzen_crds.store import ObjectEvent, ObjectList
from pydantic import ValidationError

from mizzen_gateway.discovery.heard import heard
from mizzen_gateway.discovery.known_objects import Id, KnownObjects, identify

KINDS = ("ModelDeployment", "EndpointSet")
SILENCE_SECONDS = 5.0
"""The watch says something each second; one that has been silent this long is taken for dead."""
LINE_LIMIT = 64 * 1024 * 1024
GONE = 410

log = structlog.get_logger(__name__)


class ObjectFeed:
    """Keeps the known objects as the store has them."""

    def __init__(self, session: aiohttp.ClientSession, base_url: str, known: KnownObjects) -> None:
        """`session` carries the gateway's token; `base_url` is the control plane's, without a slash at its end."""
        self._session = session
        self._base_url = base_url
        self._known = known
        self._version: str | None = None
        self._failures = 0

    async def run(self) -> None:
        """Follow the store until cancelled; reconnects with jittered back-off."""
        while True:
            try:
                if self._version is None:
                    await self._list()
                await self._watch()
            except (aiohttp.ClientError, TimeoutError, OSError, ValidationError) as error:
                self._failures += 1
                if isinstance(error, aiohttp.ClientResponseError) and error.status == GONE:
                    self._version = None
                log.warning("object feed broke", error=type(error).__name__, detail=str(error)[:200])
            await asyncio.sleep(random.uniform(0.05, min(5.0, 0.1 * 2 ** min(self._failures, 6))))  # noqa: S311 - jitter

    async def _list(self) -> None:
        timeout = aiohttp.ClientTimeout(total=30)
        found: set[Id] = set()
        versions: list[str] = []
        for kind in KINDS:
            url = f"{self._base_url}/internal/v1/objects/{kind}"
            async with self._session.get(url, timeout=timeout) as response:
                response.raise_for_status()
                listed = ObjectList.model_validate_json(await response.read())
            versions.append(listed.resource_version)
            for document in listed.items:
                found.add(identify(document))
                self._known.put(document)
        self._known.whole(found)
        self._version = versions[0]  # the watch repeats what changed between the two lists

    async def _watch(self) -> None:
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=5)
        query = {"kinds": ",".join(KINDS), "after": self._version or "0"}
        url = f"{self._base_url}/internal/v1/objects:watch"
        async with self._session.get(url, params=query, timeout=timeout) as response:
            response.raise_for_status()
            buffer = bytearray()
            async with aclosing(heard(response.content, SILENCE_SECONDS)) as pieces:
                async for piece in pieces:
                    buffer += piece
                    if len(buffer) > LINE_LIMIT:
                        raise aiohttp.ClientPayloadError(f"a line of the watch is longer than {LINE_LIMIT} bytes")
                    if b"\n" not in piece:  # a long line is searched once, not once a piece
                        continue
                    *lines, buffer = buffer.split(b"\n")
                    for line in lines:
                        self._take(bytes(line))

    def _take(self, line: bytes) -> None:
        if not line.strip():
            return
        event = ObjectEvent.model_validate_json(line)
        self._failures = 0
        if event.object is not None and event.type == "DELETED":
            self._known.drop(identify(event.object))
        elif event.object is not None:
            self._known.put(event.object)
        self._version = event.resource_version
