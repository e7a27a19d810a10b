"""What rollouts are tested with: a pool of accelerators for each test, changes of a deployment, what was ready when."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx
from mizzen_crds.serving import GatewayLoad, RevisionLoad
from support.cluster.changes import Changes
from support.cluster.cluster import Cluster, condition
from support.cluster.nodes import ACCELERATOR, Nodes
from support.cluster.objects import Object, Objects
from support.model_objects import looked_at, model, pods
from support.running_operator import NAMESPACE, RunningOperator

KIND = "ModelDeployment"
NAME = "chat"
POOL = "test.mizzen.dev/pool"
BEHAVES = "test.mizzen.dev/pod"
"""In podOverrides.labels: how the pods behave on the nodes."""
VERSION = "test.mizzen.dev/version"
"""In podOverrides.labels: another value is another revision."""
FIRST_WORDS = "INFO loading weights"
LAST_WORDS = "RuntimeError: the weights have another shape"
"""What an engine says that crashes."""
LONG = 60.0
"""Seconds that a rollout may take on a machine under load."""


def add_pool(cluster: Cluster, name: str, accelerators: int) -> str:
    """A node with so many accelerators, and a class of that name which is found on this node alone."""
    widen(cluster, name, accelerators)
    klass = {
        "apiVersion": "mizzen.dev/v1alpha1",
        "kind": "AcceleratorClass",
        "metadata": {"name": name},
        "spec": {"resourceName": ACCELERATOR, "memory": "80Gi", "nodeLabels": {POOL: name}},
    }
    cluster.objects.create(klass)
    return name


def widen(cluster: Cluster, pool: str, accelerators: int) -> None:
    """One more node for a pool."""
    taken = [one["metadata"]["name"] for one in cluster.objects.list("Node", labels=f"{POOL}={pool}")]
    cluster.add_nodes(Nodes(1, accelerators, prefix=f"{pool}-{len(taken)}", labels={POOL: pool}))


def chat(pool: str = "", version: str = "1", behaves: str = "", replicas: int = 4, **spec: Any) -> Object:
    """A ModelDeployment with one accelerator for each replica; none without a pool."""
    marks = {VERSION: version} | ({BEHAVES: behaves} if behaves else {})
    resources = {"resources": {"acceleratorClass": pool, "acceleratorsPerPod": 1}} if pool else {}
    return model(NAME, replicas=replicas, podOverrides={"labels": marks}, **resources, **spec)


def change(objects: Objects, version: str, behaves: str | None = None, **spec: Any) -> Object:
    """Ask for another revision; None as behaviour is the usual one."""
    marks = {VERSION: version, BEHAVES: behaves}
    return objects.merge(KIND, NAME, {"spec": {"podOverrides": {"labels": marks}, **spec}})


def annotate(objects: Objects, name: str, value: str) -> None:
    """Set an annotation of the deployment, as `kubectl annotate` does."""
    objects.merge(KIND, NAME, {"metadata": {"annotations": {name: value}}})


def wait(objects: Objects, holds: Callable[[Object], object], seconds: float = LONG) -> Object:
    """The deployment once it was looked at as it is now and `holds`."""
    return objects.wait(KIND, NAME, lambda one: looked_at(one) and holds(one), seconds)


def rolled_out(deployment: Object) -> bool:
    """The newest revision has all replicas ready, and nothing is on its way."""
    status = deployment.get("status", {})
    return (
        looked_at(deployment)
        and condition(deployment, "UpToDate").get("status") == "True"
        and condition(deployment, "Ready").get("status") == "True"
        and not condition(deployment, "Reconciling")
        and status.get("replicas", 0) == status.get("readyReplicas", 0) == status.get("desiredReplicas")
    )


def wait_rolled_out(objects: Objects, version: str = "", seconds: float = LONG) -> Object:
    """The deployment once it has settled, with pods of this version alone."""

    def holds(one: Object) -> bool:
        return rolled_out(one) and (not version or set(by_version(objects)) <= {version})

    return objects.wait(KIND, NAME, holds, seconds)


def by_version(objects: Objects) -> dict[str, list[Object]]:
    """Pods by version, those that go included."""
    found: dict[str, list[Object]] = {}
    for pod in pods(objects, NAME):
        found.setdefault(pod["metadata"]["labels"][VERSION], []).append(pod)
    return found


def uids(objects: Objects, version: str) -> set[str]:
    """Uids of a version's pods that stay."""
    return {one["metadata"]["uid"] for one in by_version(objects).get(version, ()) if stays(one)}


def stays(pod: Object) -> bool:
    """It is not on its way out."""
    return "deletionTimestamp" not in pod["metadata"]


def is_ready_pod(pod: Object) -> bool:
    """It takes requests and stays."""
    told = pod.get("status", {}).get("conditions") or ()
    return stays(pod) and any(one["type"] == "Ready" and one["status"] == "True" for one in told)


def hash_of(deployment: Object, state: str) -> str:
    """Hash of the one revision in that state."""
    found = [one["hash"] for one in deployment["status"]["revisions"] if one["state"] == state]
    assert len(found) == 1, deployment["status"]["revisions"]
    return str(found[0])


def hold(deployment: Object) -> Object:
    """Why the rollout waits; empty where it does not."""
    found: Object = deployment["status"].get("rollout", {}).get("hold") or {}
    return found


def waits_at(gate: str) -> Callable[[Object], bool]:
    """The rollout waits at that gate."""
    return lambda deployment: hold(deployment).get("gate") == gate


@dataclass(frozen=True)
class Moment:
    """What held between two changes of pods."""

    ready: int
    bound: int
    """Pods that hold a place on a node, those that go included."""
    pods: int


def moments(changes: Changes) -> list[Moment]:
    """Every moment, in order."""
    found = []
    for state in changes.states():
        every = list(state.values())
        bound = sum(bool(one["spec"].get("nodeName")) for one in every)
        found.append(Moment(sum(map(is_ready_pod, every)), bound, len(every)))
    return found


def traffic(changes: Changes) -> list[dict[str, int]]:
    """Every different division of requests that the deployment's status told, in order: percents by hash."""
    found: list[dict[str, int]] = []
    for state in changes.states():
        told = state[NAME].get("status", {}).get("revisions") or () if NAME in state else ()
        shares = {one["hash"]: one["trafficPercent"] for one in told if one.get("trafficPercent")}
        if shares and (not found or found[-1] != shares):
            found.append(shares)
    return found


class LoadSource:
    """Tells the operator what a gateway would have seen; its counters only rise."""

    def __init__(self, cluster: Cluster, running: RunningOperator, name: str = "gateway-0") -> None:
        self._running = running
        self._name = name
        self._token = gateway_token(cluster)
        self._counters: dict[tuple[str, str], list[float]] = {}

    def saw(self, objects: Objects, revision: str, requests: int, errors: int = 0, ttft_ms: float = 10.0) -> None:
        """Report, and a second later that so many more requests of a revision have ended."""
        counters = self._counters.setdefault((objects.namespace, revision), [0, 0, 0.0])
        self._send()
        for number, more in enumerate((requests, errors, requests * ttft_ms)):
            counters[number] += more
        self._send()

    def _send(self) -> None:
        load = GatewayLoad(
            gateway=self._name,
            boot_id="first",
            sent_at=datetime.now(UTC),
            revisions=[self._report(key, counters) for key, counters in self._counters.items()],
        )
        answer = httpx.post(
            f"{self._running.url}/v1/load",
            content=load.model_dump_json(),
            headers={"Authorization": f"Bearer {self._token}"},
            timeout=30.0,
            trust_env=False,
        )
        assert answer.status_code == 204, answer.text

    def _report(self, key: tuple[str, str], counters: Sequence[float]) -> RevisionLoad:
        requests, errors, ttft = counters
        return RevisionLoad(
            namespace=key[0],
            deployment=NAME,
            revision=key[1],
            requests=int(requests),
            errors=int(errors),
            ttft_ms_sum=ttft,
            in_flight=0,
            parked=0,
        )


def gateway_token(cluster: Cluster) -> str:
    """A token of the gateways' service account."""
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "mizzen-gateway"}}
    if cluster.objects.get("ServiceAccount", "mizzen-gateway", NAMESPACE) is None:
        cluster.objects.create(account, NAMESPACE)
    return cluster.service_account_token(NAMESPACE, "mizzen-gateway", audience="mizzen-operator")


def make_ready(objects: Objects, pod: Object) -> None:
    """Play the kubelet: the pod takes requests from now on."""
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    told = [one for one in pod["status"]["conditions"] if one["type"] not in {"Ready", "ContainersReady"}]
    ready = [{"type": name, "status": "True", "lastTransitionTime": now} for name in ("Ready", "ContainersReady")]
    objects.merge("Pod", pod["metadata"]["name"], {"status": {"conditions": [*told, *ready]}}, subresource="status")


def pods_on_nodes(objects: Objects, version: str) -> Iterator[Object]:
    """Yield the pods of a version whose containers have started."""
    return (one for one in by_version(objects).get(version, ()) if one.get("status", {}).get("podIP"))
