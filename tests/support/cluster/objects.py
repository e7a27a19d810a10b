"""How does a test read and write objects of a cluster? Plain dicts, by kind and name, with the answer's own words.

`Objects` is synchronous and may be used by several threads; in a coroutine call it through `asyncio.to_thread`.
"""

import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import httpx

Object = dict[str, Any]
_APPLY = "application/apply-patch+yaml"
_MERGE = "application/merge-patch+json"
_DISCOVERY = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
_POLL_SECONDS = 0.05


class RefusedError(Exception):
    """An answer of 400 or more."""

    def __init__(self, status: int, body: Mapping[str, Any], what: str) -> None:
        self.status = status
        self.reason = str(body.get("reason", ""))
        self.message = str(body.get("message", ""))
        self.causes: list[Object] = (body.get("details") or {}).get("causes") or []
        super().__init__(f"{what}: {status} {self.reason}: {self.message}")


@dataclass(frozen=True)
class Resource:
    """Where objects of a kind are found."""

    kind: str
    api_version: str
    plural: str
    namespaced: bool

    def path(self, namespace: str | None = None, name: str | None = None, subresource: str | None = None) -> str:
        """The path of an object, or of the list where no name is given."""
        root = "/api" if "/" not in self.api_version else "/apis"
        inside = ["namespaces", namespace] if self.namespaced and namespace else []
        parts = [root, self.api_version, *inside, self.plural, name or "", subresource or ""]
        return "/".join(filter(None, parts))


@dataclass
class Objects:
    """Objects of one cluster, as one caller sees them. A namespaced kind without a namespace means `namespace`."""

    server: str
    authority: Path
    token: str
    namespace: str = "default"
    _resources: dict[str, Resource] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.http = httpx.Client(
            base_url=self.server,
            verify=ssl.create_default_context(cafile=str(self.authority)),
            headers={"Authorization": f"Bearer {self.token}"},
            timeout=30.0,
            trust_env=False,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self.http.close()

    def within(self, namespace: str) -> "Objects":
        """The same caller, with another namespace where none is named."""
        return Objects(self.server, self.authority, self.token, namespace, self._resources)

    def get(self, kind: str, name: str, namespace: str | None = None) -> Object | None:
        """An object; None where there is none."""
        try:
            return self.call("GET", self._path(kind, namespace, name))
        except RefusedError as refused:
            if refused.status == 404:
                return None
            raise

    def list(self, kind: str, namespace: str | None = None, labels: str | None = None) -> list[Object]:
        """Objects of a kind in a namespace; `labels` is a selector. "*" means all namespaces."""
        path = self._path(kind, namespace, None)
        found = self.call("GET", path, params={"labelSelector": labels} if labels else {})
        resource = self.resource(kind)
        return [{"apiVersion": resource.api_version, "kind": kind, **item} for item in found["items"]]

    def create(self, body: Object, namespace: str | None = None) -> Object:
        """POST, without filling in anything."""
        return self.call("POST", self._path(body["kind"], namespace or self._own(body), None), json=body)

    def apply(self, body: Object, manager: str = "test", force: bool = False, subresource: str | None = None) -> Object:
        """Server-side apply; 409 names the manager whose field it is, unless `force`."""
        path = self._path(body["kind"], self._own(body), body["metadata"]["name"], subresource)
        return self.call(
            "PATCH",
            path,
            json=body,
            params={"fieldManager": manager, "force": str(force).lower()},
            headers={"Content-Type": _APPLY},
        )

    def merge(
        self, kind: str, name: str, patch: Object, namespace: str | None = None, subresource: str | None = None
    ) -> Object:
        """JSON merge patch of an object, or of its status with `subresource="status"`."""
        path = self._path(kind, namespace, name, subresource)
        return self.call("PATCH", path, json=patch, headers={"Content-Type": _MERGE})

    def replace(self, body: Object, subresource: str | None = None) -> Object:
        """PUT."""
        path = self._path(body["kind"], self._own(body), body["metadata"]["name"], subresource)
        return self.call("PUT", path, json=body)

    def delete(self, kind: str, name: str, namespace: str | None = None, **options: Any) -> None:
        """DELETE with options of the API, such as `gracePeriodSeconds=0`; nothing where it is gone."""
        try:
            self.call("DELETE", self._path(kind, namespace, name), json=options)
        except RefusedError as refused:
            if refused.status != 404:
                raise

    def wait(
        self,
        kind: str,
        name: str,
        holds: Callable[[Object], object],
        seconds: float = 30.0,
        namespace: str | None = None,
    ) -> Object:
        """The object once `holds` is true of it; AssertionError with its last state when that takes too long.

        A field that it looks at and that is not there yet is waited for.
        """
        last: list[Object | None] = [None]

        def seen() -> bool:
            last[0] = self.get(kind, name, namespace)
            try:
                return last[0] is not None and bool(holds(last[0]))
            except (KeyError, IndexError):
                return False

        wait_until(seen, seconds, lambda: f"{kind} {name}: {last[0]}")
        assert last[0] is not None
        return last[0]

    def wait_gone(self, kind: str, name: str, seconds: float = 30.0, namespace: str | None = None) -> None:
        """Return once the object is gone."""
        wait_until(lambda: self.get(kind, name, namespace) is None, seconds, lambda: f"{kind} {name} is still there")

    def call(self, method: str, path: str, **request: Any) -> Object:
        """The answer's JSON; RefusedError from 400 on."""
        answer = self.http.request(method, path, **request)
        body: Object = answer.json() if answer.content[:1] == b"{" else {"message": answer.text}
        if answer.status_code >= 400:
            raise RefusedError(answer.status_code, body, f"{method} {path}")
        return body

    def resource(self, kind: str) -> Resource:
        """Where a kind is served, as the server itself says; KeyError where it serves no such kind."""
        if kind not in self._resources:
            self._discover()
        return self._resources[kind]

    def _discover(self) -> None:
        for root in ("/apis", "/api"):  # the core group last: its Event is the usual one
            for group in self.call("GET", root, headers={"Accept": _DISCOVERY})["items"]:
                version = group["versions"][0]
                name = group["metadata"].get("name")
                api_version = f"{name}/{version['version']}" if name else version["version"]
                for each in version.get("resources", ()):
                    kind, namespaced = each["responseKind"]["kind"], each["scope"] == "Namespaced"
                    self._resources[kind] = Resource(kind, api_version, each["resource"], namespaced)

    def _own(self, body: Object) -> str | None:
        namespace = body["metadata"].get("namespace")
        return str(namespace) if namespace else None

    def _path(self, kind: str, namespace: str | None, name: str | None, subresource: str | None = None) -> str:
        chosen = namespace or self.namespace
        return self.resource(kind).path(None if chosen == "*" else chosen, name, subresource)


def wait_until(holds: Callable[[], object], seconds: float, what: Callable[[], str] | str) -> None:
    """Return once `holds`; AssertionError that tells `what` when it takes longer. A server away is waited for."""
    deadline = time.monotonic() + seconds
    failed: httpx.TransportError | RefusedError | None = None
    while time.monotonic() < deadline:
        try:
            if holds():
                return
        except httpx.TransportError as error:
            failed = error
        except RefusedError as error:
            if error.status != httpx.codes.TOO_MANY_REQUESTS:  # as while the server makes room for a new definition
                raise
            failed = error
        time.sleep(_POLL_SECONDS)
    told = what if isinstance(what, str) else what()
    raise AssertionError(f"not within {seconds:.0f} s: {told}" + (f" (last failure: {failed!r})" if failed else ""))
