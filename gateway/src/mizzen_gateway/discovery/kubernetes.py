"""Which deployments are there, and where do their pods listen? In a cluster the API server's watches tell.

ModelDeployments say the names, the tenant and each revision's share of the traffic; EndpointSlices which pods are
ready; ServingRuntimes what protocol they speak; ModelRoutes what other names lead to several deployments. Whatever
fails here, the last picture stays and is served from.
"""

import asyncio
from collections.abc import Iterable
from typing import Any, Final

import structlog
from mizzen_kube.api import Api, Selection, open_api
from mizzen_kube.backoff import Backoff
from mizzen_kube.environment import from_environment
from mizzen_kube.reflector import Change, Key, Reflector
from mizzen_kube.resources import ENDPOINT_SLICES, MODEL_DEPLOYMENTS, MODEL_ROUTES, SERVING_RUNTIMES

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
    """Four kinds, put together."""

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
        self._routes: Reflector[dict[str, Any]] = Reflector(
            api, MODEL_ROUTES, keep=views.route_document, on_change=self._route_changed, backoff=_backoff()
        )

    @property
    def _reflectors(self) -> tuple[Reflector[Any], ...]:
        return self._deployments, self._slices, self._runtimes, self._routes

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

    def _route_changed(self, change: Change) -> None:
        if self._still_whole():
            self._put_route(change.key)

    def _changed(self, keys: Iterable[Key]) -> None:
        if self._still_whole():
            for key in keys:
                self._put(key)

    def _still_whole(self) -> bool:
        self._whole = self._whole and not self._any_absent
        return self._whole

    def _put_all(self) -> None:
        listed: set[Id] = set()
        for key in list(self._deployments.keys()):
            listed |= self._put(key)
        for key in list(self._routes.keys()):
            listed |= self._put_route(key)
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

    def _put_route(self, key: Key) -> set[Id]:
        """Put one route as it is now; one that was changed stays as it was until the operator has looked at it."""
        document, route = self._routes.get(*key), ("ModelRoute", *key)
        followed = views.is_followed(document) if document is not None else False
        if followed is False:
            self._known.drop(route)
            return set()
        if followed and document is not None:
            self._known.put(document)
        return {route}


def _key(owner: str) -> Key:
    namespace, _, name = owner.partition("/")
    return namespace, name


def _protocol(manifest: dict[str, Any]) -> str:
    return str((manifest.get("spec") or {}).get("protocol", ""))


def _backoff() -> Backoff:
    return Backoff(longest=LONGEST_PAUSE_SECONDS)
