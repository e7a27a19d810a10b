"""What did this pass see? All that status and conditions are computed from."""

from dataclasses import dataclass, field

from mizzen_crds.v1alpha1.model_deployment.status import AutoscalingStatus, LastFailure, StartupStatus
from mizzen_crds.v1alpha1.serving_runtime import ServingRuntime

from mizzen_operator.kinds.model_deployment.artifact import Artifact
from mizzen_operator.revision import Revision
from mizzen_operator.rollout.fleet import Capacity, Fleet


@dataclass(frozen=True)
class Refusal:
    """Why something cannot be: a constant of the table of reasons and a sentence with the remedy."""

    reason: str
    """VersionNotFound, RegistryUnavailable, RuntimeNotFound, ArgNotAllowed, NameTaken, ..."""
    message: str
    """Names the field, the limit and the remedy."""


@dataclass(frozen=True)
class Observation:
    """One pass's view of a deployment. None always means: could not be told, or not looked at."""

    runtime: ServingRuntime | None = None
    """The runtime that the spec names; None when there is none of that name."""
    artifact: Artifact | None = None
    """The resolved model."""
    accelerator_bytes: int | None = None
    """Memory of one accelerator of the class that the spec names, or of the part of one that a pod gets."""
    resolution_failure: Refusal | None = None
    """Why the model could not be resolved."""
    refusals: tuple[Refusal, ...] = ()
    """What `kinds.model_deployment.admission.refusals` said."""
    revision: Revision | None = None
    """The revision that the spec asks for; None while the model is not resolved."""
    fleet: Fleet = field(default_factory=Fleet)
    """What runs."""
    capacity: Capacity | None = None
    """What is left for more replicas."""
    routed: bool | None = None
    """The endpoints were published to the gateways."""
    project: str = ""
    """Project of the namespace."""
    project_found: bool = True
    """There is a Project object for it; without one only the control plane knows whether the project exists."""
    startup: StartupStatus | None = None
    """The ledger of starts."""
    last_failure: LastFailure | None = None
    """The last thing that went wrong; by default the newest failure of a pod, then the one in the status."""
    autoscaling: AutoscalingStatus | None = None
    """What the autoscaler last did."""
    error: str = ""
    """An unexpected error that ended the pass early."""
