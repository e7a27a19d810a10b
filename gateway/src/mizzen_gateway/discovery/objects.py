"""Which deployments are there, and where do their endpoints listen? The store's watch tells; a copy is kept on disk."""

import asyncio
import os
import random
import tempfile
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import structlog
from mizzen_crds.store import ObjectEvent, ObjectList
from pydantic import ValidationError

from mizzen_gateway.discovery.object_views import deployment_facts, endpoint_set_facts
from mizzen_gateway.routing.table import RouteTable

KINDS = ("ModelDeployment", "EndpointSet")
SILENCE_SECONDS = 5.0
"""The watch says something each second; one that has been silent this long is taken for dead."""
KEEP_SECONDS = 1.0
"""Changes within so long are written to the copy together."""
LINE_LIMIT = 64 * 1024 * 1024
GONE = 410

Id = tuple[str, str, str]
"""(kind, namespace, name)."""
log = structlog.get_logger(__name__)


class ObjectFeed:
    """Keeps a `RouteTable` as the store has it."""

    def __init__(self, session: aiohttp.ClientSession, base_url: str, table: RouteTable, cache_file: Path) -> None:
        """`session` carries the gateway's token; `base_url` is the control plane's, without a slash at its end."""
        self._session = session
        self._base_url = base_url
        self._table = table
        self._cache_file = cache_file
        self._objects: dict[Id, dict[str, Any]] = {}
        self._version: str | None = None
        self._keeping: asyncio.Task[None] | None = None
        self._failures = 0
        self.listed = False
        """The table is what the store had, now or when the copy was made."""

    def load_cache(self) -> bool:
        """Take up the copy of an earlier run. False where there is none that can be read."""
        try:
            documents = orjson.loads(self._cache_file.read_bytes())
        except FileNotFoundError:
            return False
        except (OSError, orjson.JSONDecodeError) as error:
            log.warning("objects on disk are of no use", file=str(self._cache_file), error=type(error).__name__)
            return False
        for document in documents:
            self._put(document)
        self.listed = True
        return True

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
        found: dict[Id, dict[str, Any]] = {}
        versions: list[str] = []
        for kind in KINDS:
            url = f"{self._base_url}/internal/v1/objects/{kind}"
            async with self._session.get(url, timeout=timeout) as response:
                response.raise_for_status()
                listed = ObjectList.model_validate_json(await response.read())
            versions.append(listed.resource_version)
            found.update({identify(document): document for document in listed.items})
        for gone in [known for known in self._objects if known not in found]:
            self._drop(gone)
        for document in found.values():
            self._put(document)
        self._version = versions[0]  # the watch repeats what changed between the two lists
        self.listed = True
        self._keep_soon()

    async def _watch(self) -> None:
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=5, sock_read=SILENCE_SECONDS)
        query = {"kinds": ",".join(KINDS), "after": self._version or "0"}
        url = f"{self._base_url}/internal/v1/objects:watch"
        async with self._session.get(url, params=query, timeout=timeout) as response:
            response.raise_for_status()
            buffer = bytearray()
            async for chunk in response.content.iter_any():
                buffer += chunk
                if len(buffer) > LINE_LIMIT:
                    raise aiohttp.ClientPayloadError(f"a line of the watch is longer than {LINE_LIMIT} bytes")
                if b"\n" not in chunk:  # a long line is searched once, not once a chunk
                    continue
                *lines, buffer = buffer.split(b"\n")
                for line in lines:
                    self._take(bytes(line))

    def _take(self, line: bytes) -> None:
        if not line.strip():
            return
        event = ObjectEvent.model_validate_json(line)
        self._failures = 0
        if event.object is not None:
            if event.type == "DELETED":
                self._drop(identify(event.object))
            else:
                self._put(event.object)
            self._keep_soon()
        self._version = event.resource_version

    def _put(self, document: dict[str, Any]) -> None:
        """An object that cannot be read is passed over: one bad object must not stop all others."""
        try:
            if document.get("kind") == "ModelDeployment":
                self._table.put_deployment(deployment_facts(document))
            elif document.get("kind") == "EndpointSet":
                self._table.put_endpoints(endpoint_set_facts(document))
            else:
                return
        except ValidationError as error:
            log.warning("object not understood", object=str(identify(document)), mistakes=error.error_count())
            return
        self._objects[identify(document)] = document

    def _drop(self, known: Id) -> None:
        self._objects.pop(known, None)
        kind, *key = known
        drop = self._table.drop_deployment if kind == "ModelDeployment" else self._table.drop_endpoints
        drop((key[0], key[1]))

    def _keep_soon(self) -> None:
        if self._keeping is None or self._keeping.done():
            self._keeping = asyncio.get_running_loop().create_task(self._keep())

    async def _keep(self) -> None:
        await asyncio.sleep(KEEP_SECONDS)
        raw = orjson.dumps(list(self._objects.values()))
        try:
            await asyncio.to_thread(replace_file, self._cache_file, raw)
        except OSError as error:
            log.warning("objects not kept", file=str(self._cache_file), error=str(error))


def identify(document: dict[str, Any]) -> Id:
    """Kind, namespace and name."""
    metadata = document.get("metadata", {})
    return (document.get("kind", ""), metadata.get("namespace", ""), metadata.get("name", ""))


def replace_file(path: Path, raw: bytes) -> None:
    """Write a file whole or not at all, for the owner alone."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")  # mode 0600
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(raw)
        Path(name).replace(path)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise
