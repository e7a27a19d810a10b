"""May the canary take its next step? Pauses, promotion by a person, and the analysis of what gateways saw."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from mizzen_crds.v1alpha1 import conditions, labels
from mizzen_crds.v1alpha1.model_deployment import ModelDeployment
from mizzen_crds.v1alpha1.model_deployment.rollout import CanaryAnalysis, CanaryPause, OnFailure

from mizzen_operator.rollout.fleet import LoadWindow
from mizzen_operator.rollout.situation import Situation
from mizzen_operator.rollout.strategies import Wait

FEWEST_LEFT = 5
"""Callers who left, of whom fewer say nothing."""


@dataclass(frozen=True)
class Verdict:
    """What became of a step that has been reached."""

    passed: bool = False
    failed: str = ""
    """Why the revision is to be given up; empty when it is not."""
    wait: Wait | None = None


def verdict(deployment: ModelDeployment, situation: Situation, step: int, since: datetime, now: datetime) -> Verdict:
    """Judge step number `step`, whose replicas have been ready since `since`."""
    canary = deployment.spec.rollout.canary
    current, analysis = canary.steps[step], canary.analysis
    worse = shortfall(situation, analysis) if current.traffic_percent else ""
    if worse and analysis.on_failure is OnFailure.ROLLBACK:
        return Verdict(failed=worse)
    if _promoted(deployment, situation, step):
        return Verdict(passed=True)
    if worse:
        return Verdict(wait=Wait(conditions.ANALYSIS_PAUSED, f"{worse} Roll back, or promote all the same."))
    if current.pause is CanaryPause.MANUAL:
        return Verdict(wait=_for_a_person(deployment, situation, step))
    if current.pause_seconds is not None and now < since + timedelta(seconds=current.pause_seconds):
        until = since + timedelta(seconds=current.pause_seconds)
        text = f"Step {step} at {current.traffic_percent} % of requests is watched until {until:%Y-%m-%d %H:%M:%S} UTC."
        return Verdict(wait=Wait(conditions.CANARY_STEP, text))
    return _enough_seen(situation.goal.load, analysis, current.traffic_percent, step)


def shortfall(situation: Situation, analysis: CanaryAnalysis) -> str:
    """Return what the new revision does worse than allowed; empty for nothing, or too little seen."""
    seen = situation.goal.load
    if seen.requests == 0 or seen.requests < analysis.min_requests:
        return ""
    if seen.errors * 100 > analysis.max_error_percent * seen.requests:
        return (
            f"{seen.errors} of {seen.requests} requests of the new revision failed; "
            f"maxErrorPercent is {analysis.max_error_percent}."
        )
    return _left_more(situation, analysis) or _slower(situation, analysis)


def _left_more(situation: Situation, analysis: CanaryAnalysis) -> str:
    """Callers who leave before a first byte are no errors, and no sign of health: how many are usual, others tell."""
    seen, others = situation.goal.load, _together(situation)
    if seen.left < FEWEST_LEFT or others.requests == 0:
        return ""
    if seen.left / seen.requests <= others.left / others.requests + analysis.max_error_percent / 100:
        return ""
    return (
        f"{seen.left} of {seen.requests} callers of the new revision left before its first byte, and {others.left} of "
        f"{others.requests} of the others; maxErrorPercent is {analysis.max_error_percent}."
    )


def _slower(situation: Situation, analysis: CanaryAnalysis) -> str:
    allowed = analysis.max_ttft_regression_percent
    new, old = _mean_ttft(situation.goal.load), _mean_ttft(_together(situation))
    if allowed is None or new is None or not old:
        return ""
    regression = (new / old - 1) * 100
    if regression <= allowed:
        return ""
    return (
        f"The new revision's time to first token is {new:.0f} ms against {old:.0f} ms, {regression:.0f} % more; "
        f"maxTTFTRegressionPercent is {allowed}."
    )


def _together(situation: Situation) -> LoadWindow:
    loads = [one.load for one in situation.others]
    return LoadWindow(
        sum(load.requests for load in loads),
        sum(load.errors for load in loads),
        sum(load.ttft_ms_sum for load in loads),
        sum(load.first_bytes for load in loads),
        sum(load.left for load in loads),
    )


def _mean_ttft(load: LoadWindow) -> float | None:
    return load.ttft_ms_sum / load.first_bytes if load.first_bytes else None


def _promoted(deployment: ModelDeployment, situation: Situation, step: int) -> bool:
    revision, _, number = deployment.metadata.annotations.get(labels.PROMOTE, "").rpartition("/")
    return revision in {situation.goal.hash, situation.goal.name} and number == str(step)


def _for_a_person(deployment: ModelDeployment, situation: Situation, step: int) -> Wait:
    percent, name = deployment.spec.rollout.canary.steps[step].traffic_percent, deployment.metadata.name
    from_registry = deployment.spec.model.version_ref is not None
    back = f"`mizzen rollout rollback {name}`" if from_registry else "apply the former spec, as it names a uri"
    return Wait(
        conditions.AWAITING_PROMOTION,
        f"Step {step} at {percent} % of requests waits. Look at the new revision, then "
        f"`mizzen rollout promote {name}` (or annotate {labels.PROMOTE}={situation.goal.hash}/{step}), or {back}.",
    )


def _enough_seen(seen: LoadWindow, analysis: CanaryAnalysis, percent: int, step: int) -> Verdict:
    if analysis.evaluation_ref is not None:
        text = (
            f"Step {step} waits for a person: this release runs no evaluations, so {analysis.evaluation_ref} "
            "(spec.rollout.canary.analysis.evaluationRef) has no result. Promote the step, or remove the field."
        )
        return Verdict(wait=Wait(conditions.AWAITING_PROMOTION, text))
    if percent and seen.requests - seen.left < analysis.min_requests:
        text = (
            f"Step {step} has seen {seen.requests - seen.left} of {analysis.min_requests} requests "
            "(spec.rollout.canary.analysis.minRequests). Send more, lower it, or promote."
        )
        return Verdict(wait=Wait(conditions.CANARY_STEP, text))
    return Verdict(passed=True)
