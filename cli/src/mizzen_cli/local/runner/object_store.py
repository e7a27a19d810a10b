"""DeploymentStore over HTTP: the objects of the control plane, as this program sees them."""

from collections.abc import AsyncIterator, Sequence
from types import TracebackType
from typing import Any, Self

import aiohttp
import orjson
from mizzen_crds.registry import ResolvedVersion
from mizzen_crds.store import ObjectEvent, ObjectList, Occurrence
from mizzen_crds.v1alpha1.labels import FIELD_OWNER_RUNNER
from mizzen_crds.v1alpha1.model_deployment.source import VersionRef
from mizzen_operator.observation import Refusal

SILENCE_SECONDS = 10.0
"""A watch without even a heartbeat for so long is dead."""
RESOLUTION_REASONS = {
    "model_not_found": "ModelNotFound",
    "version_not_found": "VersionNotFound",
    "alias_not_found": "AliasNotFound",
    "version_not_ready": "VersionNotReady",
    "version_failed": "VersionFailed",
    "version_quarantined": "VersionQuarantined",
    "version_unsigned": "VersionUnsigned",
    "version_archived": "VersionArchived",
}
TOO_OLD = 410
CONFLICT = 409
NOT_FOUND = 404


class StoreUnavailableError(Exception):
    """The control plane does not answer, or not as it should."""


class WatchExpiredError(Exception):
    """The resource version is too old to go on from: list again."""


class ObjectStore:
    """A session with the control plane."""

    def __init__(self, url: str, token: str) -> None:
        self._url = url.rstrip("/") + "/internal/v1"
        self._token = token
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            headers={"Authorization": f"Bearer {self._token}"},
            timeout=aiohttp.ClientTimeout(total=15, connect=3),
            json_serialize=lambda body: orjson.dumps(body).decode(),
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._session is not None, "entered"
        await self._session.close()

    async def list_objects(self, kind: str) -> ObjectList:
        """All objects of a kind."""
        _, body = await self._call("GET", f"objects/{kind}")
        return ObjectList.model_validate(body)

    async def watch(self, kinds: Sequence[str], after: str) -> AsyncIterator[ObjectEvent]:
        """Changes after a resource version. Ends with an error, never silently.

        Raises:
            WatchExpiredError: list again.
            StoreUnavailableError: connect again.
        """
        params = {"kinds": ",".join(kinds), "after": after}
        timeout = aiohttp.ClientTimeout(total=None, connect=3, sock_read=SILENCE_SECONDS)
        try:
            async with self._open().get(f"{self._url}/objects:watch", params=params, timeout=timeout) as answer:
                if answer.status == TOO_OLD:
                    raise WatchExpiredError
                if answer.status != 200:
                    raise StoreUnavailableError(f"watch answered {answer.status}")
                async for line in answer.content:
                    if line.strip():
                        yield ObjectEvent.model_validate(orjson.loads(line))
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise StoreUnavailableError(f"watch ended: {error or type(error).__name__}") from error
        raise StoreUnavailableError("watch ended")

    async def put(self, manifest: dict[str, Any]) -> dict[str, Any]:
        """Create or replace labels, annotations and spec."""
        metadata = manifest["metadata"]
        path = f"objects/{manifest['kind']}/{metadata.get('namespace') or '_'}/{metadata['name']}"
        _, body = await self._call("PUT", path, manifest, {"field_manager": FIELD_OWNER_RUNNER})
        return dict(body)

    async def put_status(self, namespace: str, name: str, uid: str, status: dict[str, Any]) -> dict[str, Any] | None:
        """Write a status; returns the object, or None where it is gone or another one has its name now."""
        path = f"objects/ModelDeployment/{namespace}/{name}/status"
        code, body = await self._call("PUT", path, {"uid": uid, "status": status}, expected=(NOT_FOUND, CONFLICT))
        return dict(body) if code == 200 else None

    async def delete(self, kind: str, namespace: str, name: str) -> None:
        """Delete an object, if it is there."""
        await self._call("DELETE", f"objects/{kind}/{namespace}/{name}", expected=(NOT_FOUND,))

    async def occur(self, occurrence: Occurrence) -> None:
        """Tell people."""
        await self._call("POST", "occurrences", occurrence.model_dump(mode="json"))

    async def resolve(self, namespace: str, reference: VersionRef) -> ResolvedVersion | Refusal:
        """The version that a reference means, or why there is none."""
        params = {"namespace": namespace, "model": reference.model}
        if reference.version is not None:
            params["version"] = str(reference.version)
        else:
            params["alias"] = reference.alias or ""
        try:
            code, body = await self._call("GET", "models:resolve", params=params, expected=(NOT_FOUND, CONFLICT))
        except StoreUnavailableError as error:
            return Refusal("RegistryUnavailable", f"spec.model.versionRef could not be resolved: {error}")
        if code == 200:
            return ResolvedVersion.model_validate(body)
        detail = str(body.get("detail") or body.get("title") or code)
        return Refusal(RESOLUTION_REASONS.get(str(body.get("code")), "VersionNotFound"), detail)

    async def _call(
        self,
        method: str,
        path: str,
        body: Any = None,
        params: dict[str, str] | None = None,
        expected: tuple[int, ...] = (),
    ) -> tuple[int, Any]:
        """One exchange. Any status below 300 or in `expected` is an answer."""
        try:
            async with self._open().request(method, f"{self._url}/{path}", json=body, params=params) as answer:
                content = await answer.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise StoreUnavailableError(
                f"the control plane does not answer ({error or type(error).__name__})"
            ) from error
        if answer.status >= 300 and answer.status not in expected:
            text = content[:300].decode(errors="replace")
            raise StoreUnavailableError(f"{method} {path} answered {answer.status}: {text}")
        try:
            return answer.status, orjson.loads(content) if content else {}
        except orjson.JSONDecodeError as error:
            raise StoreUnavailableError(f"{method} {path} answered something that is not JSON") from error

    def _open(self) -> aiohttp.ClientSession:
        assert self._session is not None, "entered"
        return self._session
