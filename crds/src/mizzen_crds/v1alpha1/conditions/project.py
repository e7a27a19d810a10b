"""Why is a Project as it is? Its reasons, with what each means and what to do about it."""

from typing import Final

from mizzen_crds.v1alpha1.conditions.condition_types import (
    ACCESS_READY,
    LIMITS_READY,
    NAMESPACES_BOUND,
    QUOTA_READY,
    READY,
    RECONCILING,
)
from mizzen_crds.v1alpha1.conditions.table import reason_row

PROJECT_IN_PLACE: Final = reason_row("ProjectInPlace", (READY,), "Everything is as the spec says.")
APPLYING: Final = reason_row(
    "Applying",
    (NAMESPACES_BOUND, QUOTA_READY, ACCESS_READY, LIMITS_READY, RECONCILING),
    "Objects of the project are being written.",
)

# Namespaces
NAMESPACES_IN_PLACE: Final = reason_row(
    "NamespacesInPlace", (NAMESPACES_BOUND,), "Every namespace exists, is labelled and belongs to this project alone."
)
NAMESPACE_CLAIMED: Final = reason_row(
    "NamespaceClaimed",
    (NAMESPACES_BOUND,),
    "An older project has one of the namespaces already; the oldest keeps it.",
    "Remove the namespace from spec.namespaces of one of the two; the message names the other project.",
    needs_spec_change=True,
)
NAMESPACE_RESERVED: Final = reason_row(
    "NamespaceReserved",
    (NAMESPACES_BOUND,),
    "One of the namespaces belongs to Kubernetes or to Mizzen itself, and tenants have no place there.",
    "Remove it from spec.namespaces.",
    needs_spec_change=True,
)

# Quota
QUOTA_IN_FORCE: Final = reason_row("QuotaInForce", (QUOTA_READY,), "The quota bounds every namespace of the project.")
USED_BEYOND_QUOTA: Final = reason_row(
    "UsedBeyondQuota",
    (QUOTA_READY,),
    "More is used than the quota allows, because it was lowered; nothing is stopped, and nothing new starts.",
    "Stop deployments of the project, or raise spec.quota.",
)
KUEUE_NOT_INSTALLED: Final = reason_row(
    "KueueNotInstalled",
    (QUOTA_READY,),
    "spec.queue is set, but the cluster has no Kueue; a ResourceQuota and the operator hold spec.quota meanwhile.",
    "Install Kueue, which takes over within a minute, or remove spec.queue.",
)
QUEUE_STOPPED: Final = reason_row(
    "QueueStopped",
    (QUOTA_READY,),
    "Kueue says that a LocalQueue of the project is not active.",
    "See that spec.queue.clusterQueue names a ClusterQueue that exists and admits; the message has Kueue's words.",
)

# Access
ACCESS_IN_PLACE: Final = reason_row(
    "AccessInPlace", (ACCESS_READY,), "Network policies and the members' role bindings are in place."
)

# Limits
LIMITS_IN_FORCE: Final = reason_row(
    "LimitsInForce", (LIMITS_READY,), "The control plane holds the limits and budgets of the spec."
)
NO_LIMITS: Final = reason_row("NoLimits", (LIMITS_READY,), "The spec names neither limits nor budgets.")
LIMIT_REFUSED: Final = reason_row(
    "LimitRefused",
    (LIMITS_READY,),
    "The control plane refused a limit or a budget, so the ones before stay in force.",
    "Correct the entry that the message names.",
    needs_spec_change=True,
)
MANAGED_THROUGH_API: Final = reason_row(
    "ManagedThroughApi",
    (LIMITS_READY,),
    "A project of this name was made through the REST API, which therefore owns it; nothing of it was changed.",
    "Delete that one through the API, or give this Project another name.",
)
CONTROL_PLANE_UNAVAILABLE: Final = reason_row(
    "ControlPlaneUnavailable",
    (LIMITS_READY,),
    "The control plane did not answer; the limits of before stay in force.",
    "Nothing, if it comes back; else look at the control plane's log.",
)
