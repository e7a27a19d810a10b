"""Do callers get answers? WorkloadAvailable, RouteReady, UpToDate and AutoscalingActive."""

from mizzen_crds.v1alpha1 import conditions
from mizzen_crds.v1alpha1.model_deployment import ModelDeployment
from mizzen_crds.v1alpha1.model_deployment.rollout import LifecycleState

from mizzen_operator.conditions.model import FETCH_REASONS, refused_by
from mizzen_operator.conditions.verdict import Said, meaning_of, needs_spec_change, no, unknown, yes
from mizzen_operator.counted import counted, ready_of, verb
from mizzen_operator.observation import Observation, Refusal
from mizzen_operator.rollout.fleet import PodFailure
from mizzen_operator.rollout.outcome import RolloutPlan
from mizzen_operator.rollout.plan import wanted_replicas
from mizzen_operator.rollout.situation import resolved


def zero_reason(deployment: ModelDeployment) -> str:
    """Return why no replica runs on purpose: Stopped, or ScaledToZero by the autoscaler."""
    stopped = deployment.spec.lifecycle.state is LifecycleState.STOPPED or deployment.spec.autoscaling is None
    return conditions.STOPPED if stopped else conditions.SCALED_TO_ZERO


def newest_failure(observation: Observation) -> PodFailure | None:
    """Return what last went wrong in a pod that is not ready, those of the newest revision first.

    What happened inside a pod goes before a pod that waits for a place: a replaced replica's place is asked for first.
    """
    target = observation.revision.hash if observation.revision else ""
    ordered = sorted(observation.fleet.revisions, key=lambda one: (one.hash != target, -one.created_at.timestamp()))
    found = [pod.failure for one in ordered for pod in one.live if pod.failure and not pod.ready]
    return min(found, key=lambda one: one.reason == conditions.UNSCHEDULABLE, default=None)


def workload_available(deployment: ModelDeployment, observation: Observation, plan: RolloutPlan | None) -> Said:
    """Whether as many replicas as must be available are ready."""
    ready = sum(one.ready for one in observation.fleet.revisions)
    if observation.error:
        return no(conditions.APPLY_FAILED, observation.error)
    refusal = refused_by(observation, conditions.WORKLOAD_AVAILABLE)
    if plan is None:
        if refusal is not None and ready == 0:
            return no(refusal.reason, refusal.message)
        told = f"{counted(ready, 'replica')} {verb(ready, 'is', 'are')} ready."
        return yes(conditions.AVAILABLE, told) if ready else unknown("No replica was planned in this pass.")
    if plan.wanted == 0:
        return yes(zero_reason(deployment))
    enough = max(1, plan.least)
    if ready >= enough:
        return yes(conditions.AVAILABLE, ready_of(ready, plan.wanted))
    return _unavailable(observation, plan, ready, enough, refusal)


def _unavailable(observation: Observation, plan: RolloutPlan, ready: int, enough: int, refusal: Refusal | None) -> Said:
    text = f"{counted(ready, 'replica')} {verb(ready, 'is', 'are')} ready; {enough} must be."
    if refusal is not None:
        return no(refusal.reason, f"{text} {refusal.message}")
    failure = newest_failure(observation)
    if failure is not None and failure.reason in FETCH_REASONS:
        return Said("False", conditions.NO_REPLICA_READY, f"{text} The condition ModelCached says why.")
    if failure is not None:
        return no(failure.reason, f"{text} {failure.component}: {failure.message}".strip())
    waiting = [pod for one in observation.fleet.revisions for pod in one.live if not pod.ready]
    if installing := next((pod.installing for pod in waiting if pod.installing), ""):
        return no(conditions.INSTALLING_ENVIRONMENT, f"{text} {installing}")
    if waiting or not plan.complete:
        return no(conditions.STARTING, text)
    return no(conditions.REPLICA_UNREADY, text)


def route_ready(deployment: ModelDeployment, observation: Observation, plan: RolloutPlan | None) -> Said:
    """Whether the served name leads to ready replicas."""
    refusal = refused_by(observation, conditions.ROUTE_READY)
    if refusal is not None:
        return no(refusal.reason, refusal.message)
    if plan is not None and plan.wanted == 0:
        return yes(zero_reason(deployment))
    if not any(one.ready for one in observation.fleet.revisions):
        return no(conditions.NO_REPLICA_READY)
    if observation.routed is None:
        return unknown("Whether gateways know the endpoints was not looked at in this pass.")
    if not observation.routed:
        return no(conditions.GATEWAY_UNAVAILABLE, "The endpoints could not be published to the gateways.")
    return yes(conditions.ROUTED, "" if observation.project_found else _for_nobody(deployment, observation.project))


def _for_nobody(deployment: ModelDeployment, project: str) -> str:
    """The operator cannot tell whether the control plane has a project that has no object."""
    return (
        f"{meaning_of(conditions.ROUTED)} No Project object names the namespace {deployment.metadata.namespace}, so "
        f"only keys of a project {project} of the control plane reach it: `mizzen projects list` shows whether there "
        f"is one, `mizzen projects create {project}` makes it."
    )


def up_to_date(deployment: ModelDeployment, observation: Observation, plan: RolloutPlan | None) -> Said:
    """Whether all replicas run the newest revision, and it gets all traffic."""
    refusal = refused_by(observation, conditions.WORKLOAD_AVAILABLE)
    if refusal is not None:
        kept = " What served before goes on serving." if any(one.ready for one in observation.fleet.revisions) else ""
        return no(refusal.reason, f"{refusal.message}{kept}")
    if plan is None:
        return unknown("The newest revision is not known in this pass.")
    hold = plan.hold
    if hold is not None and hold.gate in conditions.REASONS:
        # A gate that opens without another spec says itself how; the table's words would say it once more.
        return no(hold.gate, hold.reason) if needs_spec_change(hold.gate) else Said("False", hold.gate, hold.reason)
    if plan.complete or plan.wanted == 0:
        return yes(conditions.ROLLED_OUT, _more_than_run(deployment, plan.wanted))
    return no(conditions.PROGRESSING, hold.reason if hold is not None else "")


def _more_than_run(deployment: ModelDeployment, wanted: int) -> str:
    """Say that minAvailable asks for more than there are, before a rollout stands still for it; empty where not."""
    bound = deployment.spec.rollout.min_available
    if bound is None or resolved(bound, wanted) <= wanted:
        return ""
    return (
        f"{meaning_of(conditions.ROLLED_OUT)} spec.rollout.minAvailable, {bound}, is above the replicas and counts as "
        f"{wanted}: no rollout may free a replica before its successor is ready."
    )


def autoscaling_active(deployment: ModelDeployment, observation: Observation) -> Said:
    """Whether the autoscaler sets the number of replicas."""
    if deployment.spec.autoscaling is None:
        return no(conditions.NOT_CONFIGURED)
    if observation.autoscaling is None or observation.autoscaling.last_decision_time is None:
        bounds, count = deployment.spec.autoscaling, wanted_replicas(deployment)
        return no(
            conditions.NO_AUTOSCALER,
            f"spec.replicas, {deployment.spec.replicas}, is kept within {bounds.min_replicas} and "
            f"{bounds.max_replicas}, so {counted(count, 'replica')} {verb(count, 'is', 'are')} wanted.",
        )
    return yes(conditions.SCALING)
