"""Which objects does this gateway work from? Those last heard of: in the table, and in a copy on disk.

A feed fills it: `objects.py` from the control plane's store, `kubernetes.py` from an API server. The copy lets a
gateway start, and serve, while neither can be reached.
"""

import asyncio
import os
import tempfile
from collections.abc import Collection
from pathlib import Path
from typing import Any

import orjson
import structlog
from pydantic import ValidationError

from mizzen_gateway.discovery.object_views import NotServedError, deployment_facts, endpoint_set_facts, route_facts
from mizzen_gateway.routing.table import RouteTable

KEEP_SECONDS = 1.0
"""Changes within so long are written to the copy together."""

Id = tuple[str, str, str]
"""(kind, namespace, name)."""
log = structlog.get_logger(__name__)


class KnownObjects:
    """Keeps a `RouteTable` as the objects say."""

    def __init__(self, table: RouteTable, cache_file: Path) -> None:
        """`cache_file` holds the copy."""
        self._table = table
        self._cache_file = cache_file
        self._objects: dict[Id, dict[str, Any]] = {}
        self._keeping: asyncio.Task[None] | None = None
        self._changed = False
        self.listed = False
        """The table is what there was, now or when the copy was made."""

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
            self._take(document)
        self.listed = True
        return True

    def get(self, known: Id) -> dict[str, Any] | None:
        """An object as it was last put; None where there is none."""
        return self._objects.get(known)

    def put(self, document: dict[str, Any]) -> None:
        """An object is new or has changed; one that is as before changes nothing."""
        known = identify(document)
        if self._objects.get(known) != document:
            self._take(document)
            self._keep_soon()
        else:
            self._objects[known] = document  # the feed keeps this one; two alike would take twice the memory

    def drop(self, known: Id) -> None:
        """An object is gone, if it was there."""
        if self._objects.pop(known, None) is None:
            return
        kind, namespace, name = known
        table = self._table
        drops = {"ModelDeployment": table.drop_deployment, "EndpointSet": table.drop_endpoints}
        drops.get(kind, table.drop_route)((namespace, name))
        self._keep_soon()

    def whole(self, listed: Collection[Id]) -> None:
        """All that there is was put: what is not in `listed` is gone."""
        for gone in [known for known in self._objects if known not in listed]:
            self.drop(gone)
        self.listed = True
        self._keep_soon()

    def _take(self, document: dict[str, Any]) -> None:
        """An object that cannot be read is passed over: one bad object must not stop all others."""
        try:
            if document.get("kind") == "ModelDeployment":
                self._table.put_deployment(deployment_facts(document))
            elif document.get("kind") == "EndpointSet":
                self._table.put_endpoints(endpoint_set_facts(document))
            elif document.get("kind") == "ModelRoute":
                self._table.put_route(route_facts(document))
            else:
                return
        except NotServedError as error:
            self.drop(identify(document))  # half of what it asks for would be a lie
            log.warning("route not followed", object=str(identify(document)), not_served_yet=str(error))
            return
        except ValidationError as error:
            log.warning("object not understood", object=str(identify(document)), mistakes=error.error_count())
            return
        self._objects[identify(document)] = document

    def _keep_soon(self) -> None:
        self._changed = True
        if self._keeping is None or self._keeping.done():
            self._keeping = asyncio.get_running_loop().create_task(self._keep())

    async def _keep(self) -> None:
        while self._changed:  # again, where something changed while the file was written
            await asyncio.sleep(KEEP_SECONDS)
            self._changed = False
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
