"""Which conditions has each kind, and what does True mean?"""

from typing import Final

READY: Final = "Ready"
MODEL_RESOLVED: Final = "ModelResolved"
MODEL_FITS: Final = "ModelFits"
MODEL_CACHED: Final = "ModelCached"
QUOTA_RESERVED: Final = "QuotaReserved"
CAPACITY_AVAILABLE: Final = "CapacityAvailable"
WORKLOAD_AVAILABLE: Final = "WorkloadAvailable"
ROUTE_READY: Final = "RouteReady"
UP_TO_DATE: Final = "UpToDate"
AUTOSCALING_ACTIVE: Final = "AutoscalingActive"
ADAPTERS_LOADED: Final = "AdaptersLoaded"
RECONCILING: Final = "Reconciling"
STALLED: Final = "Stalled"

NODES_AVAILABLE: Final = "NodesAvailable"
DISJOINT: Final = "Disjoint"

NAMESPACES_BOUND: Final = "NamespacesBound"
QUOTA_READY: Final = "QuotaReady"
ACCESS_READY: Final = "AccessReady"
LIMITS_READY: Final = "LimitsReady"

ACCEPTED: Final = "Accepted"
RESOLVED_REFS: Final = "ResolvedRefs"

_WHILE_TRUE: Final = {
    RECONCILING: "Work towards the spec is going on. Present only while true.",
    STALLED: "Nothing but a change of the spec helps. Present only while true.",
}

CONDITION_TYPES: Final[dict[str, str]] = {
    READY: "Sums up all others: callers get answers, or there are no replicas on purpose.",
    MODEL_RESOLVED: "The model source means one artifact, whose digest is in status.resolvedModel.",
    MODEL_FITS: "Weights, cache and overhead fit the memory of the accelerators of a replica.",
    MODEL_CACHED: "The weights have been fetched and checked against their digest.",
    QUOTA_RESERVED: "The project's quota allows the replicas.",
    CAPACITY_AVAILABLE: "There is room to run the replicas.",
    WORKLOAD_AVAILABLE: "As many replicas as must be available are ready.",
    ROUTE_READY: "Callers reach ready replicas by the served name.",
    UP_TO_DATE: "All replicas run the newest revision, and it gets all traffic.",
    AUTOSCALING_ACTIVE: "The autoscaler sets the number of replicas.",
    ADAPTERS_LOADED: "All adapters to be preloaded are loaded.",
    **_WHILE_TRUE,
}
"""Condition type of a ModelDeployment -> what True means."""

CONDITION_TYPES_OF: Final[dict[str, dict[str, str]]] = {
    "ModelDeployment": CONDITION_TYPES,
    "AcceleratorClass": {
        READY: "The nodes and accelerators of the class have been counted.",
        NODES_AVAILABLE: "At least one schedulable node offers accelerators of the class.",
        DISJOINT: "No other class counts the same accelerators.",
    },
    "Project": {
        READY: "Sums up all others: the project's namespaces, quota, access and limits are as the spec says.",
        NAMESPACES_BOUND: "Every namespace of the spec exists, is labelled and belongs to this project alone.",
        QUOTA_READY: "The quota of the spec is in force in every namespace.",
        ACCESS_READY: "Network policies and the members' role bindings are in place.",
        LIMITS_READY: "The control plane holds the limits and budgets of the spec.",
        **_WHILE_TRUE,
    },
    "ModelRoute": {
        READY: "Callers of the public name get answers: every rule has a backend that takes requests.",
        ACCEPTED: "The route's name is its own, and gateways do all that its spec asks for.",
        RESOLVED_REFS: "Every backend exists, may be called by this project, and speaks the rule's protocol.",
        **_WHILE_TRUE,
    },
}
"""Kind -> condition type -> what True means."""
