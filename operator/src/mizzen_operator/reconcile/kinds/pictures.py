"""What is there of Projects and ModelRoutes, and what wakes them? Pictures kept by watches, beside those of `Caches`.

What a class or a project counts (nodes, devices of pods) changes often, so their passes come at most once a second.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from mizzen_crds.v1alpha1 import labels
from mizzen_crds.v1alpha1.accelerator_class import AcceleratorClass
from mizzen_crds.v1alpha1.model_deployment import ModelDeployment
from mizzen_crds.v1alpha1.model_route import ModelRoute
from mizzen_crds.v1alpha1.project import Project
from mizzen_kube import resources
from mizzen_kube.api import Api
from mizzen_kube.kept import Change, Key
from mizzen_kube.packed import Packed, Packing
from mizzen_kube.reflector import Reflector
from mizzen_kube.resources import Resource

from mizzen_operator.kinds.accelerator_class.capacity import used_in_namespaces
from mizzen_operator.kinds.project.claims import owners
from mizzen_operator.kinds.project.places import place_refusal, standing
from mizzen_operator.kinds.project.quota import is_queued
from mizzen_operator.observation import Refusal
from mizzen_operator.observing.room import Share
from mizzen_operator.reconcile.caches import OURS, Caches, readable
from mizzen_operator.reconcile.kinds.targets import backend_targets, claimed_namespaces
from mizzen_operator.reconcile.primaries import served_by

Manifest = dict[str, Any]
KindKey = tuple[str, str, str]
"""Namespace, empty for a kind without, name and kind."""
PROJECT: Final = "Project"
ROUTE: Final = "ModelRoute"
CLASS: Final = "AcceleratorClass"
OWNED: Final = (resources.RESOURCE_QUOTAS, resources.LOCAL_QUEUES, resources.ROLE_BINDINGS)
COUNT_SECONDS: Final = 1.0


class Pictures:
    """Every Project and ModelRoute, and the objects of Projects. `wake(key)` is called for each to look at again."""

    def __init__(self, api: Api, caches: Caches, wake: Callable[[KindKey], None]) -> None:
        self._caches = caches
        self._wake = wake
        self._generations: dict[str, int] = {}
        self._used: Mapping[tuple[str, str], int] | None = None
        self._due: dict[KindKey, None] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._heard: dict[Key, tuple[object, ...]] = {}
        self._labelled: dict[str, str] = {}
        self.projects: Reflector[Project | None] = Reflector(
            api,
            resources.PROJECTS,
            keep=readable(Project),
            on_change=self._project_changed,
            owners=claimed_namespaces,
        )
        self.routes: Reflector[ModelRoute | None] = Reflector(
            api,
            resources.MODEL_ROUTES,
            keep=readable(ModelRoute),
            on_change=self._route_changed,
            owners=backend_targets,
        )
        self.owned: dict[str, Reflector[Packed]] = {
            kind.kind: Reflector(
                api, kind, OURS, keep=Packing(), on_change=self._owned_changed, on_known=self._wake_projects
            )
            for kind in OWNED
        }
        caches.learners |= self.owned
        caches.also.append(self._hear)
        caches.primaries.heard = self._deployment_changed
        caches.share_of = self.share_of
        caches.place_refusal = self.place_refusal
        caches.queue_of = self.queue_of
        caches.has_project = self.has_project

    @property
    def reflectors(self) -> Mapping[str, Reflector[Any]]:
        """Every picture by the plural of its kind."""
        owned = {f"{kind.plural} of projects": self.owned[kind.kind] for kind in OWNED}
        return {"projects": self.projects, "modelroutes": self.routes, **owned}

    # Read

    @property
    def kueue(self) -> str:
        """apiVersion of Kueue's LocalQueue; empty while the cluster does not know that kind."""
        return "" if self.owned["LocalQueue"].absent else resources.LOCAL_QUEUES.api_version

    def find(self, key: KindKey) -> Project | ModelRoute | AcceleratorClass | None:
        """Return the object of a key; None where there is none, or it cannot be read."""
        namespace, name, kind = key
        if kind == CLASS:
            return self._caches.classes().get(name)
        return (self.projects if kind == PROJECT else self.routes).get(namespace, name)

    def every_project(self) -> list[Project]:
        """Return all projects that can be read."""
        return [one for one in self.projects.values() if one is not None]

    def objects_of(self, project: Project) -> list[Manifest]:
        """Return whatever belongs to a project in its namespaces, and in those that left its spec."""
        kinds = (*self.owned.values(), self._caches.children["NetworkPolicy"])
        return [one.manifest for kind in kinds for one in kind.by_owner(project.metadata.uid)]

    def used(self, namespaces: Iterable[str]) -> dict[str, int]:
        """Return accelerators of each class that pods of these namespaces hold."""
        classes = self._caches.classes()
        if self._used is None:
            self._used = used_in_namespaces(list(classes.values()), self._caches.nodes.values(), self._caches.claims())
        listed = list(namespaces)
        return {name: sum(self._used.get((place, name), 0) for place in listed) for name in classes}

    def share_of(self, key: Key) -> Share | None:
        """Return the project of a deployment, with what pods hold over all of its namespaces; None with Kueue.

        What other deployments were granted, and whose pods are not there yet, counts as held.
        """
        having = self._having(key[0])
        if having is None:
            return None
        project, places = having
        if not project.spec.quota.accelerators or is_queued(project, self.kueue):
            return None
        used = self.used(places)
        for other, (klass, accelerators) in self._caches.granted.items():
            if other != key and other[0] in places:
                used[klass] = used.get(klass, 0) + accelerators
        return Share(project, used)

    def place_refusal(self, deployment: ModelDeployment) -> Refusal | None:
        """Return why the deployment may not begin by the project's quota of their number; None where it may."""
        having = self._having(deployment.metadata.namespace)
        if having is None or having[0].spec.quota.deployments is None or deployment.status.revisions:
            return None
        project, places = having
        keys = self._deployments_in(places)
        if len(keys) <= (project.spec.quota.deployments or 0):
            return None  # seen without reading any
        found = (self._caches.primaries.get(key) for key in keys)
        standings = [standing(one) for one in found if one is not None]
        mine = next((one for one in standings if one.uid == deployment.metadata.uid), None)
        return place_refusal(project, mine, standings) if mine is not None else None

    def deployments_of(self, project: Project) -> int:
        """Return how many ModelDeployments the project has, over all namespaces that it has."""
        held = owners(self.every_project())
        mine = [name for name, one in held.items() if one.metadata.uid == project.metadata.uid]
        return len(self._deployments_in(mine))

    def _having(self, namespace: str) -> tuple[Project, list[str]] | None:
        """Return the project that has a namespace, with all namespaces that it has; None where there is none."""
        if not self.projects.by_owner(namespace):
            return None
        held = owners(self.every_project())
        project = held.get(namespace)
        return None if project is None else (project, [name for name, one in held.items() if one is project])

    def _deployments_in(self, namespaces: Iterable[str]) -> list[Key]:
        places = set(namespaces)
        return [key for key in list(self._caches.primaries.keys()) if key[0] in places]

    def queue_of(self, namespace: str) -> str:
        """Return the LocalQueue of the project that has the namespace; empty where it has none."""
        claiming = self.projects.by_owner(namespace)
        if not any(one is not None and one.spec.queue is not None for one in claiming):
            return ""
        project = owners(self.every_project()).get(namespace)
        return project.spec.queue.local_queue if project is not None and project.spec.queue is not None else ""

    def has_project(self, namespace: str) -> bool:
        """Whether some Project names the namespace, or is named by its label."""
        named = self._caches.project_of(namespace)
        return any(self.projects.by_owner(namespace)) or any(one.metadata.name == named for one in self.every_project())

    def keys(self) -> list[KindKey]:
        """Return the keys of all three kinds."""
        every: Iterable[tuple[str, Iterable[Key]]] = (
            (PROJECT, self.projects.keys()),
            (ROUTE, self.routes.keys()),
            (CLASS, self._caches.class_keys()),
        )
        return [(*key, kind) for kind, keys in every for key in keys]

    def __contains__(self, key: KindKey) -> bool:
        place = key[:2]
        if key[2] == CLASS:
            return place in self._caches.class_keys()
        picture: Reflector[Any] = self.projects if key[2] == PROJECT else self.routes
        return picture.version(place) != ""

    # Learn

    def learn(self, manifest: Manifest) -> None:
        """Take what the server answered to the write of a status."""
        kind, metadata = manifest["kind"], manifest["metadata"]
        if kind == ROUTE:
            self.routes.learn(manifest)
            self._wake_naming(metadata["namespace"], metadata["name"])
        elif kind == PROJECT:
            self.projects.learn(manifest)
        else:
            self._caches.learn_class(manifest)

    def namespace_moved(self, namespace: str) -> None:
        """A namespace belongs to another project now, or to none."""
        view = self._caches.namespaces.get("", namespace)
        self._labelled[namespace] = view.project if view else ""
        self._caches.wake_namespace(namespace)
        for key in list(self.routes.keys()):
            if key[0] == namespace:
                self._soon((*key, ROUTE))

    # What watches tell

    def _project_changed(self, change: Change) -> None:
        self._wake((*change.key, PROJECT))
        if not self._spec_changed(change):
            return
        self._wake_projects()  # who has a namespace may have changed
        for namespace in change.owners:
            self._caches.wake_namespace(namespace)  # and what its quota leaves

    def _route_changed(self, change: Change) -> None:
        namespace, name = change.key
        self._wake((*change.key, ROUTE))
        self._wake_naming(namespace, name)
        if self._spec_changed(change):
            for target in (*(one for one in change.owners if one.startswith("name/")), f"chained/{namespace}"):
                self._wake_by(target)

    def _owned_changed(self, change: Change) -> None:
        self._wake_owners(change)

    def _hear(self, kind: Resource, change: Change) -> None:
        if kind is resources.NAMESPACES:
            self._namespace_changed(change)
        elif kind is resources.NETWORK_POLICIES:
            self._wake_owners(change)
        elif kind in (resources.NODES, resources.PODS, resources.ACCELERATOR_CLASSES):
            self._count_again(kind, change)

    def _wake_owners(self, change: Change) -> None:
        named = (change.manifest or {}).get("metadata", {}).get("labels") or {}
        if (name := named.get(labels.PROJECT)) and labels.DEPLOYMENT not in named:
            self._wake(("", name, PROJECT))
        for uid in change.owners:
            for project in self.every_project() if uid in self._generations else ():
                if project.metadata.uid == uid:
                    self._wake(("", project.metadata.name, PROJECT))

    def _namespace_changed(self, change: Change) -> None:
        namespace = change.key[1]
        for project in self.projects.by_owner(namespace):
            if project is not None:
                self._wake(("", project.metadata.name, PROJECT))
        before = self._labelled.get(namespace, "")
        view = self._caches.namespaces.get("", namespace)
        now = view.project if view else ""
        if before:
            self._wake(("", before, PROJECT))
        if now != before:
            self._labelled[namespace] = now
            if now:
                self._wake(("", now, PROJECT))
            self.namespace_moved(namespace)

    def _count_again(self, kind: Resource, change: Change) -> None:
        self._used = None
        if kind is resources.ACCELERATOR_CLASSES and not self._spec_changed(change):
            return
        for key in self._caches.class_keys():
            self._soon((*key, CLASS))
        for project in self.every_project():
            if project.spec.quota.accelerators:
                self._soon(("", project.metadata.name, PROJECT))

    def _deployment_changed(self, key: Key, manifest: Manifest | None) -> None:
        """A deployment came, changed or went; routes ask whether it is there and ready, its names and who may call."""
        said, before = heard_of(manifest), self._heard.get(key)
        if said == before:
            return
        if said is None:
            self._heard.pop(key, None)
            self._caches.granted.pop(key, None)
        else:
            self._heard[key] = said
        namespace, name = key
        if said is None or before is None:
            self._number_changed(namespace, gone=said is None)
        self._wake_by(f"deployment/{namespace}/{name}")
        project = self._caches.project_of(namespace)
        for names in (said, before):
            for served in names[1:] if names else ():
                self._wake_by(f"model/{project}/{served}")
                self._wake_by(f"name/{served}")

    def _number_changed(self, namespace: str, *, gone: bool) -> None:
        """A project has one deployment more or less: where that is bounded, one that waits may begin."""
        having = self._having(namespace)
        if having is None or having[0].spec.quota.deployments is None:
            return
        project, places = having
        self._soon(("", project.metadata.name, PROJECT))
        for place in places if gone else ():
            self._caches.wake_namespace(place)

    # Wake

    def wake_all(self) -> None:
        """Look at everything again."""
        for key in self.keys():
            self._wake(key)

    def _wake_projects(self) -> None:
        for key in list(self.projects.keys()):
            self._wake((*key, PROJECT))

    def _wake_naming(self, namespace: str, name: str) -> None:
        self._wake_by(f"route/{namespace}/{name}")

    def _wake_by(self, target: str) -> None:
        for route in self.routes.by_owner(target):
            if route is not None:
                self._soon((route.metadata.namespace, route.metadata.name, ROUTE))

    def _soon(self, key: KindKey) -> None:
        """Within a second, once for all that happens until then."""
        self._due[key] = None
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(COUNT_SECONDS, self._now)

    def _now(self) -> None:
        due, self._due, self._timer = self._due, {}, None
        for key in due:
            self._wake(key)

    def _spec_changed(self, change: Change) -> bool:
        """Whether more than the status did; each change is to be asked about once."""
        before = self._generations.pop(change.uid, None)
        if change.type == "DELETED" or change.manifest is None:
            return True
        metadata = change.manifest["metadata"]
        now = self._generations[change.uid] = int(metadata.get("generation", 0))
        return now != before or "deletionTimestamp" in metadata


def heard_of(manifest: Manifest | None) -> tuple[object, ...] | None:
    """Return what routes ask of a deployment, its served names last; None where there is none."""
    if manifest is None:
        return None
    spec = manifest.get("spec") or {}
    said = (manifest.get("status") or {}).get("conditions") or ()
    ready = any(one.get("type") == "Ready" and one.get("status") == "True" for one in said)
    access = spec.get("access") or {}
    facts = (ready, access.get("visibility"), tuple(access.get("allowedProjects") or ()))
    return (facts, *served_by(manifest))
