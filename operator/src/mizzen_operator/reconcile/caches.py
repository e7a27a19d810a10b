"""What is on the API server, as passes see it? Pictures kept by watches; a pass asks these and never the server."""

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Final

import structlog
from mizzen_crds.v1alpha1 import labels
from mizzen_crds.v1alpha1.accelerator_class import AcceleratorClass
from mizzen_crds.v1alpha1.model_deployment import ModelDeployment
from mizzen_crds.v1alpha1.serving_runtime import ServingRuntime
from mizzen_kube import resources
from mizzen_kube.api import Api, Selection
from mizzen_kube.kept import Change, Key
from mizzen_kube.packed import Packed, Packing
from mizzen_kube.reflector import Reflector
from mizzen_kube.resources import Resource

from mizzen_operator.kinds.accelerator_class.nodes import Live
from mizzen_operator.kinds.model_deployment.pod import MANAGER
from mizzen_operator.observation import Refusal
from mizzen_operator.observing.namespace_view import NamespaceView, namespace_view
from mizzen_operator.observing.node_view import QuotaView, claim_view, node_view, quota_view
from mizzen_operator.observing.pod_view import PodView, pod_view
from mizzen_operator.observing.room import Share, room_for
from mizzen_operator.reading import Model, UnreadableError, read_object
from mizzen_operator.reconcile.primaries import Primaries
from mizzen_operator.reconcile.writes import ChildId
from mizzen_operator.rollout.fleet import Capacity
from mizzen_operator.runtimes.builtin import builtin_runtimes

Manifest = dict[str, Any]
CHILD_KINDS: Final[tuple[Resource, ...]] = (
    resources.CONTROLLER_REVISIONS,
    resources.DEPLOYMENTS,
    resources.LEADER_WORKER_SETS,
    resources.SERVICES,
    resources.NETWORK_POLICIES,
    resources.DISRUPTION_BUDGETS,
)
OURS: Final = Selection(label_selector=f"{labels.MANAGED_BY}={MANAGER}")
KeptPod = tuple[PodView | None, Live | None]
"""A pod of ours, and what it holds of devices."""
Hear = Callable[[Resource, Change], None]
"""Whoever else wants to know of a change."""
log = structlog.get_logger()


class Caches:
    """Every picture, and what wakes a deployment. `wake(key)` is called for each deployment to look at again."""

    def __init__(self, api: Api, wake: Callable[[Key], None], pod_gone: Callable[[Key], None]) -> None:
        """`pod_gone` hears of each engine pod that is there no more."""
        self._wake = wake
        self._pod_gone = pod_gone
        self.also: list[Hear] = []
        """Told of classes, nodes, namespaces, pods that hold devices, and children, after the picture has them."""
        self.share_of: Callable[[Key], Share | None] = lambda _: None
        """The project of a deployment, with what its pods hold; None where no Project has the namespace."""
        self.place_refusal: Callable[[ModelDeployment], Refusal | None] = lambda _: None
        """Why a deployment may not begin by its project's quota of their number; None where it may."""
        self.queue_of: Callable[[str], str] = lambda _: ""
        """Kueue's LocalQueue of the project that has a namespace; empty where it has none."""
        self.has_project: Callable[[str], bool] = lambda _: True
        """Whether some Project names the namespace, or is named by its label."""
        self.granted: dict[Key, tuple[str, int]] = {}
        """By deployment: its class, and accelerators that it was granted and no pod holds yet."""
        self.primaries = Primaries(self.project_of)
        self._runtimes: dict[str, ServingRuntime] = {}
        self._generations: dict[str, int] = {}
        self._classes: Reflector[AcceleratorClass | None] = Reflector(
            api, resources.ACCELERATOR_CLASSES, keep=readable(AcceleratorClass), on_change=self._class_changed
        )
        self.children = {kind.kind: self._ours(api, kind) for kind in CHILD_KINDS}
        # All pods of the cluster: what others hold is not free. Of those that are neither nor, nothing is kept.
        self.pods: Reflector[KeptPod] = Reflector(
            api, resources.PODS, keep=kept_pod, on_change=self._pod_changed, owners=pod_owner
        )
        self.nodes: Reflector[Live] = Reflector(
            api, resources.NODES, keep=node_view, on_change=lambda change: self._tell(resources.NODES, change)
        )
        self.quotas: Reflector[QuotaView] = Reflector(
            api, resources.RESOURCE_QUOTAS, keep=quota_view, owners=namespace_of
        )
        self.namespaces: Reflector[NamespaceView] = Reflector(
            api,
            resources.NAMESPACES,
            Selection(metadata_only=True),
            keep=namespace_view,
            on_change=lambda change: self._tell(resources.NAMESPACES, change),
        )
        self.learners: dict[str, Reflector[Any]] = {**self.children, "Namespace": self.namespaces}
        """By kind: the picture that takes what the server answers to a write."""

    def _ours(self, api: Api, kind: Resource) -> Reflector[Packed]:
        def changed(change: Change) -> None:
            self._child_changed(change)
            self._tell(kind, change)

        return Reflector(api, kind, OURS, keep=Packing(), on_change=changed)

    def _tell(self, kind: Resource, change: Change) -> None:
        for hear in self.also:
            hear(kind, change)

    @property
    def reflectors(self) -> Mapping[str, Reflector[Any]]:
        """Every picture by the plural of its kind."""
        every: Iterable[tuple[str, Reflector[Any]]] = (
            *((kind.plural, self.children[kind.kind]) for kind in CHILD_KINDS),
            ("pods", self.pods),
            ("nodes", self.nodes),
            ("resourcequotas", self.quotas),
            ("namespaces", self.namespaces),
            ("acceleratorclasses", self._classes),
        )
        return dict(every)

    # Read

    def children_of(self, deployment: ModelDeployment, wanted: Iterable[ChildId] = ()) -> list[Manifest]:
        """Return the children of this very object, and whatever else of Mizzen's has a wanted name."""
        uid, namespace = deployment.metadata.uid, deployment.metadata.namespace
        found = [one.manifest for kind in self.children.values() for one in kind.by_owner(uid)]
        known = {(one["kind"], one["metadata"]["name"]) for one in found}
        for kind, name in wanted:
            other = self.children[kind].get(namespace, name) if (kind, name) not in known else None
            if other is not None:
                found.append(other.manifest)
        return found

    def pods_of(self, key: Key) -> list[PodView]:
        """Return the pods of a deployment."""
        return [view for view, _ in self.pods.by_owner("/".join(key)) if view is not None]

    def runtimes(self) -> dict[str, ServingRuntime]:
        """Return all runtimes by name; an object of the cluster wins over the built-in one of its name."""
        return builtin_runtimes() | self._runtimes

    def namespace_ends(self, namespace: str) -> bool:
        """Whether the namespace is being deleted, so that nothing can be made in it."""
        view = self.namespaces.get("", namespace)
        return view is not None and view.deletion_timestamp != ""

    def project_of(self, namespace: str) -> str:
        """Return the project that the namespace belongs to: by its label, else the one of the namespace's name."""
        view = self.namespaces.get("", namespace)
        return (view.project if view else "") or namespace

    def cordoned(self) -> frozenset[str]:
        """Return the nodes that take no new pods."""
        return frozenset(node["metadata"]["name"] for node in self.nodes.values() if node["spec"]["unschedulable"])

    def classes(self) -> Mapping[str, AcceleratorClass]:
        """Return all accelerator classes by name."""
        return {name: one for (_, name), one in self._classes.items() if one is not None}

    def class_keys(self) -> list[Key]:
        """Return the keys of all accelerator classes."""
        return list(self._classes.keys())

    def capacity(self, deployment: ModelDeployment) -> Capacity:
        """Return what is left for more replicas."""
        if deployment.spec.resources.accelerators_per_pod == 0:
            return Capacity()
        quotas = self.quotas.by_owner(deployment.metadata.namespace)
        share = self.share_of((deployment.metadata.namespace, deployment.metadata.name))
        return room_for(deployment, self.classes(), self.nodes.values(), self.claims(), quotas, share)

    def claims(self) -> list[Live]:
        """Return what pods of the whole cluster hold of devices."""
        return [claim for _, claim in self.pods.values() if claim is not None]

    # Learn

    def learn(self, manifest: Manifest) -> None:
        """Take what the server answered to a write."""
        if (reflector := self.learners.get(manifest["kind"])) is not None:
            reflector.learn(manifest)

    def writing(self, manifest: Manifest) -> AbstractContextManager[None]:
        """While a child is being written: what its watch tells waits, and the own write wakes nobody."""
        metadata, reflector = manifest["metadata"], self.learners.get(manifest["kind"])
        if reflector is None:
            return nullcontext()
        return reflector.writing((metadata.get("namespace", ""), metadata["name"]))

    def learn_class(self, manifest: Manifest) -> None:
        """Take what the server answered to the write of a class's status."""
        self._classes.learn(manifest)

    def runtime_changed(self, manifest: Manifest, gone: bool) -> None:
        """A ServingRuntime changed: every deployment may render otherwise, or be refused no longer."""
        name = manifest["metadata"]["name"]
        self._runtimes.pop(name, None)
        if not gone:
            try:
                self._runtimes[name] = read_object(ServingRuntime, manifest)
            except UnreadableError as error:
                log.warning("runtime cannot be read", runtime=name, error=str(error))
        self.wake_all()

    def _class_changed(self, change: Change) -> None:
        """An AcceleratorClass changed: what fits, and where, may be otherwise. Its status alone changes nothing."""
        generation = change.manifest["metadata"].get("generation", 0) if change.manifest else 0
        before = self._generations.pop(change.uid, None)
        if change.type != "DELETED":
            self._generations[change.uid] = generation
        if change.type == "DELETED" or before != generation:
            self.wake_all()
        self._tell(resources.ACCELERATOR_CLASSES, change)

    def wake_all(self) -> None:
        """Look at every deployment again."""
        for key in list(self.primaries.keys()):
            self._wake(key)

    def _child_changed(self, change: Change) -> None:
        keys = {key for uid in change.owners if (key := self.primaries.key_of(uid))}
        if change.manifest is not None:
            name = (change.manifest["metadata"].get("labels") or {}).get(labels.DEPLOYMENT)
            keys |= {(change.key[0], name)} if name else set()
        for key in keys:
            self._wake(key)

    def wake_namespace(self, namespace: str) -> None:
        """Look at every deployment of a namespace again."""
        for key in list(self.primaries.keys()):
            if key[0] == namespace:
                self._wake(key)

    def _pod_changed(self, change: Change) -> None:
        if change.type == "DELETED":
            self._pod_gone(change.key)
        for owner in change.owners:
            namespace, _, name = owner.partition("/")
            self._wake((namespace, name))
        kept = self.pods.get(*change.key)
        if kept is None or kept[1] is not None:
            self._tell(resources.PODS, change)


def kept_pod(pod: Manifest) -> KeptPod:
    """Return what is kept of a pod of the cluster."""
    mine = labels.DEPLOYMENT in (pod["metadata"].get("labels") or {})
    return pod_view(pod) if mine else None, claim_view(pod)


def pod_owner(pod: Manifest) -> Iterable[str]:
    """Return under which name the pods of a deployment are found: <namespace>/<deployment>."""
    metadata = pod["metadata"]
    name = (metadata.get("labels") or {}).get(labels.DEPLOYMENT)
    return (f"{metadata['namespace']}/{name}",) if name else ()


def namespace_of(manifest: Manifest) -> Iterable[str]:
    """Return under which name the quotas of a namespace are found."""
    return (manifest["metadata"]["namespace"],)


def readable(model: type[Model]) -> Callable[[Manifest], Model | None]:
    """Return what keeps an object as its type; None of one that this release cannot read, which is logged."""

    def read(manifest: Manifest) -> Model | None:
        try:
            return read_object(model, manifest)
        except UnreadableError as error:
            log.warning("object cannot be read", kind=model.__name__, name=manifest["metadata"]["name"], why=str(error))
            return None

    return read
