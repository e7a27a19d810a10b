"""Which deployments are there, and where do their pods listen? In a cluster the API server's watches tell.

ModelDeployments say the names, the tenant and each revision's share of the traffic; EndpointSlices which pods are
ready; ServingRuntimes what protocol they speak. Whatever fails here, the last picture stays and is served from.
"""

import asyncio
from collections.abc import Iterable
from typing import Any, Final

import structlog
from mizzen_kube.api import Api, Selection, open_api
from mizzen_kube.backoff import Backoff
from mizzen_kube.environment import from_environment
from mizzen_kube.reflector import Change, Key, Reflector
from mizzen_kube.resources import ENDPOINT_SLICES, MODEL_DEPLOYMENTS, SERVING_RUNTIMES

from mizzen_gateway.discovery import kubernetes_views as views
from mizzen_gateway.discovery.known_objects import Id, KnownObjects

LONGEST_PAUSE_SECONDS: Final = 5.0
"""Between two tries to reach the API server."""
LOOK_SECONDS: Final = 0.25
"""Between two looks whether all kinds are there (again)."""

log = structlog.get_logger(__name__)


class KubernetesFeed:
    """Keeps the known objects as the API server has them."""

    def __init__(self, known: KnownObjects) -> None:
        """Nothing is asked before `run`."""
        self._known = known

    async def run(self) -> None:
        """Follow the API server until cancelled."""
        while True:
            try:
                async with open_api(await from_environment()) as api:
                    await _Picture(api, self._known).run()
            except OSError as error:  # no token yet, no authority: the kubelet is late
                log.warning("no way to the API server", error=str(error)[:200])
            await asyncio.sleep(LONGEST_PAUSE_SECONDS)


class _Picture:
    """Three kinds, put together."""

    def __init__(self, api: Api, known: KnownObjects) -> None:
        self._known = known
        self._whole = False
        self._deployments: Reflector[dict[str, Any]] = Reflector(
            api,
            MODEL_DEPLOYMENTS,
            keep=views.deployment_document,
            on_change=self._deployment_changed,
            backoff=_backoff(),
        )
        self._slices: Reflector[views.Slice] = Reflector(
            api,
            ENDPOINT_SLICES,
            Selection(label_selector=views.SLICES),
            keep=views.slice_of,
            owners=views.deployment_of_slice,
            on_change=self._slice_changed,
            backoff=_backoff(),
        )
        self._runtimes: Reflector[str] = Reflector(
            api, SERVING_RUNTIMES, keep=_protocol, on_change=self._runtime_changed, backoff=_backoff()
        )

    @property
    def _reflectors(self) -> tuple[Reflector[Any], ...]:
        return self._deployments, self._slices, self._runtimes

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            for reflector in self._reflectors:
                tasks.create_task(reflector.run())
            tasks.create_task(self._make_whole())

    async def _make_whole(self) -> None:
        """Put everything, once all kinds are listed: half a picture would take deployments away that are there."""
        for reflector in self._reflectors:
            await reflector.synced.wait()
        while True:
            if not self._whole and not self._any_absent:
                self._put_all()
                self._whole = True
            await asyncio.sleep(LOOK_SECONDS)

    @property
    def _any_absent(self) -> bool:
        """A kind that the server does not know (its API is being served again, or taken away) is no news of objects."""
        return any(reflector.absent for reflector in self._reflectors)

    def _deployment_changed(self, change: Change) -> None:
        self._changed([change.key])

    def _slice_changed(self, change: Change) -> None:
        self._changed(_key(owner) for owner in change.owners)

    def _runtime_changed(self, change: Change) -> None:
        _, name = change.key
        self._changed([key for key, document in self._deployments.items() if views.runtime_name(document) == name])

    def _changed(self, keys: Iterable[Key]) -> None:
        self._whole = self._whole and not self._any_absent
        if self._whole:
            for key in keys:
                self._put(key)

    def _put_all(self) -> None:
        listed: set[Id] = set()
        for key in list(self._deployments.keys()):
            listed |= self._put(key)
        self._known.whole(listed)

    def _put(self, key: Key) -> set[Id]:
        """Put one deployment as it is now; those of its objects that are there."""
        document = self._deployments.get(*key)
        deployment, endpoints = ("ModelDeployment", *key), ("EndpointSet", *key)
        # Whose it is, the operator says, and nobody else: until then it serves no one.
        if document is None or not document["status"].get("project"):
            self._known.drop(endpoints)
            self._known.drop(deployment)
            return set()
        self._known.put(document)
        protocol = self._runtimes.get("", views.runtime_name(document))
        made = views.endpoint_set_document(document, protocol, self._slices.by_owner("/".join(key)))
        if made is not None:
            self._known.put(made)
        return {deployment, endpoints}


def _key(owner: str) -> Key:
    namespace, _, name = owner.partition("/")
    return namespace, name


def _protocol(manifest: dict[str, Any]) -> str:
    return str((manifest.get("spec") or {}).get("protocol", ""))


def _backoff() -> Backoff:
    return Backoff(longest=LONGEST_PAUSE_SECONDS)
