"""Why is a ModelDeployment as it is? Its reasons, with what each means and what to do about it."""

from typing import Final

from mizzen_crds.v1alpha1.conditions.condition_types import (
    ACCEPTED,
    ACCESS_READY,
    ADAPTERS_LOADED,
    AUTOSCALING_ACTIVE,
    CAPACITY_AVAILABLE,
    CONDITION_TYPES,
    MODEL_CACHED,
    MODEL_FITS,
    MODEL_RESOLVED,
    NAMESPACES_BOUND,
    QUOTA_READY,
    QUOTA_RESERVED,
    READY,
    RECONCILING,
    ROUTE_READY,
    UP_TO_DATE,
    WORKLOAD_AVAILABLE,
)
from mizzen_crds.v1alpha1.conditions.table import reason_row
from mizzen_crds.v1alpha1.conditions.where_logs_are import logs_of

# What is as it should be
AVAILABLE: Final = reason_row(
    "Available", (READY, WORKLOAD_AVAILABLE), "Enough replicas are ready and callers get answers."
)
SCALED_TO_ZERO: Final = reason_row(
    "ScaledToZero",
    (READY, WORKLOAD_AVAILABLE, ROUTE_READY, AUTOSCALING_ACTIVE),
    "No replica runs, because none is needed; the next request starts one.",
)
STOPPED: Final = reason_row(
    "Stopped",
    (READY, WORKLOAD_AVAILABLE, ROUTE_READY),
    "No replica runs, because spec.lifecycle.state is Stopped or spec.replicas is 0.",
    "Set spec.lifecycle.state to Running and spec.replicas to 1 or more to serve again.",
)
RESOLVED: Final = reason_row("Resolved", (MODEL_RESOLVED,), "The source means one artifact; its digest is known.")
FITS: Final = reason_row("Fits", (MODEL_FITS,), "The estimate of memory is within the accelerators' memory.")
NO_ACCELERATOR: Final = reason_row(
    "NoAccelerator", (MODEL_FITS,), "The replicas run on CPUs, so no accelerator's memory bounds them."
)
CACHED: Final = reason_row("Cached", (MODEL_CACHED,), "The weights are in place and their digest is right.")
NO_WEIGHTS: Final = reason_row(
    "NoWeights", (MODEL_CACHED,), "The runtime serves no weights, so there is nothing to fetch."
)
WITHIN_QUOTA: Final = reason_row("WithinQuota", (QUOTA_RESERVED,), "The quota covers all wanted replicas.")
NO_QUOTA: Final = reason_row(
    "NoQuota", (QUOTA_RESERVED, QUOTA_READY), "No quota bounds this project, or none that counts its accelerators."
)
SUFFICIENT_CAPACITY: Final = reason_row(
    "SufficientCapacity", (CAPACITY_AVAILABLE,), "Every wanted replica has a place to run."
)
ROUTED: Final = reason_row("Routed", (ROUTE_READY,), "The served name leads to ready replicas.")
ROLLED_OUT: Final = reason_row("RolledOut", (UP_TO_DATE,), "All replicas run the newest revision.")
SCALING: Final = reason_row("Scaling", (AUTOSCALING_ACTIVE,), "The autoscaler sets the number of replicas.")
NOT_CONFIGURED: Final = reason_row(
    "NotConfigured",
    (AUTOSCALING_ACTIVE,),
    "spec.autoscaling is not set; the number of replicas is spec.replicas.",
)
NO_AUTOSCALER: Final = reason_row(
    "NoAutoscaler",
    (AUTOSCALING_ACTIVE,),
    "This release has no autoscaler: of spec.autoscaling only the bounds hold, and spec.replicas is kept within them.",
    "Set spec.replicas, or have a HorizontalPodAutoscaler or KEDA do it (docs/how-to/autoscalers.md).",
)
ADAPTERS_IN_PLACE: Final = reason_row("AdaptersInPlace", (ADAPTERS_LOADED,), "All adapters to be preloaded are loaded.")
NO_ADAPTERS: Final = reason_row("NoAdapters", (ADAPTERS_LOADED,), "The spec names no adapters.")

# What is on its way
NOT_OBSERVED: Final = reason_row(
    "NotObserved",
    tuple(CONDITION_TYPES)[:11],
    "It could not be observed in this pass, so it is Unknown; the next pass tries again.",
)
RESOLVING: Final = reason_row("Resolving", (MODEL_RESOLVED, RECONCILING), "The source is being resolved.")
FETCHING: Final = reason_row(
    "Fetching",
    (MODEL_CACHED, RECONCILING),
    "The weights are being fetched; status.startup.phases has the bytes.",
)
INSTALLING_ENVIRONMENT: Final = reason_row(
    "InstallingEnvironment",
    (WORKLOAD_AVAILABLE, RECONCILING),
    "The engine's environment is being made on this machine; once made it is kept.",
)
STARTING: Final = reason_row(
    "Starting", (WORKLOAD_AVAILABLE, ROUTE_READY, RECONCILING), "Replicas are starting; none has failed."
)
PROGRESSING: Final = reason_row(
    "Progressing", (UP_TO_DATE, RECONCILING), "The newest revision is replacing the one before."
)
SCALING_REPLICAS: Final = reason_row("ScalingReplicas", (RECONCILING,), "Replicas are being added or removed.")
STOPPING: Final = reason_row("Stopping", (RECONCILING,), "Replicas are finishing their requests before they stop.")
WAKING: Final = reason_row(
    "Waking",
    (WORKLOAD_AVAILABLE, ROUTE_READY, RECONCILING),
    "A request arrived at zero replicas; one is starting for it.",
)
CANARY_STEP: Final = reason_row(
    "CanaryStep",
    (UP_TO_DATE, RECONCILING),
    "A canary step is being watched; the next one follows when its pause is over.",
)
AWAITING_PROMOTION: Final = reason_row(
    "AwaitingPromotion",
    (UP_TO_DATE,),
    "The canary waits for a person: at a step with pause: Manual, or for an evaluation; this release runs none.",
    "Look at the new revision, then `mizzen rollout promote NAME`, or `mizzen rollout rollback NAME` "
    "(of a uri: apply the former spec).",
)
PAUSED: Final = reason_row(
    "Paused",
    (UP_TO_DATE,),
    "spec.rollout.mode is Paused, so the rollout takes no further step.",
    "Set spec.rollout.mode to Active.",
)
LOADING_ADAPTERS: Final = reason_row("LoadingAdapters", (ADAPTERS_LOADED, RECONCILING), "Adapters are being loaded.")

# The model
MODEL_NOT_FOUND: Final = reason_row(
    "ModelNotFound",
    (MODEL_RESOLVED,),
    "This project has no model of the name in spec.model.versionRef.model.",
    "Push it (`mizzen models push NAME PATH`) or correct the name; `mizzen models list` shows those that exist.",
)
VERSION_NOT_FOUND: Final = reason_row(
    "VersionNotFound",
    (MODEL_RESOLVED,),
    "The model has no version of the number in spec.model.versionRef.version.",
    "Choose one that `mizzen models versions NAME` lists.",
)
ALIAS_NOT_FOUND: Final = reason_row(
    "AliasNotFound",
    (MODEL_RESOLVED,),
    "The model has no alias of the name in spec.model.versionRef.alias.",
    "Set it (`mizzen models alias NAME ALIAS VERSION`) or name one that exists.",
)
VERSION_NOT_READY: Final = reason_row(
    "VersionNotReady",
    (MODEL_RESOLVED,),
    "The version is still being uploaded or checked.",
    "Wait until `mizzen models versions NAME` shows READY, or end the push that was broken off.",
)
VERSION_FAILED: Final = reason_row(
    "VersionFailed",
    (MODEL_RESOLVED,),
    "The version's check failed, which is final: it never becomes READY.",
    "Mend what the message says and push a new version (`mizzen models push NAME PATH`), then name that one.",
    needs_spec_change=True,
)
VERSION_QUARANTINED: Final = reason_row(
    "VersionQuarantined",
    (MODEL_RESOLVED,),
    "The version's scan found what may be dangerous, or somebody took it out of use: nothing serves it.",
    "Read `mizzen models scan NAME@VERSION`; push a mended version and name that one, or have this one released with a "
    "reason (`mizzen models release`).",
)
VERSION_UNSIGNED: Final = reason_row(
    "VersionUnsigned",
    (MODEL_RESOLVED,),
    "The project's policy requires signatures, and no key that the project trusts has signed the version.",
    "Sign it (`mizzen models sign NAME@VERSION --key FILE`); `mizzen signing-keys list` shows which keys are trusted.",
)
VERSION_ARCHIVED: Final = reason_row(
    "VersionArchived",
    (MODEL_RESOLVED,),
    "The version was taken out of use, so nothing new resolves to it.",
    "Name a READY version; `mizzen models versions NAME` lists them.",
    needs_spec_change=True,
)
REGISTRY_UNAVAILABLE: Final = reason_row(
    "RegistryUnavailable",
    (MODEL_RESOLVED, MODEL_CACHED),
    "The control plane did not answer; what serves goes on serving.",
    "Nothing, if it comes back; else look at the control plane's log.",
)
FORMAT_NOT_SERVED: Final = reason_row(
    "FormatNotServed",
    (MODEL_RESOLVED,),
    "The engine's runtime does not serve the format of the weights.",
    "Choose an engine that serves the format (`mizzen engines list` has each one's formats), or convert the model.",
    needs_spec_change=True,
)
FORMAT_UNKNOWN: Final = reason_row(
    "FormatUnknown",
    (MODEL_RESOLVED,),
    "The format of the weights is neither in the registry nor in the spec.",
    "Set spec.model.format.",
    needs_spec_change=True,
)
DOES_NOT_FIT: Final = reason_row(
    "DoesNotFit",
    (MODEL_FITS,),
    "Weights, cache and overhead are estimated to need more memory than the accelerators of a replica have.",
    "Raise spec.engine.parallelism.tensor, lower spec.engine.maxModelLen, choose a larger acceleratorClass, "
    "or set spec.resources.fitCheck to Warn.",
    needs_spec_change=True,
)
FITS_BARELY: Final = reason_row(
    "FitsBarely",
    (MODEL_FITS,),
    "The estimate exceeds the memory, and spec.resources.fitCheck is Warn: the replicas are started all the same.",
    "Lower spec.engine.maxModelLen or choose a larger acceleratorClass if they run out of memory.",
)
FIT_CHECK_DISABLED: Final = reason_row(
    "FitCheckDisabled", (MODEL_FITS,), "spec.resources.fitCheck is Disabled, so nothing is estimated."
)
FETCH_FAILED: Final = reason_row(
    "FetchFailed",
    (MODEL_CACHED, UP_TO_DATE),
    "The weights could not be fetched; the fetch is tried again with growing pauses.",
    "Check the address in spec.model.uri, the Secret in spec.model.secretName and the way to the source; "
    "status.lastFailure has the source's answer.",
)
DIGEST_MISMATCH: Final = reason_row(
    "DigestMismatch",
    (MODEL_CACHED, UP_TO_DATE),
    "What was fetched has another digest than was expected, so it is not served.",
    "Correct spec.model.digest if the artifact changed on purpose; otherwise somebody tampered with the source.",
    needs_spec_change=True,
)
LAYOUT_REFUSED: Final = reason_row(
    "LayoutRefused",
    (MODEL_CACHED, UP_TO_DATE),
    "The artifact is not what its format says, or it carries code that the project does not allow.",
    "Push a correct artifact as a new version, or ask the project's owner to allow code; "
    "status.lastFailure names the file.",
    needs_spec_change=True,
)
SECRET_NOT_FOUND: Final = reason_row(
    "SecretNotFound",
    (MODEL_CACHED,),
    "The Secret that spec.model.secretName names does not exist, or it lacks the key `host`.",
    "Make the Secret in the deployment's namespace, with a key `host` beside the credential.",
)
DISK_FULL: Final = reason_row(
    "DiskFull",
    (MODEL_CACHED,),
    "The volume for the weights has no room left.",
    "Raise spec.model.cache.sizeLimit, choose a larger claim, or free disk space.",
)

# Room
QUOTA_EXCEEDED: Final = reason_row(
    "QuotaExceeded",
    (QUOTA_RESERVED, UP_TO_DATE),
    "The project's quota does not cover the wanted replicas.",
    "Ask for more quota, ask for fewer replicas, or stop another deployment of the project.",
)
DEPLOYMENT_QUOTA_EXCEEDED: Final = reason_row(
    "DeploymentQuotaExceeded",
    (QUOTA_RESERVED,),
    "The project has as many deployments as its quota allows, and this one has not begun.",
    "Delete another deployment of the project, or have spec.quota.deployments raised; it begins by itself then.",
)
QUEUED: Final = reason_row(
    "Queued",
    (QUOTA_RESERVED,),
    "The admission queue has not admitted the replicas yet.",
    "Wait. `kubectl get localqueues.kueue.x-k8s.io` tells whether the queue is there and how much waits in it; "
    "spec.placement.queueName chooses another.",
)
NO_SPARE_ACCELERATOR: Final = reason_row(
    "NoSpareAccelerator",
    (UP_TO_DATE, CAPACITY_AVAILABLE),
    "The rollout needs more accelerators than are free, and neither its strategy nor spec.rollout.minAvailable lets it "
    "free any.",
    "Do what the message says, which depends on strategy and minAvailable; or free as many accelerators as "
    "status.rollout.hold.needed says.",
)
UNSCHEDULABLE: Final = reason_row(
    "Unschedulable",
    (CAPACITY_AVAILABLE, UP_TO_DATE, WORKLOAD_AVAILABLE),
    "No node takes a replica; the message has the scheduler's words.",
    "Add a node with the wanted accelerators, relax spec.placement, or lower spec.resources.",
)
ACCELERATOR_CLASS_NOT_FOUND: Final = reason_row(
    "AcceleratorClassNotFound",
    (CAPACITY_AVAILABLE, QUOTA_READY),
    "There is no AcceleratorClass of a name that the spec gives; the message has it.",
    "Make it, or name one that `kubectl get acceleratorclasses.mizzen.dev` lists.",
)
POD_REFUSED: Final = reason_row(
    "PodRefused",
    (WORKLOAD_AVAILABLE, UP_TO_DATE),
    "The cluster refuses the pod for what its template says; the message has its words.",
    "Correct the field that the message names.",
    needs_spec_change=True,
)

# The workload
RUNTIME_NOT_FOUND: Final = reason_row(
    "RuntimeNotFound",
    (WORKLOAD_AVAILABLE, UP_TO_DATE),
    "There is no ServingRuntime of the name in spec.engine.runtimeRef.",
    "Apply it, or name one of `kubectl get servingruntimes.mizzen.dev` (on one machine: of `mizzen engines list`).",
)
RUNTIME_MISMATCH: Final = reason_row(
    "RuntimeMismatch",
    (WORKLOAD_AVAILABLE, UP_TO_DATE),
    "The ServingRuntime in spec.engine.runtimeRef starts another engine than spec.engine.type.",
    "Name a runtime of that engine.",
    needs_spec_change=True,
)
ARG_NOT_ALLOWED: Final = reason_row(
    "ArgNotAllowed",
    (WORKLOAD_AVAILABLE, UP_TO_DATE),
    "A flag in spec.engine.args is not on the runtime's list of allowed ones, or it is set by Mizzen.",
    "Remove the flag, or have the platform's owner add it to allowedArgs of the ServingRuntime.",
    needs_spec_change=True,
)
IMAGE_NOT_ALLOWED: Final = reason_row(
    "ImageNotAllowed",
    (WORKLOAD_AVAILABLE, UP_TO_DATE),
    "spec.engine.image is not on the runtime's list of allowed images.",
    "Remove it, or have the platform's owner add it to allowedImages of the ServingRuntime.",
    needs_spec_change=True,
)
ENGINE_VERSION_NOT_FOUND: Final = reason_row(
    "EngineVersionNotFound",
    (WORKLOAD_AVAILABLE, UP_TO_DATE),
    "The runtime does not list the version in spec.engine.version.",
    "Choose one of the versions that the message lists.",
    needs_spec_change=True,
)
IMAGE_PULL_FAILED: Final = reason_row(
    "ImagePullFailed",
    (WORKLOAD_AVAILABLE,),
    "The engine's image cannot be pulled.",
    "Check the image's name and the way to its registry; the pull is tried again.",
)
ENVIRONMENT_MISSING: Final = reason_row(
    "EnvironmentMissing",
    (WORKLOAD_AVAILABLE,),
    "The engine's environment does not exist on this machine and could not be made.",
    "`mizzen engines install ENGINE`; without a network, set UV_INDEX_URL to a package index that can be reached.",
)
CRASH_LOOPING: Final = reason_row(
    "CrashLooping",
    (WORKLOAD_AVAILABLE,),
    "A container exits again and again; it is started with growing pauses.",
    f"Read status.lastFailure, and what its component, a container, printed: {logs_of('CONTAINER')}.",
)
OUT_OF_MEMORY: Final = reason_row(
    "OutOfMemory",
    (WORKLOAD_AVAILABLE,),
    "The kernel killed the engine because it used more memory than its limit.",
    "Raise spec.resources.limits.memory, or lower spec.engine.maxModelLen.",
)
STARTUP_TIMED_OUT: Final = reason_row(
    "StartupTimedOut",
    (WORKLOAD_AVAILABLE,),
    "A replica made no progress for so long that its startup budget ended.",
    f"Read {logs_of('engine')}; raise spec.lifecycle.startupBudgetSeconds if the model merely loads slowly.",
)
REPLICA_UNREADY: Final = reason_row(
    "ReplicaUnready",
    (WORKLOAD_AVAILABLE,),
    "Fewer replicas are ready than must be available; those that were ready are being healed.",
    f"If it lasts, read {logs_of('engine')}.",
)
APPLY_FAILED: Final = reason_row(
    "ApplyFailed",
    (WORKLOAD_AVAILABLE, UP_TO_DATE, NAMESPACES_BOUND, QUOTA_READY, ACCESS_READY),
    "A write to the cluster failed; it is tried again.",
    "The message has the server's words; check the operator's permissions if it lasts.",
)

# The rollout
PROGRESS_DEADLINE_EXCEEDED: Final = reason_row(
    "ProgressDeadlineExceeded",
    (UP_TO_DATE,),
    "The newest revision made no progress within spec.rollout.progressDeadlineSeconds and was given up; "
    "the one before serves on. Where none served before, its pods stay and go on trying.",
    "Read status.lastFailure, then change the spec; the given-up revision is not rolled out again.",
    needs_spec_change=True,
)
ANALYSIS_FAILED: Final = reason_row(
    "AnalysisFailed",
    (UP_TO_DATE,),
    "The canary did worse than spec.rollout.canary.analysis allows and was taken back.",
    "Compare the revisions (`mizzen rollout status NAME`), then change the spec.",
    needs_spec_change=True,
)
ANALYSIS_PAUSED: Final = reason_row(
    "AnalysisPaused",
    (UP_TO_DATE,),
    "The canary does worse than spec.rollout.canary.analysis allows and waits at its step, as onFailure is Pause.",
    "Compare the revisions (`mizzen rollout status NAME`); then `mizzen rollout promote NAME`, "
    "`mizzen rollout rollback NAME` (of a uri: apply the former spec), or wait for better figures.",
)

# The route
NAME_TAKEN: Final = reason_row(
    "NameTaken",
    (ROUTE_READY, ACCEPTED),
    "An older deployment (for a route: an older route, or a deployment that is none of its backends) of the project "
    "has one of the names already.",
    "Choose another spec.servedModelName or alias; the message names the other object.",
    needs_spec_change=True,
)
NO_REPLICA_READY: Final = reason_row(
    "NoReplicaReady",
    (ROUTE_READY, WORKLOAD_AVAILABLE),
    "No replica is ready, so callers get 503 with Retry-After.",
    "Look at the condition that the message names; Ready repeats its reason.",
)
GATEWAY_UNAVAILABLE: Final = reason_row(
    "GatewayUnavailable",
    (ROUTE_READY,),
    "No gateway has reported in the last seconds.",
    "Look at the gateway's log.",
)

# The autoscaler and the adapters
LOAD_UNKNOWN: Final = reason_row(
    "LoadUnknown",
    (AUTOSCALING_ACTIVE,),
    "No gateway has reported the load, so the number of replicas is held.",
    "Look at the gateway's log.",
)
AT_MAXIMUM: Final = reason_row(
    "AtMaximum",
    (AUTOSCALING_ACTIVE,),
    "More replicas are wanted than spec.autoscaling.maxReplicas.",
    "Raise spec.autoscaling.maxReplicas, or accept longer waits.",
)
ADAPTER_FAILED: Final = reason_row(
    "AdapterFailed",
    (ADAPTERS_LOADED,),
    "An adapter could not be fetched; this revision does not start, and the one before goes on serving.",
    "The message names the adapter; correct its uri or versionRef.",
)
