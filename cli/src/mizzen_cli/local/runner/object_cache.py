"""What the store holds, as followed by list and watch: passes read this and never the network."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import structlog
from mizzen_crds.rules import STORED
from mizzen_crds.v1alpha1.model_deployment import ModelDeployment
from mizzen_crds.v1alpha1.serving_runtime import ServingRuntime
from pydantic import ValidationError

from mizzen_cli.local.runner.object_store import ObjectStore, StoreUnavailableError, WatchExpiredError

FOLLOWED = ("ModelDeployment", "ServingRuntime", "EndpointSet")
RETRY_SECONDS = (0.1, 0.2, 0.5, 1.0, 2.0)
Key = tuple[str, str]
"""Namespace and name of a deployment."""
log = structlog.get_logger()


class ObjectCache:
    """Followed objects. `changed(key)` is called for each deployment to look at again."""

    def __init__(self, store: ObjectStore, changed: Callable[[Key], None]) -> None:
        self._store = store
        self._changed = changed
        self._objects: dict[str, dict[Key, dict[str, Any]]] = {kind: {} for kind in FOLLOWED}
        self.synced = asyncio.Event()

    def deployment(self, key: Key) -> ModelDeployment | None:
        """A deployment; None where it is gone or cannot be read."""
        body = self._objects["ModelDeployment"].get(key)
        try:
            return ModelDeployment.model_validate(body, context={STORED: True}) if body else None
        except ValidationError as error:
            log.warning("deployment cannot be read", namespace=key[0], name=key[1], error=str(error))
            return None

    def deployments(self, namespace: str) -> Iterator[ModelDeployment]:
        """All deployments of a namespace."""
        for key in sorted(self._objects["ModelDeployment"]):
            if key[0] == namespace and (found := self.deployment(key)):
                yield found

    def runtimes(self) -> dict[str, ServingRuntime]:
        """All runtimes by name; those that cannot be read are left out."""
        found = {}
        for (_, name), body in self._objects["ServingRuntime"].items():
            try:
                found[name] = ServingRuntime.model_validate(body)
            except ValidationError as error:
                log.warning("runtime cannot be read", name=name, error=str(error))
        return found

    def endpoint_set(self, key: Key) -> dict[str, Any] | None:
        """Spec of the EndpointSet that the store holds."""
        body = self._objects["EndpointSet"].get(key)
        return body.get("spec") if body else None

    def keys(self) -> set[Key]:
        """Deployments that exist, and EndpointSets that outlived theirs."""
        return {*self._objects["ModelDeployment"], *self._objects["EndpointSet"]}

    def exists(self, key: Key) -> bool:
        """The deployment is in the store, readable or not."""
        return key in self._objects["ModelDeployment"]

    def remember(self, body: dict[str, Any]) -> None:
        """Take over an object as the store answered it, before the watch tells."""
        self._objects[body["kind"]][key_of(body)] = body

    async def follow(self) -> None:
        """List, then watch, for ever."""
        tries = 0
        while True:
            try:
                version = await self._list()
                tries = 0
                self.synced.set()
                await self._watch(version)
            except WatchExpiredError:
                continue
            except StoreUnavailableError as error:
                log.warning("store unavailable", error=str(error))
                await asyncio.sleep(RETRY_SECONDS[min(tries, len(RETRY_SECONDS) - 1)])
                tries += 1

    async def _list(self) -> str:
        version = ""
        for kind in FOLLOWED:
            answer = await self._store.list_objects(kind)
            # The oldest version of the lists: a watch from there misses nothing, and repeats are harmless.
            version = version or answer.resource_version
            before = self._objects[kind]
            self._objects[kind] = {key_of(each): each for each in answer.items}
            for key in {*before, *self._objects[kind]}:
                self._touched(kind, key)
        return version

    async def _watch(self, version: str) -> None:
        async for event in self._store.watch(FOLLOWED, version):
            if event.object is None:
                continue
            kind, key = event.object["kind"], key_of(event.object)
            if event.type == "DELETED":
                self._objects[kind].pop(key, None)
            else:
                self._objects[kind][key] = event.object
            self._touched(kind, key)

    def _touched(self, kind: str, key: Key) -> None:
        if kind == "ServingRuntime":
            for each in self._objects["ModelDeployment"]:
                self._changed(each)
        else:
            self._changed(key)


def key_of(body: dict[str, Any]) -> Key:
    """Namespace and name."""
    metadata = body["metadata"]
    return metadata.get("namespace") or "", metadata["name"]
