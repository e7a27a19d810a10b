"""Every condition type and every reason of a ModelDeployment, with what it means and what to do about it.

A reason and its row are one statement, so neither exists without the other. `docs/reference/conditions.md` is made from
`REASONS`; the command line and the console show the remedy beside the message.
"""

from dataclasses import dataclass
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
    RECONCILING: "Work towards the spec is going on. Present only while true.",
    STALLED: "Nothing but a change of the spec helps. Present only while true.",
}
"""Condition type -> what True means."""


@dataclass(frozen=True, slots=True)
class ReasonRow:
    """One row of the table of reasons."""

    reason: str
    condition_types: tuple[str, ...]
    """Where it is set first; a False one is repeated by Ready, and by Stalled where `needs_spec_change`."""
    meaning: str
    remedy: str
    """What a person does about it; empty where nothing needs doing."""
    needs_spec_change: bool
    """Nothing but a change of the spec helps: Stalled becomes True."""


REASONS: Final[dict[str, ReasonRow]] = {}
"""Reason -> its row, in the order below."""


def _reason(
    reason: str, on: tuple[str, ...], meaning: str, remedy: str = "", *, needs_spec_change: bool = False
) -> str:
    assert reason not in REASONS, f"the reason {reason} has two rows"
    REASONS[reason] = ReasonRow(reason, on, meaning, remedy, needs_spec_change)
    return reason


# What is as it should be
AVAILABLE: Final = _reason(
    "Available", (READY, WORKLOAD_AVAILABLE), "Enough replicas are ready and callers get answers."
)
SCALED_TO_ZERO: Final = _reason(
    "ScaledToZero",
    (READY, WORKLOAD_AVAILABLE, ROUTE_READY, AUTOSCALING_ACTIVE),
    "No replica runs, because none is needed; the next request starts one.",
)
STOPPED: Final = _reason(
    "Stopped",
    (READY, WORKLOAD_AVAILABLE, ROUTE_READY),
    "No replica runs, because spec.lifecycle.state is Stopped or spec.replicas is 0.",
    "Set spec.lifecycle.state to Running and spec.replicas to 1 or more to serve again.",
)
RESOLVED: Final = _reason("Resolved", (MODEL_RESOLVED,), "The source means one artifact; its digest is known.")
FITS: Final = _reason("Fits", (MODEL_FITS,), "The estimate of memory is within the accelerators' memory.")
NO_ACCELERATOR: Final = _reason(
    "NoAccelerator", (MODEL_FITS,), "The replicas run on CPUs, so no accelerator's memory bounds them."
)
CACHED: Final = _reason("Cached", (MODEL_CACHED,), "The weights are in place and their digest is right.")
NO_WEIGHTS: Final = _reason(
    "NoWeights", (MODEL_CACHED,), "The runtime serves no weights, so there is nothing to fetch."
)
WITHIN_QUOTA: Final = _reason("WithinQuota", (QUOTA_RESERVED,), "The quota covers all wanted replicas.")
NO_QUOTA: Final = _reason("NoQuota", (QUOTA_RESERVED,), "No quota bounds this project.")
SUFFICIENT_CAPACITY: Final = _reason(
    "SufficientCapacity", (CAPACITY_AVAILABLE,), "Every wanted replica has a place to run."
)
ROUTED: Final = _reason("Routed", (ROUTE_READY,), "The served name leads to ready replicas.")
ROLLED_OUT: Final = _reason("RolledOut", (UP_TO_DATE,), "All replicas run the newest revision.")
SCALING: Final = _reason("Scaling", (AUTOSCALING_ACTIVE,), "The autoscaler sets the number of replicas.")
NOT_CONFIGURED: Final = _reason(
    "NotConfigured",
    (AUTOSCALING_ACTIVE,),
    "spec.autoscaling is not set; the number of replicas is spec.replicas.",
)
ADAPTERS_IN_PLACE: Final = _reason("AdaptersInPlace", (ADAPTERS_LOADED,), "All adapters to be preloaded are loaded.")
NO_ADAPTERS: Final = _reason("NoAdapters", (ADAPTERS_LOADED,), "The spec names no adapters.")

# What is on its way
NOT_OBSERVED: Final = _reason(
    "NotObserved",
    tuple(CONDITION_TYPES)[:11],
    "It could not be observed in this pass, so it is Unknown; the next pass tries again.",
)
RESOLVING: Final = _reason("Resolving", (MODEL_RESOLVED, RECONCILING), "The source is being resolved.")
FETCHING: Final = _reason(
    "Fetching",
    (MODEL_CACHED, RECONCILING),
    "The weights are being fetched; status.startup.phases has the bytes.",
)
INSTALLING_ENVIRONMENT: Final = _reason(
    "InstallingEnvironment",
    (WORKLOAD_AVAILABLE, RECONCILING),
    "The engine's environment is being made on this machine; once made it is kept.",
)
STARTING: Final = _reason(
    "Starting", (WORKLOAD_AVAILABLE, ROUTE_READY, RECONCILING), "Replicas are starting; none has failed."
)
PROGRESSING: Final = _reason(
    "Progressing", (UP_TO_DATE, RECONCILING), "The newest revision is replacing the one before."
)
SCALING_REPLICAS: Final = _reason("ScalingReplicas", (RECONCILING,), "Replicas are being added or removed.")
STOPPING: Final = _reason("Stopping", (RECONCILING,), "Replicas are finishing their requests before they stop.")
WAKING: Final = _reason(
    "Waking",
    (WORKLOAD_AVAILABLE, ROUTE_READY, RECONCILING),
    "A request arrived at zero replicas; one is starting for it.",
)
CANARY_STEP: Final = _reason(
    "CanaryStep",
    (UP_TO_DATE, RECONCILING),
    "A canary step is being watched; the next one follows when its pause is over.",
)
AWAITING_PROMOTION: Final = _reason(
    "AwaitingPromotion",
    (UP_TO_DATE,),
    "The canary waits at a step with pause: Manual.",
    "Look at the new revision, then `mizzen rollout promote NAME`, or `mizzen rollout rollback NAME`.",
)
PAUSED: Final = _reason(
    "Paused",
    (UP_TO_DATE,),
    "spec.rollout.mode is Paused, so the rollout takes no further step.",
    "Set spec.rollout.mode to Active.",
)
LOADING_ADAPTERS: Final = _reason("LoadingAdapters", (ADAPTERS_LOADED, RECONCILING), "Adapters are being loaded.")

# The model
MODEL_NOT_FOUND: Final = _reason(
    "ModelNotFound",
    (MODEL_RESOLVED,),
    "This project has no model of the name in spec.model.versionRef.model.",
    "Push it (`mizzen models push NAME PATH`) or correct the name; `mizzen models list` shows those that exist.",
)
VERSION_NOT_FOUND: Final = _reason(
    "VersionNotFound",
    (MODEL_RESOLVED,),
    "The model has no version of the number in spec.model.versionRef.version.",
    "Choose one that `mizzen models versions NAME` lists.",
)
ALIAS_NOT_FOUND: Final = _reason(
    "AliasNotFound",
    (MODEL_RESOLVED,),
    "The model has no alias of the name in spec.model.versionRef.alias.",
    "Set it (`mizzen models alias NAME ALIAS VERSION`) or name one that exists.",
)
VERSION_NOT_READY: Final = _reason(
    "VersionNotReady",
    (MODEL_RESOLVED,),
    "The version is still being uploaded or scanned, or it failed.",
    "Wait until `mizzen models versions NAME` shows READY; a FAILED version never becomes ready: push it again.",
)
REGISTRY_UNAVAILABLE: Final = _reason(
    "RegistryUnavailable",
    (MODEL_RESOLVED, MODEL_CACHED),
    "The control plane did not answer; what serves goes on serving.",
    "Nothing, if it comes back; else look at the control plane's log.",
)
FORMAT_NOT_SERVED: Final = _reason(
    "FormatNotServed",
    (MODEL_RESOLVED,),
    "The engine's runtime does not serve the format of the weights.",
    "Choose an engine that serves the format, or convert the model; the message lists the runtime's formats.",
    needs_spec_change=True,
)
FORMAT_UNKNOWN: Final = _reason(
    "FormatUnknown",
    (MODEL_RESOLVED,),
    "The format of the weights is neither in the registry nor in the spec.",
    "Set spec.model.format.",
    needs_spec_change=True,
)
DOES_NOT_FIT: Final = _reason(
    "DoesNotFit",
    (MODEL_FITS,),
    "Weights, cache and overhead are estimated to need more memory than the accelerators of a replica have.",
    "Raise spec.engine.parallelism.tensor, lower spec.engine.maxModelLen, choose a larger acceleratorClass, "
    "or set spec.resources.fitCheck to Warn.",
    needs_spec_change=True,
)
FITS_BARELY: Final = _reason(
    "FitsBarely",
    (MODEL_FITS,),
    "The estimate exceeds the memory, and spec.resources.fitCheck is Warn: the replicas are started all the same.",
    "Lower spec.engine.maxModelLen or choose a larger acceleratorClass if they run out of memory.",
)
FIT_CHECK_DISABLED: Final = _reason(
    "FitCheckDisabled", (MODEL_FITS,), "spec.resources.fitCheck is Disabled, so nothing is estimated."
)
FETCH_FAILED: Final = _reason(
    "FetchFailed",
    (MODEL_CACHED,),
    "The weights could not be fetched; the fetch is tried again with growing pauses.",
    "Check the address in spec.model.uri, the Secret in spec.model.secretName and the way to the source; "
    "status.lastFailure has the source's answer.",
)
DIGEST_MISMATCH: Final = _reason(
    "DigestMismatch",
    (MODEL_CACHED,),
    "What was fetched has another digest than was expected, so it is not served.",
    "Correct spec.model.digest if the artifact changed on purpose; otherwise somebody tampered with the source.",
    needs_spec_change=True,
)
LAYOUT_REFUSED: Final = _reason(
    "LayoutRefused",
    (MODEL_CACHED,),
    "The artifact is not what its format says, or it carries code that the project does not allow.",
    "Push a correct artifact as a new version, or ask the project's owner to allow code; "
    "status.lastFailure names the file.",
    needs_spec_change=True,
)
SECRET_NOT_FOUND: Final = _reason(
    "SecretNotFound",
    (MODEL_CACHED,),
    "The Secret that spec.model.secretName names does not exist, or it lacks the key `host`.",
    "Make the Secret in the deployment's namespace, with a key `host` beside the credential.",
)
DISK_FULL: Final = _reason(
    "DiskFull",
    (MODEL_CACHED,),
    "The volume for the weights has no room left.",
    "Raise spec.model.cache.sizeLimit, choose a larger claim, or free disk space.",
)

# Room
QUOTA_EXCEEDED: Final = _reason(
    "QuotaExceeded",
    (QUOTA_RESERVED,),
    "The project's quota does not cover the wanted replicas.",
    "Ask for more quota, ask for fewer replicas, or stop another deployment of the project.",
)
QUEUED: Final = _reason(
    "Queued",
    (QUOTA_RESERVED,),
    "The admission queue has not admitted the replicas yet.",
    "Wait, or choose another spec.placement.queueName.",
)
NO_SPARE_ACCELERATOR: Final = _reason(
    "NoSpareAccelerator",
    (UP_TO_DATE, CAPACITY_AVAILABLE),
    "The rollout needs an accelerator more than is free, and spec.rollout.minAvailable keeps it from freeing one.",
    "Lower spec.rollout.minAvailable, or free as many accelerators as status.rollout.hold.needed says.",
)
UNSCHEDULABLE: Final = _reason(
    "Unschedulable",
    (CAPACITY_AVAILABLE,),
    "No node takes a replica; the message has the scheduler's words.",
    "Add a node with the wanted accelerators, relax spec.placement, or lower spec.resources.",
)
ACCELERATOR_CLASS_NOT_FOUND: Final = _reason(
    "AcceleratorClassNotFound",
    (CAPACITY_AVAILABLE,),
    "There is no AcceleratorClass of the name in spec.resources.acceleratorClass.",
    "Make it, or name one that `kubectl get acceleratorclasses.mizzen.dev` lists.",
)
POD_REFUSED: Final = _reason(
    "PodRefused",
    (WORKLOAD_AVAILABLE,),
    "The cluster refused the pod; the message has its words.",
    "Correct the field that the message names.",
    needs_spec_change=True,
)

# The workload
RUNTIME_NOT_FOUND: Final = _reason(
    "RuntimeNotFound",
    (WORKLOAD_AVAILABLE,),
    "There is no ServingRuntime of the name in spec.engine.runtimeRef.",
    "Apply it, or name one that `mizzen get servingruntimes` lists.",
)
RUNTIME_MISMATCH: Final = _reason(
    "RuntimeMismatch",
    (WORKLOAD_AVAILABLE,),
    "The ServingRuntime in spec.engine.runtimeRef starts another engine than spec.engine.type.",
    "Name a runtime of that engine.",
    needs_spec_change=True,
)
ARG_NOT_ALLOWED: Final = _reason(
    "ArgNotAllowed",
    (WORKLOAD_AVAILABLE,),
    "A flag in spec.engine.args is not on the runtime's list of allowed ones, or it is set by Mizzen.",
    "Remove the flag, or have the platform's owner add it to allowedArgs of the ServingRuntime.",
    needs_spec_change=True,
)
IMAGE_NOT_ALLOWED: Final = _reason(
    "ImageNotAllowed",
    (WORKLOAD_AVAILABLE,),
    "spec.engine.image is not on the runtime's list of allowed images.",
    "Remove it, or have the platform's owner add it to allowedImages of the ServingRuntime.",
    needs_spec_change=True,
)
ENGINE_VERSION_NOT_FOUND: Final = _reason(
    "EngineVersionNotFound",
    (WORKLOAD_AVAILABLE,),
    "The runtime does not list the version in spec.engine.version.",
    "Choose one of the versions that the message lists.",
    needs_spec_change=True,
)
IMAGE_PULL_FAILED: Final = _reason(
    "ImagePullFailed",
    (WORKLOAD_AVAILABLE,),
    "The engine's image cannot be pulled.",
    "Check the image's name and the way to its registry; the pull is tried again.",
)
ENVIRONMENT_MISSING: Final = _reason(
    "EnvironmentMissing",
    (WORKLOAD_AVAILABLE,),
    "The engine's environment does not exist on this machine and could not be made.",
    "`mizzen engines install ENGINE`; without a network, set UV_INDEX_URL to a package index that can be reached.",
)
CRASH_LOOPING: Final = _reason(
    "CrashLooping",
    (WORKLOAD_AVAILABLE,),
    "A container exits again and again; it is started with growing pauses.",
    "Read status.lastFailure and `mizzen logs NAME`.",
)
OUT_OF_MEMORY: Final = _reason(
    "OutOfMemory",
    (WORKLOAD_AVAILABLE,),
    "The kernel killed the engine because it used more memory than its limit.",
    "Raise spec.resources.limits.memory, or lower spec.engine.maxModelLen.",
)
STARTUP_TIMED_OUT: Final = _reason(
    "StartupTimedOut",
    (WORKLOAD_AVAILABLE,),
    "A replica made no progress for so long that its startup budget ended.",
    "Read `mizzen logs NAME`; raise spec.lifecycle.startupBudgetSeconds if the model merely loads slowly.",
)
REPLICA_UNREADY: Final = _reason(
    "ReplicaUnready",
    (WORKLOAD_AVAILABLE,),
    "Fewer replicas are ready than must be available; those that were ready are being healed.",
    "Read `mizzen logs NAME` if it lasts.",
)
APPLY_FAILED: Final = _reason(
    "ApplyFailed",
    (WORKLOAD_AVAILABLE,),
    "A write to the cluster failed; it is tried again.",
    "The message has the server's words; check the operator's permissions if it lasts.",
)

# The rollout
PROGRESS_DEADLINE_EXCEEDED: Final = _reason(
    "ProgressDeadlineExceeded",
    (UP_TO_DATE,),
    "The newest revision made no progress within spec.rollout.progressDeadlineSeconds and was given up; "
    "the one before serves on.",
    "Read status.lastFailure, then change the spec; the given-up revision is not tried again.",
    needs_spec_change=True,
)
ANALYSIS_FAILED: Final = _reason(
    "AnalysisFailed",
    (UP_TO_DATE,),
    "The canary did worse than spec.rollout.canary.analysis allows; it was rolled back or paused.",
    "Compare the revisions (`mizzen rollout status NAME`), then change the spec.",
    needs_spec_change=True,
)
ROLLED_BACK: Final = _reason(
    "RolledBack", (UP_TO_DATE,), "An earlier version was pinned; it is the newest revision now."
)

# The route
NAME_TAKEN: Final = _reason(
    "NameTaken",
    (ROUTE_READY,),
    "An older deployment of the project serves one of the names already.",
    "Choose another spec.servedModelName or alias; the message names the other deployment.",
    needs_spec_change=True,
)
NO_REPLICA_READY: Final = _reason(
    "NoReplicaReady",
    (ROUTE_READY, WORKLOAD_AVAILABLE),
    "No replica is ready, so callers get 503 with Retry-After.",
    "The condition WorkloadAvailable says why.",
)
GATEWAY_UNAVAILABLE: Final = _reason(
    "GatewayUnavailable",
    (ROUTE_READY,),
    "No gateway has reported in the last seconds.",
    "Look at the gateway's log.",
)

# The autoscaler and the adapters
LOAD_UNKNOWN: Final = _reason(
    "LoadUnknown",
    (AUTOSCALING_ACTIVE,),
    "No gateway has reported the load, so the number of replicas is held.",
    "Look at the gateway's log.",
)
AT_MAXIMUM: Final = _reason(
    "AtMaximum",
    (AUTOSCALING_ACTIVE,),
    "More replicas are wanted than spec.autoscaling.maxReplicas.",
    "Raise spec.autoscaling.maxReplicas, or accept longer waits.",
)
ADAPTER_FAILED: Final = _reason(
    "AdapterFailed",
    (ADAPTERS_LOADED,),
    "An adapter could not be fetched or loaded; the base model serves all the same.",
    "The message names the adapter; correct its uri or versionRef.",
)
