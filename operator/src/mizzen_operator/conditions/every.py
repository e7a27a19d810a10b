"""Which conditions does a deployment have now? All of them, on every pass, with the time of their last change."""

from datetime import datetime

from mizzen_crds.v1alpha1 import conditions
from mizzen_crds.v1alpha1.metadata import Condition
from mizzen_crds.v1alpha1.model_deployment import ModelDeployment

from mizzen_operator.conditions import model, room, serving, summary
from mizzen_operator.conditions.dated import dated
from mizzen_operator.observation import Observation
from mizzen_operator.rollout.outcome import RolloutPlan


def every_condition(
    deployment: ModelDeployment, observation: Observation, plan: RolloutPlan | None, now: datetime
) -> list[Condition]:
    """Return Ready first, then the rest in the order of a start, then Reconciling and Stalled while true."""
    said = {
        conditions.MODEL_RESOLVED: model.model_resolved(deployment, observation),
        conditions.MODEL_FITS: model.model_fits(deployment, observation),
        conditions.MODEL_CACHED: model.model_cached(deployment, observation, plan),
        conditions.QUOTA_RESERVED: room.quota_reserved(deployment, observation, plan),
        conditions.CAPACITY_AVAILABLE: room.capacity_available(deployment, observation, plan),
        conditions.WORKLOAD_AVAILABLE: serving.workload_available(deployment, observation, plan),
        conditions.ROUTE_READY: serving.route_ready(deployment, observation, plan),
        conditions.UP_TO_DATE: serving.up_to_date(deployment, observation, plan),
        conditions.AUTOSCALING_ACTIVE: serving.autoscaling_active(deployment, observation),
        conditions.ADAPTERS_LOADED: model.adapters_loaded(deployment, observation),
    }
    said = summary.with_cause(said)
    stuck = summary.stalled(said)
    whole = {conditions.READY: summary.ready(deployment, said, plan), **said}
    moving = summary.reconciling(observation, said, plan, stuck)
    if moving is not None:
        whole[conditions.RECONCILING] = moving
    if stuck is not None:
        whole[conditions.STALLED] = stuck
    return dated(whole, deployment.status.conditions, deployment.metadata.generation, now)
