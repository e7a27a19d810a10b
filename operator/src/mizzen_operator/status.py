"""What became of a deployment? The whole status, from one pass's observation and plan."""

from collections.abc import Mapping
from datetime import datetime

from mizzen_crds.v1alpha1 import conditions, labels
from mizzen_crds.v1alpha1.model_deployment import ModelDeployment, ModelDeploymentStatus
from mizzen_crds.v1alpha1.model_deployment.status import (
    LastFailure,
    ResolvedAdapter,
    ResolvedModel,
    RevisionStatus,
    StartupStatus,
)

from mizzen_operator.conditions.every import every_condition
from mizzen_operator.conditions.serving import newest_failure
from mizzen_operator.kinds.model_deployment.fit.check import fit_of
from mizzen_operator.observation import Observation
from mizzen_operator.rollout.fleet import Fleet, ObservedPod
from mizzen_operator.rollout.outcome import RolloutPlan

MOST_REVISIONS = 5


def build_status(
    deployment: ModelDeployment,
    observation: Observation,
    plan: RolloutPlan | None,
    now: datetime,
    *,
    url: str = "",
    traffic: Mapping[str, int] | None = None,
) -> ModelDeploymentStatus:
    """The status to write, equal to `deployment.status` when nothing changed. `plan` is None where none was made.

    What this pass could not see (no plan, no resolved model) is kept as the last pass wrote it; conditions say so.
    `traffic`, percents by hash, is what revisions get where no plan says it.
    """
    before, fleet = deployment.status, observation.fleet
    target = observation.revision.hash if observation.revision else (plan.target if plan else "")
    newest = fleet.find(target)
    return ModelDeploymentStatus(
        observed_generation=deployment.metadata.generation,
        conditions=every_condition(deployment, observation, plan, now),
        replicas=sum(len(one.live) for one in fleet.revisions),
        ready_replicas=sum(one.ready for one in fleet.revisions),
        updated_replicas=len(newest.live) if newest else 0,
        unschedulable_replicas=sum(one.unschedulable for one in fleet.revisions),
        desired_replicas=plan.wanted if plan else before.desired_replicas,
        selector=f"{labels.DEPLOYMENT}={deployment.metadata.name},{labels.COMPONENT}=engine",
        url=url or before.url,
        project=observation.project or before.project,
        resolved_model=_resolved_model(deployment, observation) or before.resolved_model,
        adapters=_adapters(deployment, observation),
        revisions=_revisions(deployment, observation, plan, now)
        if plan
        else _as_seen(before.revisions, observation.fleet, traffic),
        rollout=plan.rollout if plan else before.rollout,
        startup=observation.startup or _startup(newest.live if newest else ()) or before.startup,
        last_failure=observation.last_failure or _last_failure(deployment, observation, now),
        autoscaling=observation.autoscaling or before.autoscaling,
    )


def _adapters(deployment: ModelDeployment, observation: Observation) -> list[ResolvedAdapter]:
    """Return the adapters as resolved; while that cannot be told, what was said of those that the spec still names."""
    if observation.artifact is not None:
        return [one.to_status() for one in observation.artifact.adapters]
    named = {one.name for one in deployment.spec.adapters}
    return [one for one in deployment.status.adapters if one.name in named]


def _resolved_model(deployment: ModelDeployment, observation: Observation) -> ResolvedModel | None:
    """Return the artifact with its estimate, which speaks of accelerators alone."""
    if observation.artifact is None:
        return None
    told, before = observation.artifact.to_status(), deployment.status.resolved_model
    if observation.artifact.memory is None and before is not None and before.digest == told.digest != "":
        kept = {"estimated_memory_bytes": before.estimated_memory_bytes, "parameters": before.parameters}
        return told.model_copy(update=kept)
    fit = fit_of(deployment, observation.artifact, observation.accelerator_bytes)
    estimated = fit.estimated_bytes if deployment.spec.resources.accelerators_per_pod else None
    # A header counts the words that weights are packed into; the dimensions tell how many there are.
    parameters = fit.parameters if fit.parameters is not None else told.parameters
    return told.model_copy(update={"estimated_memory_bytes": estimated, "parameters": parameters})


def _as_seen(before: list[RevisionStatus], fleet: Fleet, traffic: Mapping[str, int] | None) -> list[RevisionStatus]:
    """Return what was said of the revisions with the replicas seen now; states are a plan's to say."""
    seen = [
        one.model_copy(update={"replicas": now.replicas, "ready": now.ready}) if (now := fleet.find(one.hash)) else one
        for one in before
    ]
    if traffic is None:
        return seen
    return [one.model_copy(update={"traffic_percent": traffic.get(one.hash, 0)}) for one in seen]


def _revisions(
    deployment: ModelDeployment, observation: Observation, plan: RolloutPlan, now: datetime
) -> list[RevisionStatus]:
    created = {one.hash: one.created_at for one in deployment.status.revisions}
    versions = {one.hash: one.model_version for one in deployment.status.revisions}
    adapters = {one.hash: one.adapters for one in deployment.status.revisions}
    if observation.artifact is not None and observation.revision is not None:
        adapters[observation.revision.hash] = [one.name for one in observation.artifact.adapters]
        # Several versions may have one content, hence one revision: it goes by the one that the spec means now.
        versions[observation.revision.hash] = observation.artifact.version
    described = []
    for one in plan.revisions:
        if one.hash in plan.expired:
            continue
        seen = observation.fleet.find(one.hash)
        described.append(
            RevisionStatus(
                name=one.name,
                hash=one.hash,
                replicas=one.replicas,
                ready=seen.ready if seen else 0,
                traffic_percent=one.traffic_percent,
                state=one.state,
                created_at=created.get(one.hash) or (seen.created_at if seen else now),
                model_version=versions.get(one.hash) or (seen.model_version if seen else None),
                adapters=adapters.get(one.hash, []),
            )
        )
    return _most_recent(described)


def _most_recent(described: list[RevisionStatus]) -> list[RevisionStatus]:
    """Return the newest five; a revision that still runs is never left out for one that does not."""
    running = {one.hash for one in described if one.replicas or one.ready or one.traffic_percent}
    kept = sorted(described[1:], key=lambda one: (one.hash in running, one.created_at), reverse=True)
    chosen = {one.hash for one in (*described[:1], *kept[: MOST_REVISIONS - 1])}
    return [one for one in described if one.hash in chosen]


def _startup(pods: tuple[ObservedPod, ...]) -> StartupStatus | None:
    starting = [pod for pod in pods if pod.phases and not pod.ready]
    shown = starting or [pod for pod in pods if pod.phases]
    if not shown:
        return None
    newest = max(shown, key=lambda pod: pod.created_at)
    return StartupStatus(phases=list(newest.phases))


def _rolling_out(observation: Observation) -> bool:
    """Whether several revisions run: a pod without a place then waits for one that goes, and the hold says so."""
    return sum(one.replicas > 0 or one.pods != () for one in observation.fleet.revisions) > 1


def _last_failure(deployment: ModelDeployment, observation: Observation, now: datetime) -> LastFailure | None:
    failure, before = newest_failure(observation), deployment.status.last_failure
    if failure is None or (failure.reason == conditions.UNSCHEDULABLE and _rolling_out(observation)):
        # A pod that waited for its place has found it: nothing failed.
        return None if before is not None and before.reason == conditions.UNSCHEDULABLE else before
    row = conditions.REASONS.get(failure.reason)
    same = before is not None and (before.reason, before.message) == (failure.reason, failure.message)
    return LastFailure(
        component=failure.component,
        reason=failure.reason,
        message=failure.message,
        exit_code=failure.exit_code,
        time=failure.time or (before.time if before is not None and same else now),
        remedy=row.remedy if row is not None else "",
    )
