"""Which conditions does a deployment have now? All of them, on every pass, with the time of their last change."""

from datetime import datetime

from mizzen_crds.v1alpha1 import conditions
from mizzen_crds.v1alpha1.metadata import Condition
from mizzen_crds.v1alpha1.model_deployment import ModelDeployment

from mizzen_operator.conditions import model, room, serving, summary
from mizzen_operator.conditions.verdict import LONGEST_MESSAGE, Said
from mizzen_operator.observation import Observation
from mizzen_operator.rollout.outcome import RolloutPlan


def every_condition(
    deployment: ModelDeployment, observation: Observation, plan: RolloutPlan | None, now: datetime
) -> list[Condition]:
    """Return Ready first, then the rest in the order of a start, then Reconciling and Stalled while true."""
    said = {
        conditions.MODEL_RESOLVED: model.model_resolved(deployment, observation),
        conditions.MODEL_FITS: model.model_fits(deployment, observation),
        conditions.MODEL_CACHED: model.model_cached(observation, plan),
        conditions.QUOTA_RESERVED: room.quota_reserved(deployment, observation, plan),
        conditions.CAPACITY_AVAILABLE: room.capacity_available(deployment, observation, plan),
        conditions.WORKLOAD_AVAILABLE: serving.workload_available(deployment, observation, plan),
        conditions.ROUTE_READY: serving.route_ready(deployment, observation, plan),
        conditions.UP_TO_DATE: serving.up_to_date(observation, plan),
        conditions.AUTOSCALING_ACTIVE: serving.autoscaling_active(deployment, observation),
        conditions.ADAPTERS_LOADED: model.adapters_loaded(deployment),
    }
    stuck = summary.stalled(said)
    whole = {conditions.READY: summary.ready(deployment, said, plan), **said}
    moving = summary.reconciling(observation, said, plan, stuck)
    if moving is not None:
        whole[conditions.RECONCILING] = moving
    if stuck is not None:
        whole[conditions.STALLED] = stuck
    return [_condition(name, one, deployment, now) for name, one in whole.items()]


def _condition(name: str, said: Said, deployment: ModelDeployment, now: datetime) -> Condition:
    before = next((one for one in deployment.status.conditions if one.type == name), None)
    unchanged = before is not None and before.status == said.status
    return Condition(
        type=name,
        status=said.status,
        reason=said.reason,
        message=said.message[:LONGEST_MESSAGE],
        last_transition_time=before.last_transition_time if before is not None and unchanged else now,
        observed_generation=deployment.metadata.generation,
    )
