"""What became of a deployment? The whole status, from one pass's observation and plan."""

from datetime import datetime

from mizzen_crds.v1alpha1.model_deployment import ModelDeployment, ModelDeploymentStatus

from mizzen_operator.observation import Observation
from mizzen_operator.rollout.plan import RolloutPlan


def build_status(
    deployment: ModelDeployment,
    observation: Observation,
    plan: RolloutPlan | None,
    now: datetime,
    *,
    url: str = "",
) -> ModelDeploymentStatus:
    """The status to write, equal to `deployment.status` when nothing changed. `plan` is None where none was made."""
    raise NotImplementedError
