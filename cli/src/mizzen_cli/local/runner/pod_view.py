"""What the plan sees of a pod: readiness, progress, phases and failure, from what its shim wrote. Pure."""

from datetime import UTC, datetime

from mizzen_crds.v1alpha1 import conditions
from mizzen_crds.v1alpha1.model_deployment.status import StartupPhase
from mizzen_operator.ledgers.startup_ledger import PodProgress
from mizzen_operator.rollout.fleet import ObservedPod, PodFailure

from mizzen_cli.local.pod.sandboxes import SeenPod
from mizzen_cli.local.pod.state import ContainerState, PodState

PROBLEM_REASONS = {
    "PortTaken": conditions.UNSCHEDULABLE,
    "NoAddress": conditions.UNSCHEDULABLE,
    "ManifestRefused": conditions.POD_REFUSED,
    "SandboxFailed": conditions.APPLY_FAILED,
}
INIT_REASONS = {"fetch": conditions.FETCH_FAILED, "layout": conditions.LAYOUT_REFUSED}
PHASE_OF_CONTAINER = {"fetch": "fetch", "layout": "layout"}
LOOPING_RESTARTS = 2


def observed_pod(
    seen: SeenPod, progress: PodProgress, environment_failure: PodFailure | None, now: datetime, installing: str = ""
) -> ObservedPod:
    """One pod as the plan sees it.

    `environment_failure` is why a pending pod's environment is missing, `installing` how far the making of it is.
    """
    state = seen.state
    if state is None or seen.pending:
        return ObservedPod(
            name=seen.pod.name,
            created_at=seen.created_at,
            failure=environment_failure,
            progress_at=seen.created_at,
            installing="" if environment_failure else installing,
        )
    return ObservedPod(
        name=seen.pod.name,
        created_at=seen.created_at,
        ready=state.ready,
        scheduled=PROBLEM_REASONS.get(state.problem_reason) != conditions.UNSCHEDULABLE,
        terminating=going(seen),
        fetched=state.initialized,
        progress_at=progress_at(seen, state, progress),
        phases=phases(state, progress, now),
        failure=None if state.ready else failure(state),
    )


def going(seen: SeenPod) -> bool:
    """It ends, or was asked to."""
    return seen.sandbox.stop_file.exists() or bool(seen.state and seen.state.terminating)


def progress_at(seen: SeenPod, state: PodState, progress: PodProgress) -> datetime:
    """When the start last came forward: a container ended well, bytes came, it became ready."""
    times = [seen.created_at, parsed(state.initialized_at), parsed(state.ready_at), progress.advanced_at]
    times += [parsed(each.finished_at) for each in state.containers if each.init and each.exit_code == 0]
    return max(each for each in times if each)


def phases(state: PodState, progress: PodProgress, now: datetime) -> tuple[StartupPhase, ...]:
    """Fetch and layout from their containers, load from the engine's start to its readiness."""
    found = []
    for each in state.containers:
        begun = parsed(each.started_at)
        name = PHASE_OF_CONTAINER.get(each.name) if each.init else "load"
        if name is None or begun is None:
            continue
        ended_at = each.finished_at if each.init else state.first_ready_at
        end = parsed(ended_at) if ended_at and ended_at >= (each.started_at or "") else now
        told = progress.phases.get(name)
        found.append(
            StartupPhase(
                name=name,
                seconds=max(0, round(((end or now) - begun).total_seconds())),
                bytes_done=told.bytes_done if told else None,
                bytes_total=told.bytes_total if told else None,
            )
        )
    return tuple(found)


def failure(state: PodState) -> PodFailure | None:
    """What last went wrong in a pod that is not ready; None while nothing has."""
    if state.problem:
        reason = PROBLEM_REASONS.get(state.problem_reason, conditions.APPLY_FAILED)
        return PodFailure(reason=reason, message=state.problem, component="pod")
    failed = [each for each in state.containers if each.exit_code not in (None, 0)]
    if not failed:
        return None
    last = max(failed, key=lambda each: each.finished_at or "")
    reason, message = reason_of(last)
    return PodFailure(reason, message, last.name, last.exit_code, parsed(last.finished_at))


def reason_of(container: ContainerState) -> tuple[str, str]:
    """Reason and message of a container's failure. Mizzen's own containers begin their message with the reason."""
    told, _, rest = container.last_message.partition(": ")
    if rest and told in conditions.REASONS:
        return told, rest
    message = container.last_message or f"{container.name} ended with exit code {container.exit_code}"
    if container.init:
        return INIT_REASONS.get(container.name.partition("-")[0], conditions.CRASH_LOOPING), message
    if container.last_reason == "StartupFailed":
        return conditions.STARTUP_TIMED_OUT, message
    looping = container.restarts >= LOOPING_RESTARTS
    return (conditions.CRASH_LOOPING if looping else conditions.REPLICA_UNREADY), message


def parsed(time: str | None) -> datetime | None:
    """An ISO 8601 time, in UTC."""
    return datetime.fromisoformat(time).astimezone(UTC) if time else None
