"""What can be asked of the API server? One method a verb, plain dicts in and out, every refusal an `ApiError`.

Nothing is tried again here and nothing is cached: the caller observes again and decides. Every write asks the fence
first, so that a process that lost its lease changes nothing.
"""

import asyncio
import dataclasses
import random
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import Any, Literal

import orjson

from mizzen_kube.connection import Connection
from mizzen_kube.errors import ApiError, GoneError
from mizzen_kube.resources import PODS, Resource, resource_of
from mizzen_kube.transport import JSON, PATIENT, Fence, Patience, Request, Transport, open_transport
from mizzen_kube.watch import Event, events

Manifest = dict[str, Any]
OnWrite = Callable[[str, Resource, str], None]
"""Told after each write: the verb, what was written, and `ok` or the error's word."""
Propagation = Literal["Background", "Foreground", "Orphan"]

APPLY = "application/apply-patch+yaml"  # JSON is YAML
MERGE_PATCH = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
METADATA_OF_ONE = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io,application/json"
METADATA_OF_MANY = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io,application/json"
PAGE = 50
"""Objects of one answer to a list. A Deployment or a pod is 17 KB of JSON and 100 KB as dicts (measured): pages of 250
took 100 MB for a moment, most of which stayed with the process."""
LISTS_AT_ONCE = 2
WATCH_SECONDS = 45.0
SILENCE_SECONDS = 60.0
"""Longer than any watch: on a kind where nothing happens the server may send no bookmark for two minutes (measured on
1.36), so that only a watch that is over and has not ended is known to be dead."""


@dataclasses.dataclass(frozen=True, slots=True)
class Selection:
    """Which objects of a kind: of one namespace or all, by label and field; as a whole or their metadata alone."""

    namespace: str = ""
    label_selector: str = ""
    field_selector: str = ""
    metadata_only: bool = False

    def query(self, **more: str) -> dict[str, str]:
        """As the server wants it."""
        chosen = {"labelSelector": self.label_selector, "fieldSelector": self.field_selector, **more}
        return {name: value for name, value in chosen.items() if value}


@dataclasses.dataclass(frozen=True, slots=True)
class Page:
    """A part of a list. `first` says: forget pages seen before, the list begins (again)."""

    items: list[Manifest]
    resource_version: str
    first: bool


EVERYTHING = Selection()


def unfenced() -> None:
    """For programs of which several may write at once."""


def unobserved(verb: str, resource: Resource, outcome: str) -> None:
    """For programs that do not count their writes."""


class Api:
    """One API server, as one program sees it."""

    def __init__(self, transport: Transport, *, fence: Fence = unfenced, on_write: OnWrite = unobserved) -> None:
        """`fence` raises `FencedError` while this process may not write."""
        self._transport = transport
        self._fence = fence
        self._on_write = on_write
        self.listing = asyncio.Semaphore(LISTS_AT_ONCE)
        """For those who list whole kinds: a page as dicts takes megabytes, and all kinds begin at once."""

    def fenced(self, fence: Fence, on_write: OnWrite | None = None) -> "Api":
        """Return the same server behind a fence."""
        return Api(self._transport, fence=fence, on_write=on_write or self._on_write)

    async def get(self, resource: Resource, name: str, namespace: str = "", *, metadata_only: bool = False) -> Manifest:
        """Return an object as it is now. Raises NotFoundError."""
        accept = METADATA_OF_ONE if metadata_only else JSON
        found = await self._transport.ask(Request("GET", resource.path(namespace, name), accept=accept))
        return _named(found, resource)

    async def list(self, resource: Resource, selection: Selection = EVERYTHING) -> tuple[Sequence[Manifest], str]:
        """Return all objects, and the resource version to watch from."""
        items: list[Manifest] = []
        version = ""
        async with aclosing(self.pages(resource, selection)) as pages:
            async for page in pages:
                if page.first:
                    items.clear()
                items.extend(page.items)
                version = page.resource_version
        return items, version

    async def pages(
        self, resource: Resource, selection: Selection = EVERYTHING, limit: int = PAGE
    ) -> AsyncGenerator[Page, None]:
        """Yield all objects, `limit` at a time.

        A list that takes so long that its continuation expires (410) begins again, without pages.
        """
        accept = METADATA_OF_MANY if selection.metadata_only else JSON
        proceed, size, first = "", str(limit), True
        while True:
            query = selection.query(limit=size, **{"continue": proceed})
            try:
                found = await self._transport.ask(
                    Request("GET", resource.path(selection.namespace), query, accept=accept)
                )
            except GoneError:
                if not proceed:
                    raise
                proceed, size, first = "", "", True
                continue
            metadata = found.get("metadata") or {}
            page = Page(
                [_named(item, resource) for item in found.get("items") or ()],
                str(metadata.get("resourceVersion", "")),
                first,
            )
            proceed, first = str(metadata.get("continue") or ""), False
            del found  # or two pages were in memory while the next one comes
            yield page
            del page
            if not proceed:
                return

    async def watch(
        self,
        resource: Resource,
        selection: Selection = EVERYTHING,
        *,
        resource_version: str,
        seconds: float = WATCH_SECONDS,
        silence: float = SILENCE_SECONDS,
    ) -> AsyncGenerator[Event, None]:
        """Yield what happens after `resource_version`, bookmarks too, until the server ends it after about `seconds`.

        Raises GoneError when that version is too old, UnavailableError after `silence` seconds without a word.
        """
        query = selection.query(
            watch="1",
            allowWatchBookmarks="true",
            resourceVersion=resource_version,
            timeoutSeconds=str(int(seconds * random.uniform(0.8, 1.2))),  # noqa: S311 - spreads load, no secret
        )
        accept = METADATA_OF_ONE if selection.metadata_only else JSON
        request = Request("GET", resource.path(selection.namespace), query, accept=accept)
        async with self._transport.stream(request) as content:
            async for kind, manifest in events(content, f"watch {request.path}", silence):
                yield kind, _named(manifest, resource)

    async def log(
        self, pod: str, namespace: str, container: str, *, tail: int = -1, follow: bool = False
    ) -> AsyncGenerator[bytes, None]:
        """Yield what a container printed, the last `tail` lines (all, where negative), and with `follow` what comes.

        In pieces as they come. Raises ApiError of status 400 for a container that has not started.
        """
        query = {"container": container, "follow": "true" if follow else "false"}
        if tail >= 0:
            query["tailLines"] = str(tail)
        request = Request("GET", PODS.path(namespace, pod, "log"), query, accept="*/*")
        async with self._transport.stream(request) as content:
            while piece := await content.readany():
                yield piece

    async def review(self, manifest: Manifest) -> Manifest:
        """Ask a question that is put as an object (a TokenReview). It changes nothing, so no fence."""
        path = resource_of(manifest).path()
        return await self._transport.ask(Request("POST", path, body=orjson.dumps(manifest)))

    async def create(self, manifest: Manifest, *, field_manager: str) -> Manifest:
        """Create an object. Raises AlreadyExistsError."""
        resource = resource_of(manifest)
        path = resource.path(_namespace(manifest))
        return await self._write("create", resource, "POST", path, manifest, query={"fieldManager": field_manager})

    async def replace(self, manifest: Manifest, *, field_manager: str) -> Manifest:
        """Put an object in the place of the one that was read. Raises ConflictError where that has changed since."""
        resource = _identified("replace", manifest)
        path = resource.path(_namespace(manifest), _name(manifest))
        return await self._write("replace", resource, "PUT", path, manifest, query={"fieldManager": field_manager})

    async def apply(
        self, manifest: Manifest, *, field_manager: str, force: bool = True, dry_run: bool = False
    ) -> Manifest:
        """Apply the fields of an object that was read (server-side apply); never creates one.

        Raises ConflictError where it is another one or has changed since; ValueError without uid and resource version,
        because the server would then create an object that somebody deleted.
        """
        resource = _identified("apply", manifest)
        path = resource.path(_namespace(manifest), _name(manifest))
        query = {"fieldManager": field_manager, "force": "true" if force else "false"} | _tried(dry_run)
        return await self._write("apply", resource, "PATCH", path, manifest, content_type=APPLY, query=query)

    async def make(
        self, manifest: Manifest, *, field_manager: str, force: bool = True, dry_run: bool = False
    ) -> Manifest:
        """Apply the fields of an object, whether it is there or not (server-side apply).

        What somebody deletes meanwhile comes back: only for what a person asks for by name, never for a repair.
        """
        resource = resource_of(manifest)
        path = resource.path(_namespace(manifest), _name(manifest))
        query = {"fieldManager": field_manager, "force": "true" if force else "false"} | _tried(dry_run)
        return await self._write("make", resource, "PATCH", path, manifest, content_type=APPLY, query=query)

    async def patch_status(self, manifest: Manifest, *, field_manager: str) -> Manifest:
        """Merge the manifest's status into that of the object that was read; null removes a field."""
        resource = _identified("patch_status", manifest)
        path = resource.path(_namespace(manifest), _name(manifest), "status")
        body = {"metadata": _identity(manifest), "status": manifest["status"]}
        query = {"fieldManager": field_manager}
        return await self._write("patch_status", resource, "PATCH", path, body, content_type=MERGE_PATCH, query=query)

    async def put_status(self, manifest: Manifest, *, field_manager: str) -> Manifest:
        """Make the manifest's status the whole status of the object that was read, and nothing else of it."""
        resource = _identified("put_status", manifest)
        path = resource.path(_namespace(manifest), _name(manifest), "status")
        identity = _identity(manifest)
        body = [
            # No `test` of the uid: that fails as Invalid, and no two objects ever have one resource version.
            {"op": "replace", "path": "/metadata/resourceVersion", "value": identity["resourceVersion"]},
            {"op": "add", "path": "/status", "value": manifest["status"]},
        ]
        query = {"fieldManager": field_manager}
        return await self._write("put_status", resource, "PATCH", path, body, content_type=JSON_PATCH, query=query)

    async def json_patch(
        self,
        resource: Resource,
        name: str,
        namespace: str,
        operations: Sequence[Mapping[str, Any]],
        *,
        field_manager: str,
        subresource: str = "",
        dry_run: bool = False,
    ) -> Manifest:
        """Carry out the operations of a JSON patch, all or none. Begin with a `test` of what you rely on."""
        path = resource.path(namespace, name, subresource)
        query = {"fieldManager": field_manager} | _tried(dry_run)
        return await self._write(
            "json_patch", resource, "PATCH", path, operations, content_type=JSON_PATCH, query=query
        )

    async def delete(
        self,
        resource: Resource,
        name: str,
        namespace: str = "",
        *,
        uid: str,
        resource_version: str = "",
        propagation: Propagation = "Background",
        grace_seconds: int | None = None,
        dry_run: bool = False,
    ) -> None:
        """Delete the object with this uid. Raises NotFoundError, and ConflictError where the name is another's now."""
        preconditions = {"uid": uid, **({"resourceVersion": resource_version} if resource_version else {})}
        body: Manifest = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": preconditions}
        body["propagationPolicy"] = propagation
        if grace_seconds is not None:
            body["gracePeriodSeconds"] = grace_seconds
        if dry_run:
            body["dryRun"] = ["All"]  # with a body, the server reads no options of the query
        await self._write("delete", resource, "DELETE", resource.path(namespace, name), body)

    async def _write(
        self,
        verb: str,
        resource: Resource,
        method: str,
        path: str,
        body: object,
        *,
        content_type: str = JSON,
        query: Mapping[str, str] | None = None,
    ) -> Manifest:
        request = Request(method, path, query, orjson.dumps(body), content_type, fence=self._fence)
        try:
            done = await self._transport.ask(request)
        except ApiError as error:
            self._on_write(verb, resource, error.word)
            raise
        self._on_write(verb, resource, "ok")
        return done


def _tried(dry_run: bool) -> dict[str, str]:
    """With a dry run the server checks and answers as ever, and keeps nothing."""
    return {"dryRun": "All"} if dry_run else {}


def _named(manifest: Manifest, resource: Resource) -> Manifest:
    """Items of a list come without a kind, and metadata alone with one of its own."""
    manifest["apiVersion"], manifest["kind"] = resource.api_version, resource.kind
    return manifest


def _name(manifest: Manifest) -> str:
    return str(manifest["metadata"]["name"])


def _namespace(manifest: Manifest) -> str:
    return str(manifest["metadata"].get("namespace", ""))


def _identity(manifest: Manifest) -> Manifest:
    return {"uid": manifest["metadata"]["uid"], "resourceVersion": manifest["metadata"]["resourceVersion"]}


def _identified(verb: str, manifest: Manifest) -> Resource:
    resource, metadata = resource_of(manifest), manifest["metadata"]
    if not metadata.get("uid") or not metadata.get("resourceVersion"):
        raise ValueError(
            f"{verb} of {resource.kind} {metadata.get('namespace', '')}/{metadata['name']} without uid and "
            "resourceVersion: it could bring back what was deleted; read the object first, or create it"
        )
    return resource


@asynccontextmanager
async def open_api(
    connection: Connection, *, patience: Patience = PATIENT, on_write: OnWrite = unobserved
) -> AsyncIterator[Api]:
    """Yield the server of a connection, without a fence."""
    async with open_transport(connection, patience) as transport:
        yield Api(transport, on_write=on_write)
