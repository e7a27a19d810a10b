"""Why is a ModelDeployment as it is, where only a cluster can be the cause? More of its reasons."""

from typing import Final

from mizzen_crds.v1alpha1.conditions.condition_types import (
    CAPACITY_AVAILABLE,
    MODEL_CACHED,
    NAMESPACES_BOUND,
    QUOTA_RESERVED,
    ROUTE_READY,
    UP_TO_DATE,
    WORKLOAD_AVAILABLE,
)
from mizzen_crds.v1alpha1.conditions.table import reason_row
from mizzen_crds.v1alpha1.conditions.where_logs_are import logs_of

# The namespace and its project
NAMESPACE_TERMINATING: Final = reason_row(
    "NamespaceTerminating",
    (WORKLOAD_AVAILABLE, NAMESPACES_BOUND),
    "The namespace is being deleted, so nothing new is made in it.",
)

# Children
CHILD_OWNED_BY_SOMEONE_ELSE: Final = reason_row(
    "ChildOwnedBySomeoneElse",
    (WORKLOAD_AVAILABLE, ROUTE_READY, UP_TO_DATE, NAMESPACES_BOUND),
    "An object of the name that a child would have exists and belongs to someone else; it was left alone.",
    "Delete or rename that object, or give yours another name; the message has kind, name and owner.",
)
LEADER_WORKER_SET_NOT_INSTALLED: Final = reason_row(
    "LeaderWorkerSetNotInstalled",
    (WORKLOAD_AVAILABLE, UP_TO_DATE),
    "spec.multiNode is set, but the cluster has no LeaderWorkerSet.",
    "Install LeaderWorkerSet (leaderworkerset.x-k8s.io), or fit the model into one pod without multiNode.",
)
ENV_NOT_ALLOWED: Final = reason_row(
    "EnvNotAllowed",
    (WORKLOAD_AVAILABLE, UP_TO_DATE),
    "A variable in spec.engine.env is on the runtime's list of refused ones.",
    "Remove the variable, or have the platform's owner take it off refusedEnv of the ServingRuntime.",
    needs_spec_change=True,
)
CLAIM_NOT_FOUND: Final = reason_row(
    "ClaimNotFound",
    (MODEL_CACHED, UP_TO_DATE),
    "The PersistentVolumeClaim that the spec names does not exist in the namespace.",
    "Make it, or correct spec.model.cache.claimName or the claim in spec.model.uri.",
)
ENDPOINT_PICKER_NOT_FOUND: Final = reason_row(
    "EndpointPickerNotFound",
    (ROUTE_READY,),
    "The endpoint picker in spec.routing.endpointPickerRef does not exist.",
    "Make it, or choose another spec.routing.policy.",
)

# Starting and running
LOAD_STALLED: Final = reason_row(
    "LoadStalled",
    (WORKLOAD_AVAILABLE, MODEL_CACHED),
    "A replica's fetch or load made no progress for spec.model.cache.stallSeconds, so its pod was replaced.",
    "Look at the way to the source, or raise stallSeconds if the source pauses for so long. The new pod prints how it "
    f"fares: {logs_of('CONTAINER')}, CONTAINER being the component of status.lastFailure.",
)
POD_NOT_CREATED: Final = reason_row(
    "PodNotCreated",
    (WORKLOAD_AVAILABLE, UP_TO_DATE),
    "The cluster did not make a pod, or a node did not make its container; it is tried again, and the message has "
    "their words.",
    "Wait if it is new; else look at what the message names: a webhook or policy that denies or does not answer, "
    "a service account or ConfigMap that is missing, the node.",
)
EVICTED: Final = reason_row(
    "Evicted",
    (WORKLOAD_AVAILABLE,),
    "A node or the scheduler evicted a replica; another one was started.",
    "The message has the node's words: pressure on memory or disk, or a pod of higher priority "
    "(spec.placement.priorityClassName).",
)
NODE_LOST: Final = reason_row(
    "NodeLost",
    (WORKLOAD_AVAILABLE,),
    "The node of a replica does not answer; the replica is started elsewhere where there is room.",
    "Look at the node that the message names (`kubectl describe node`).",
)

# Room
RESOURCE_QUOTA_EXCEEDED: Final = reason_row(
    "ResourceQuotaExceeded",
    (QUOTA_RESERVED, UP_TO_DATE),
    "A ResourceQuota of the namespace refuses a pod; the message has its name, what is used and what is allowed.",
    "Stop another deployment of the namespace, ask for fewer replicas or accelerators, or have the quota raised.",
)
INSUFFICIENT_ACCELERATORS: Final = reason_row(
    "InsufficientAccelerators",
    (CAPACITY_AVAILABLE,),
    "Fewer accelerators of the class are free, or free on one node, than the replicas need.",
    "Free as many as the message says, add a node, ask for fewer replicas, or choose another acceleratorClass.",
)
NO_NODE_OF_CLASS: Final = reason_row(
    "NoNodeOfClass",
    (CAPACITY_AVAILABLE,),
    "No schedulable node offers accelerators of the class in spec.resources.acceleratorClass.",
    "Look at the class (`kubectl describe acceleratorclasses.mizzen.dev NAME`), or choose another.",
)
SHARING_NOT_OFFERED: Final = reason_row(
    "SharingNotOffered",
    (CAPACITY_AVAILABLE,),
    "The AcceleratorClass does not offer the mode in spec.resources.sharing.",
    "Choose a mode that the message lists, or have the mode added to spec.sharing of the class.",
)
