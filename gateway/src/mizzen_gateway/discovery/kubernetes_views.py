"""What does a gateway read of a cluster's objects? Small documents of the shape that the embedded store keeps. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from mizzen_crds.serving import Endpoint, EndpointSetSpec
from mizzen_crds.v1alpha1 import conditions, labels

Manifest = Mapping[str, Any]
Document = dict[str, Any]

SPEC_READ: Final = ("servedModelName", "aliases", "replicas", "autoscaling", "lifecycle", "routing", "access")
STATUS_READ: Final = ("desiredReplicas", "startup", "project")
REVISION_READ: Final = ("name", "hash", "trafficPercent", "adapters")
PROTOCOLS: Final = {"vLLM": "OpenAI", "Simulated": "OpenAI", "Triton": "OpenInference"}
"""Of engines whose ServingRuntime is not there (any more)."""
ROUTE_CONDITIONS: Final = (conditions.ACCEPTED, conditions.RESOLVED_REFS)
GENERATED_DIGITS: Final = 5
"""Characters that the API server puts behind the name of a ReplicaSet's pod."""

SLICES: Final = f"{labels.DEPLOYMENT},service.kubernetes.io/headless"
"""Label selector of the slices that gateways read: a deployment's second, public Service has the same pods."""


@dataclass(frozen=True, slots=True)
class SlicePod:
    """One pod of an EndpointSlice."""

    pod: str
    address: str
    ready: bool
    terminating: bool


@dataclass(frozen=True, slots=True)
class Slice:
    """An EndpointSlice."""

    ports: Mapping[str, int]
    """Number by name."""
    pods: tuple[SlicePod, ...]


def deployment_document(manifest: Manifest) -> Document:
    """What routing reads of a ModelDeployment; everything else may change without the gateway."""
    metadata, spec, status = manifest["metadata"], manifest.get("spec") or {}, manifest.get("status") or {}
    engine = spec.get("engine") or {}
    stalled = [one for one in status.get("conditions") or () if one.get("type") == "Stalled"]
    revisions = [{name: one.get(name) for name in REVISION_READ} for one in status.get("revisions") or ()]
    return {
        "apiVersion": manifest["apiVersion"],
        "kind": manifest["kind"],
        "metadata": _picked(metadata, ("name", "namespace", "creationTimestamp", "deletionTimestamp")),
        "spec": _picked(spec, SPEC_READ)
        | {"engine": _picked(engine, ("type", "runtimeRef", "maxModelLen"))}
        | {"adapters": [_picked(one, ("name",)) for one in spec.get("adapters") or ()]},
        "status": _picked(status, STATUS_READ)
        | {"revisions": revisions, "conditions": [_picked(one, ("type", "status")) for one in stalled]},
    }


def route_document(manifest: Manifest) -> Document:
    """What routing reads of a ModelRoute: all of the spec, and what the operator says of it."""
    metadata, status = manifest["metadata"], manifest.get("status") or {}
    judged = [one for one in status.get("conditions") or () if one.get("type") in ROUTE_CONDITIONS]
    return {
        "apiVersion": manifest["apiVersion"],
        "kind": manifest["kind"],
        "metadata": _picked(metadata, ("name", "namespace", "creationTimestamp", "deletionTimestamp", "generation")),
        "spec": manifest.get("spec") or {},
        "status": _picked(status, ("observedGeneration", "project"))
        | {"conditions": [_picked(one, ("type", "status", "reason")) for one in judged]},
    }


def is_followed(route: Document) -> bool | None:
    """Whether the operator lets gateways follow a route; None until it has judged the spec as it is now.

    A backend that is missing refuses nothing: the others of its rule answer.
    """
    metadata, status = route["metadata"], route["status"]
    if "deletionTimestamp" in metadata:
        return False
    said = {one.get("type"): one for one in status["conditions"]}
    accepted, resolved = (said.get(one, {}) for one in ROUTE_CONDITIONS)
    if not status.get("project") or status.get("observedGeneration") != metadata.get("generation"):
        return None
    if "Unknown" in (accepted.get("status", "Unknown"), resolved.get("status", "Unknown")):
        return None
    usable = resolved["status"] == "True" or resolved.get("reason") == conditions.BACKEND_NOT_FOUND
    return bool(accepted["status"] == "True" and usable)


def slice_of(manifest: Manifest) -> Slice:
    """What routing reads of an EndpointSlice."""
    ports = {str(port.get("name") or ""): int(port["port"]) for port in manifest.get("ports") or () if port.get("port")}
    return Slice(ports, tuple(_pods(manifest.get("endpoints") or ())))


def deployment_of_slice(manifest: Manifest) -> Iterable[str]:
    """Namespace and name of the deployment whose pods a slice holds, joined by a slash."""
    metadata = manifest["metadata"]
    name = (metadata.get("labels") or {}).get(labels.DEPLOYMENT)
    return (f"{metadata['namespace']}/{name}",) if name else ()


def runtime_name(document: Document) -> str:
    """The ServingRuntime that a deployment's engine is started by."""
    engine = document["spec"]["engine"]
    return str(engine.get("runtimeRef") or engine.get("type", "").lower())


def endpoint_set_document(document: Document, protocol: str | None, slices: Iterable[Slice]) -> Document | None:
    """The EndpointSet of a deployment, as one machine's runner would write it; None while its protocol is unknown."""
    engine = document["spec"]["engine"].get("type", "")
    spoken = protocol or PROTOCOLS.get(engine)
    if spoken not in PROTOCOLS.values():
        return None
    revisions = document["status"]["revisions"]
    metadata = document["metadata"]
    spec = EndpointSetSpec.model_validate(
        {
            "protocol": spoken,
            "engine": engine,
            "modelName": document["spec"].get("servedModelName") or metadata["name"],
            "endpoints": list(_endpoints(slices, revisions)),
            "traffic": {one["hash"]: one["trafficPercent"] for one in revisions if one["trafficPercent"]},
        }
    )
    return {
        "apiVersion": document["apiVersion"],
        "kind": "EndpointSet",
        "metadata": {"name": metadata["name"], "namespace": metadata["namespace"]},
        "spec": spec.model_dump(mode="json", by_alias=True),
    }


def revision_of(pod: str, revisions: Iterable[Mapping[str, Any]]) -> str:
    """Hash of the pod's revision; empty where none of them fits, or more than one.

    A pod is named after its workload, which is named after its revision. Of a long name the API server cuts the end
    before it adds digits of its own, so a pod may show the beginning of its revision's name only.
    """
    stem = pod[:-GENERATED_DIGITS]
    found = [str(one["hash"]) for one in revisions if _named_after(pod, stem, f"{one['name']}-")]
    return found[0] if len(found) == 1 else ""


def _named_after(pod: str, stem: str, beginning: str) -> bool:
    return pod.startswith(beginning) or (len(stem) < len(beginning) and beginning.startswith(stem))


def _endpoints(slices: Iterable[Slice], revisions: list[Document]) -> Iterable[Endpoint]:
    """Each pod once: while a slice is split, a pod may stand in two."""
    seen: dict[str, Endpoint] = {}
    for each in slices:
        port = each.ports.get(labels.PORT_HTTP)
        for one in each.pods if port else ():
            seen[one.pod] = Endpoint(
                pod=one.pod,
                revision=revision_of(one.pod, revisions),
                address=one.address,
                port=port or 0,
                grpc_port=each.ports.get(labels.PORT_GRPC),
                metrics_port=each.ports.get(labels.PORT_METRICS),
                ready=one.ready,
                terminating=one.terminating,
            )
    return (seen[pod] for pod in sorted(seen))


def _pods(endpoints: Iterable[Manifest]) -> Iterable[SlicePod]:
    for one in endpoints:
        target, addresses = one.get("targetRef") or {}, one.get("addresses") or ()
        if target.get("kind") != "Pod" or not addresses:
            continue
        conditions = one.get("conditions") or {}
        terminating = bool(conditions.get("terminating"))
        ready = conditions.get("ready") is not False and not terminating  # unknown counts as ready, as Kubernetes says
        yield SlicePod(str(target["name"]), str(addresses[0]), ready, terminating)


def _picked(source: Mapping[str, Any], names: Iterable[str]) -> Document:
    return {name: source[name] for name in names if name in source}
