"""What can neither schema nor CEL refuse? Rules that need the runtime, the artifact or the other deployments."""

from collections.abc import Sequence

from mizzen_crds.v1alpha1.model_deployment import ModelDeployment
from mizzen_crds.v1alpha1.serving_runtime import ServingRuntime

from mizzen_operator.kinds.model_deployment.artifact import Artifact
from mizzen_operator.observation import Refusal


def refusals(
    deployment: ModelDeployment,
    runtime: ServingRuntime | None,
    artifact: Artifact | None,
    others: Sequence[ModelDeployment],
) -> tuple[Refusal, ...]:
    """Return every reason why the deployment may not run as it is; `others` are the deployments of its namespace."""
    raise NotImplementedError
