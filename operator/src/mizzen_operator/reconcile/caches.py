"""What is on the API server, as passes see it? Pictures kept by watches; a pass asks these and never the server."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import structlog
from mizzen_crds.v1alpha1 import labels
from mizzen_crds.v1alpha1.accelerator_class import AcceleratorClass
from mizzen_crds.v1alpha1.model_deployment import ModelDeployment
from mizzen_crds.v1alpha1.serving_runtime import ServingRuntime
from mizzen_kube import resources
from mizzen_kube.api import Api, Selection
from mizzen_kube.kept import Change, Key
from mizzen_kube.packed import Packing
from mizzen_kube.reflector import Reflector
from mizzen_kube.resources import Resource

from mizzen_operator.kinds.accelerator_class.nodes import Live
from mizzen_operator.kinds.model_deployment.pod import MANAGER
from mizzen_operator.observing.node_view import claim_view, node_view, quota_view
from mizzen_operator.observing.pod_view import PodView, pod_view
from mizzen_operator.observing.room import room_for
from mizzen_operator.reading import UnreadableError, read_object
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
TERMINATING: Final = "Terminating"
KeptPod = tuple[PodView | None, Live | None]
"""A pod of ours, and what it holds of devices."""
log = structlog.get_logger()


class Caches:
    """Every picture, and what wakes a deployment. `wake(key)` is called for each deployment to look at again."""

    def __init__(self, api: Api, wake: Callable[[Key], None], pod_gone: Callable[[Key], None]) -> None:
        """`pod_gone` hears of each engine pod that is there no more."""
        self._wake = wake
        self._pod_gone = pod_gone
        self.primaries = Primaries()
        self._runtimes: dict[str, ServingRuntime] = {}
        self._classes: dict[str, AcceleratorClass] = {}
        self.children = {
            kind.kind: Reflector(api, kind, OURS, keep=Packing(), on_change=self._child_changed) for kind in CHILD_KINDS
        }
        # All pods of the cluster: what others hold is not free. Of those that are neither nor, nothing is kept.
        self.pods: Reflector[KeptPod] = Reflector(
            api, resources.PODS, keep=kept_pod, on_change=self._pod_changed, owners=pod_owner
        )
        self.nodes: Reflector[Live] = Reflector(api, resources.NODES, keep=node_view)
        self.quotas: Reflector[Mapping[str, int]] = Reflector(
            api, resources.RESOURCE_QUOTAS, keep=quota_view, owners=namespace_of
        )
        self.namespaces: Reflector[Mapping[str, str]] = Reflector(
            api, resources.NAMESPACES, Selection(metadata_only=True), keep=namespace_facts
        )

    @property
    def reflectors(self) -> Mapping[str, Reflector[Any]]:
        """Every picture by the plural of its kind."""
        every: Iterable[tuple[str, Reflector[Any]]] = (
            *((kind.plural, self.children[kind.kind]) for kind in CHILD_KINDS),
            ("pods", self.pods),
            ("nodes", self.nodes),
            ("resourcequotas", self.quotas),
            ("namespaces", self.namespaces),
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
        return (self.namespaces.get("", namespace) or {}).get(TERMINATING, "") != ""

    def project_of(self, namespace: str) -> str:
        """Return the project that the namespace belongs to: by its label, else the one of the namespace's name."""
        return (self.namespaces.get("", namespace) or {}).get(labels.PROJECT, "") or namespace

    def cordoned(self) -> frozenset[str]:
        """Return the nodes that take no new pods."""
        return frozenset(node["metadata"]["name"] for node in self.nodes.values() if node["spec"]["unschedulable"])

    def classes(self) -> Mapping[str, AcceleratorClass]:
        """Return all accelerator classes by name."""
        return self._classes

    def capacity(self, deployment: ModelDeployment) -> Capacity:
        """Return what is left for more replicas."""
        if deployment.spec.resources.accelerators_per_pod == 0:
            return Capacity()
        claims = [claim for _, claim in self.pods.values() if claim is not None]
        quotas = self.quotas.by_owner(deployment.metadata.namespace)
        return room_for(deployment, self._classes, self.nodes.values(), claims, quotas)

    # Learn

    def learn(self, manifest: Manifest) -> None:
        """Take what the server answered to a write."""
        if (reflector := self.children.get(manifest["kind"])) is not None:
            reflector.learn(manifest)

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

    def class_changed(self, manifest: Manifest, gone: bool) -> None:
        """An AcceleratorClass changed: what fits, and where, may be otherwise."""
        name = manifest["metadata"]["name"]
        self._classes.pop(name, None)
        if not gone:
            try:
                self._classes[name] = read_object(AcceleratorClass, manifest)
            except UnreadableError as error:
                log.warning("accelerator class cannot be read", accelerator_class=name, error=str(error))
        self.wake_all()

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

    def _pod_changed(self, change: Change) -> None:
        if change.type == "DELETED":
            self._pod_gone(change.key)
        for owner in change.owners:
            namespace, _, name = owner.partition("/")
            self._wake((namespace, name))


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


def namespace_facts(namespace: Manifest) -> Mapping[str, str]:
    """Return the project's label, and whether the namespace is being deleted."""
    metadata = namespace["metadata"]
    project = (metadata.get("labels") or {}).get(labels.PROJECT, "")
    return {labels.PROJECT: project, TERMINATING: metadata.get("deletionTimestamp") or ""}
