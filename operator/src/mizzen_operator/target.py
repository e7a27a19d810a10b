"""What does the spec ask for, as far as it can be told? Runtime, artifact, refusals and the revision to run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mizzen_crds.v1alpha1 import conditions
from mizzen_crds.v1alpha1.model_deployment import ModelDeployment
from mizzen_crds.v1alpha1.serving_runtime import ServingRuntime

from mizzen_operator.kinds.model_deployment.admission import blocks_pods, refusals
from mizzen_operator.kinds.model_deployment.artifact import Artifact
from mizzen_operator.kinds.model_deployment.desired import Desired, desired
from mizzen_operator.kinds.model_deployment.environment import PlanEnvironment
from mizzen_operator.observation import Refusal
from mizzen_operator.revision import Revision, revision_hash


@dataclass(frozen=True)
class Target:
    """What the spec asks for."""

    runtime: ServingRuntime | None
    artifact: Artifact | None
    failure: Refusal | None
    """Why the model could not be resolved."""
    found: tuple[Refusal, ...]
    """Every other reason why it may not run as it is."""
    desired: Desired | None
    """The revision and its children; None while something forbids new pods."""
    accelerator_bytes: int | None = None
    """Memory of one accelerator that a pod gets; None where no class says it."""

    @property
    def revision(self) -> Revision | None:
        """The revision to run."""
        return self.desired.revision if self.desired else None

    @property
    def refused(self) -> bool:
        """The spec itself is at fault: waiting alone cures nothing, as it does while the registry is away."""
        broken = self.failure is not None and self.failure.reason != conditions.REGISTRY_UNAVAILABLE
        return broken or blocks_pods(self.found)


def find_target(
    deployment: ModelDeployment,
    runtime: ServingRuntime | None,
    answer: Artifact | Refusal,
    others: Sequence[ModelDeployment],
    frozen: Mapping[str, Revision],
    environment: PlanEnvironment,
    *,
    rendered: ServingRuntime | None = None,
    further: tuple[Refusal, ...] = (),
) -> Target:
    """Return the target.

    `answer` is what the registry said of the model, `frozen` are kept revisions by hash: their templates win over a new
    rendering. `rendered` is the runtime to render with where that is not `runtime` itself; `further` are refusals that
    only the caller can know.
    """
    artifact = answer if isinstance(answer, Artifact) else None
    failure = answer if isinstance(answer, Refusal) else None
    memory = environment.accelerator_bytes(deployment.spec.resources)
    found = (*refusals(deployment, runtime, artifact, others, memory), *further)
    wanted = None
    if runtime and artifact and not blocks_pods(found):
        known = frozen.get(revision_hash(deployment, artifact.identity))
        wanted = desired(deployment, rendered or runtime, artifact, environment, frozen=known)
    return Target(runtime, artifact, failure, found, wanted, memory)
