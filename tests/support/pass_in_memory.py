"""Passes of the operator over one deployment, one at a time: its real parts, an API server and pods that are dicts.

For what depends on the moment between two passes, or needs a bug; whether a real server takes what is written here is
told by the tests on a cluster.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final, cast

from mizzen_crds.serving import GatewayLoad, RevisionLoad
from mizzen_crds.v1alpha1 import labels
from mizzen_crds.v1alpha1.model_deployment import ModelDeployment
from mizzen_kube.api import Api
from mizzen_operator.kinds.model_deployment.artifact import Artifact, artifact_of_uri
from mizzen_operator.kinds.model_deployment.environment import PlanEnvironment
from mizzen_operator.ledgers.load_ledger import LoadLedger
from mizzen_operator.ledgers.startup_ledger import StartupLedger
from mizzen_operator.reconcile.apply import Applier
from mizzen_operator.reconcile.caches import Caches
from mizzen_operator.reconcile.registry import Registry
from mizzen_operator.reconcile.run import Hands, run_pass
from mizzen_operator.reconcile.status_write import StatusWriter
from mizzen_operator.reconcile.telemetry import Telemetry
from support.deployments import NOON

Object = dict[str, Any]
NAMESPACE: Final = "default"
MOST_PASSES: Final = 50


class ObjectsInMemory:
    """The writes of an API server, without its rules: uids, resource versions, whole objects."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], Object] = {}
        """By kind and name; all in one namespace."""
        self._versions = iter(range(1, 1_000_000))

    def put(self, manifest: Object) -> Object:
        """Keep an object as it is now."""
        version = str(next(self._versions))
        metadata = {"uid": f"uid-{version}", **manifest["metadata"], "resourceVersion": version}
        metadata.setdefault("creationTimestamp", NOON.isoformat())
        whole = {**manifest, "metadata": metadata}
        self.kept[manifest["kind"], metadata["name"]] = whole
        return whole

    async def create(self, manifest: Object, **_: Any) -> Object:
        """POST."""
        return self.put(manifest)

    async def get(self, resource: Any, name: str, namespace: str) -> Object:
        """GET."""
        return self.kept[resource.kind, name]

    async def apply(self, manifest: Object, **_: Any) -> Object:
        """Server-side apply."""
        return self.put(manifest)

    async def json_patch(self, resource: Any, name: str, namespace: str, operations: Any, **_: Any) -> Object:
        """What is patched here (managedFields, marks of pods) is in nobody's way."""
        return self.kept.get((resource.kind, name), {})

    async def patch_status(self, manifest: Object, **_: Any) -> Object:
        """A merge patch of the status."""
        live = self.kept[manifest["kind"], manifest["metadata"]["name"]]
        return self.put({**live, "status": merged(live.get("status") or {}, manifest["status"])})


class NamedByUri:
    """Instead of a registry: models are named by their URIs."""

    async def resolve(self, deployment: ModelDeployment, _: str) -> Artifact:
        """What the URI says."""
        return artifact_of_uri(deployment.spec.model)


def merged(old: Object, patch: Object) -> Object:
    """RFC 7396."""
    whole = dict(old)
    for name, value in patch.items():
        if value is None:
            whole.pop(name, None)
        elif isinstance(value, dict):
            whole[name] = merged(whole[name] if isinstance(whole.get(name), dict) else {}, value)
        else:
            whole[name] = value
    return whole


@dataclass
class OneDeployment:
    """A deployment, the operator's parts and a kubelet whose pods are ready at once."""

    manifest: Object
    objects: ObjectsInMemory = field(default_factory=ObjectsInMemory)
    loads: LoadLedger = field(default_factory=LoadLedger)
    now: datetime = NOON
    _counters: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        api = cast(Api, self.objects)
        self.caches = Caches(api, lambda _: None, lambda _: None)
        self.hands = Hands(
            api=api,
            caches=self.caches,
            registry=cast(Registry, NamedByUri()),
            applier=Applier(api, self.caches),
            statuses=StatusWriter(api, self.caches.primaries, "", "operator-0"),
            startups=StartupLedger(),
            loads=self.loads,
            telemetry=Telemetry(),
            environment=PlanEnvironment("localhost/mizzen", "http://registry", "http://operator"),
            clock=lambda: self.now,
        )
        self.change(self.manifest["spec"])

    @property
    def name(self) -> str:
        """The deployment's name."""
        return str(self.manifest["metadata"]["name"])

    @property
    def live(self) -> Object:
        """The deployment as it is."""
        return self.objects.kept["ModelDeployment", self.name]

    @property
    def status(self) -> Object:
        """Its status."""
        found: Object = self.live.get("status") or {}
        return found

    def change(self, spec: Object) -> None:
        """A person writes another spec."""
        live = self.objects.kept.get(("ModelDeployment", self.name), self.manifest)
        generation = live["metadata"].get("generation", 0) + 1
        metadata = {**live["metadata"], "namespace": NAMESPACE, "generation": generation}
        self.caches.primaries.put(self.objects.put({**live, "metadata": metadata, "spec": spec}))

    def remove(self, kind: str, name: str) -> None:
        """Somebody deletes a child, and the watch tells of it."""
        gone = self.objects.kept.pop((kind, name))
        self.caches.children[kind]._remove(gone)

    def look(self) -> float | None:
        """One pass, a second later."""
        self.now += timedelta(seconds=1)
        return asyncio.run(run_pass((NAMESPACE, self.name), self.hands))

    def look_until(self, holds: Callable[[Object], object]) -> None:
        """Passes, the pods as they were told to be, until the status is so after a pass."""
        for _ in range(MOST_PASSES):
            self.look()
            if holds(self.status):
                return
            self._play_kubelet()
        raise AssertionError(f"not after {MOST_PASSES} passes: {self.status}")

    def saw(self, revision: str, requests: int) -> None:
        """A gateway reports so many more requests of a revision, a second after its last report."""
        self._report(revision, self._counters.get(revision, 0))
        total = self._counters[revision] = self._counters.get(revision, 0) + requests
        self._report(revision, total)

    def _report(self, revision: str, total: int) -> None:
        told = RevisionLoad(
            namespace=NAMESPACE,
            deployment=self.name,
            revision=revision,
            requests=total,
            errors=0,
            ttft_ms_sum=0.0,
            in_flight=0,
            parked=0,
        )
        self.loads.record(
            GatewayLoad(gateway="gateway-0", boot_id="first", sent_at=datetime.now(UTC), revisions=[told])
        )

    def _play_kubelet(self) -> None:
        for (kind, name), workload in self.objects.kept.copy().items():
            if kind != "Deployment":
                continue
            mine = [one for one in self.caches.pods_of((NAMESPACE, self.name)) if one.name.startswith(f"{name}-")]
            alive = [one.name for one in mine if not one.finished]
            wanted = workload["spec"]["replicas"]
            for each in alive[wanted:]:
                self._pod(each, workload, "Succeeded")
            for number in range(len(mine), len(mine) + wanted - len(alive)):
                self._pod(f"{name}-{number}", workload, "Running")

    def _pod(self, name: str, workload: Object, phase: str) -> None:
        running = "True" if phase == "Running" else "False"
        marks = {**workload["spec"]["template"]["metadata"]["labels"], "pod-template-hash": "6d8f"}
        owner = {"kind": "ReplicaSet", "name": f"{workload['metadata']['name']}-6d8f", "controller": True}
        when = self.now.isoformat()
        told = [{"type": one, "status": running, "lastTransitionTime": when} for one in ("PodScheduled", "Ready")]
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": name,
                "namespace": NAMESPACE,
                "labels": marks,
                "creationTimestamp": when,
                "ownerReferences": [owner],
            },
            "spec": {"nodeName": "node-0"},
            "status": {"phase": phase, "conditions": told},
        }
        assert marks[labels.DEPLOYMENT] == self.name
        self.caches.pods.learn(self.objects.put(pod))
