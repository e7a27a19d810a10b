"""The store's objects, as far as routing reads them; what it does not read may change without the gateway."""

from typing import Any, Literal

from mizzen_crds.serving import EndpointSetSpec
from mizzen_crds.v1alpha1.metadata import ObjectMeta
from mizzen_crds.v1alpha1.model_route import ModelRouteSpec
from mizzen_crds.v1alpha1.model_route.served import unserved_fields
from mizzen_crds.wire import Observed

from mizzen_gateway.discovery.route_rules import rule_facts
from mizzen_gateway.routing.deployment import DeploymentFacts, EndpointFacts, EndpointSetFacts
from mizzen_gateway.routing.route import RouteFacts


class ColdStartView(Observed):
    """Part of spec.autoscaling.coldStart."""

    queue_limit: int = 1000
    hold_seconds: float = 300


class AutoscalingView(Observed):
    """Part of spec.autoscaling."""

    min_replicas: int = 1
    cold_start: ColdStartView = ColdStartView()


class LifecycleView(Observed):
    """Part of spec.lifecycle."""

    state: str = "Running"


class RoutingView(Observed):
    """Part of spec.routing."""

    policy: str = "LeastLoad"
    endpoint_picker_ref: str | None = None
    idle_timeout_seconds: float = 60
    request_timeout_seconds: float = 0


class AccessOfferView(Observed):
    """Part of spec.access."""

    visibility: str = "Project"
    allowed_projects: tuple[str, ...] = ()


class EngineView(Observed):
    """Part of spec.engine."""

    max_model_len: int | None = None


class ResourcesView(Observed):
    """Part of spec.resources."""

    accelerators_per_pod: int = 0


class MultiNodeView(Observed):
    """Part of spec.multiNode."""

    size: int = 1


class AdapterView(Observed):
    """Part of an entry of spec.adapters."""

    name: str


class SpecView(Observed):
    """Part of a ModelDeployment's spec."""

    served_model_name: str | None = None
    aliases: tuple[str, ...] = ()
    adapters: tuple[AdapterView, ...] = ()
    engine: EngineView = EngineView()
    resources: ResourcesView = ResourcesView()
    multi_node: MultiNodeView | None = None
    replicas: int = 1
    autoscaling: AutoscalingView | None = None
    lifecycle: LifecycleView = LifecycleView()
    routing: RoutingView = RoutingView()
    access: AccessOfferView = AccessOfferView()


class ConditionView(Observed):
    """Part of a condition."""

    type: str
    status: str


class StartupView(Observed):
    """Part of status.startup."""

    p50_seconds: float | None = None
    last_seconds: float | None = None


class RevisionView(Observed):
    """Part of an entry of status.revisions."""

    traffic_percent: int | None = None
    adapters: tuple[str, ...] | None = None


class StatusView(Observed):
    """Part of a ModelDeployment's status."""

    revisions: tuple[RevisionView, ...] = ()
    project: str = ""
    desired_replicas: int = 0
    conditions: tuple[ConditionView, ...] = ()
    startup: StartupView | None = None


class DeploymentView(Observed):
    """A ModelDeployment as routing sees it."""

    metadata: ObjectMeta
    spec: SpecView
    status: StatusView = StatusView()


class EndpointSetView(Observed):
    """An EndpointSet."""

    kind: Literal["EndpointSet"] = "EndpointSet"
    metadata: ObjectMeta
    spec: EndpointSetSpec


class RouteStatusView(Observed):
    """Part of a ModelRoute's status."""

    project: str


class RouteView(Observed):
    """A ModelRoute as routing sees it: all of its spec, since each part of it changes what callers get."""

    metadata: ObjectMeta
    spec: ModelRouteSpec
    status: RouteStatusView


class NotServedError(Exception):
    """A route asks for what this gateway does not do; the message names the fields."""


def deployment_facts(document: dict[str, Any]) -> DeploymentFacts:
    """Facts of a ModelDeployment. Raises ValidationError where it is none."""
    view = DeploymentView.model_validate(document)
    spec, status, metadata = view.spec, view.status, view.metadata
    adapters = tuple(one.name for one in spec.adapters if _served_by_all(one.name, status.revisions))
    scaling = spec.autoscaling
    cold_start = scaling.cold_start if scaling is not None else ColdStartView()
    startup = status.startup or StartupView()
    return DeploymentFacts(
        key=(metadata.namespace, metadata.name),
        created_at=metadata.creation_timestamp.isoformat() if metadata.creation_timestamp else "",
        names=(spec.served_model_name or metadata.name, *spec.aliases, *adapters),
        adapters=frozenset(adapters),
        shared_with=frozenset(spec.access.allowed_projects if spec.access.visibility == "Shared" else ()),
        running=spec.lifecycle.state == "Running" and metadata.deletion_timestamp is None,
        replicas_wanted=spec.replicas if scaling is None else max(status.desired_replicas, scaling.min_replicas),
        wakes=scaling is not None and scaling.min_replicas == 0,
        stalled=any(one.type == "Stalled" and one.status == "True" for one in status.conditions),
        park_limit=cold_start.queue_limit,
        park_seconds=cold_start.hold_seconds,
        start_seconds=startup.p50_seconds or startup.last_seconds,
        idle_seconds=spec.routing.idle_timeout_seconds,
        request_seconds=spec.routing.request_timeout_seconds,
        max_model_len=spec.engine.max_model_len,
        policy=spec.routing.policy,
        picker=spec.routing.endpoint_picker_ref or "" if spec.routing.policy == "External" else "",
        accelerators=spec.resources.accelerators_per_pod * (spec.multi_node.size if spec.multi_node else 1),
        project=status.project,
    )


def _served_by_all(adapter: str, revisions: tuple[RevisionView, ...]) -> bool:
    """Whether whoever calls it meets a revision that has it, in mid-rollout too."""
    return all(adapter in (one.adapters or ()) for one in revisions if one.traffic_percent)


def endpoint_set_facts(document: dict[str, Any]) -> EndpointSetFacts:
    """Facts of an EndpointSet. Raises ValidationError where it is none."""
    view = EndpointSetView.model_validate(document)
    spec = view.spec
    endpoints = tuple(
        EndpointFacts(one.pod, one.revision, one.address, one.port, one.ready, one.terminating, one.grpc_port)
        for one in spec.endpoints
    )
    return EndpointSetFacts(
        key=(view.metadata.namespace, view.metadata.name),
        protocol=spec.protocol,
        engine=spec.engine,
        model_name=spec.model_name,
        endpoints=endpoints,
        traffic=tuple(spec.traffic.items()),
    )


def route_facts(document: dict[str, Any]) -> RouteFacts:
    """Facts of a ModelRoute. Raises ValidationError where it is none, NotServedError where it asks for too much."""
    view = RouteView.model_validate(document)
    if fields := unserved_fields(view.spec):
        raise NotServedError(", ".join(fields))
    metadata = view.metadata
    return RouteFacts(
        key=(metadata.namespace, metadata.name),
        project=view.status.project,
        name=view.spec.served_model_name or metadata.name,
        rules=tuple(rule_facts(rule) for rule in view.spec.rules),
        created_at=metadata.creation_timestamp.isoformat() if metadata.creation_timestamp else "",
    )
