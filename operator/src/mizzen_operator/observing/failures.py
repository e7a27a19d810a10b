"""What went wrong in a pod? One reason of the table, from what the kubelet and the scheduler tell."""

import re
from collections.abc import Callable
from typing import Final

from mizzen_crds.v1alpha1 import conditions

from mizzen_operator.engine_words import last_words
from mizzen_operator.observing.pod_view import ContainerView, PodView
from mizzen_operator.rollout.fleet import PodFailure

INIT_REASONS: Final = {"fetch": conditions.FETCH_FAILED, "layout": conditions.LAYOUT_REFUSED}
"""Init containers begin their last sentence with a reason of the table; these stand for a sentence without one."""
PULLING: Final = frozenset(
    {"ImagePullBackOff", "ErrImagePull", "InvalidImageName", "ErrImageNeverPull", "RegistryUnavailable"}
)
NO_IMAGE_NAME: Final = "InvalidImageName"
CONFIGURING: Final = frozenset({"CreateContainerConfigError", "CreateContainerError", "RunContainerError"})
WEBHOOK: Final = "webhook"
QUOTA_WORDS: Final = "exceeded quota"
CERTAIN: Final = ("violates PodSecurity", " is invalid: ", "runAsNonRoot", "executable file not found")
"""Words of the API server or the kubelet about the pod's own template: the same pod is refused again and again."""
NO_CLAIM: Final = re.compile(r'persistentvolumeclaim "([^"]*)" not found')
"""Words of the scheduler."""
KILLED: Final = frozenset({137, 143})
"""Exit codes of a container that was ended by a signal: SIGKILL and SIGTERM."""
LOOPING_RESTARTS: Final = 2
LONGEST_MESSAGE: Final = 1024


def failure_of(pod: PodView) -> PodFailure | None:
    """Return what last went wrong in a pod that is not ready; None while nothing has."""
    for check in CHECKS:
        if (found := check(pod)) is not None:
            return found
    return None


def evicted(pod: PodView) -> PodFailure | None:
    """The node or the scheduler put it out, or the node is lost."""
    reason = {"Evicted": conditions.EVICTED, "NodeLost": conditions.NODE_LOST}.get(pod.reason)
    if reason is None:
        return None
    return PodFailure(reason, f"{pod.node}: {pod.message}" if pod.node else pod.message, component="node")


def unschedulable(pod: PodView) -> PodFailure | None:
    """The scheduler finds no place for it, or does not look for one without its claim."""
    if pod.scheduled or not pod.unscheduled_message:
        return None
    if missing := NO_CLAIM.search(pod.unscheduled_message):
        text = f"There is no PersistentVolumeClaim {missing[1]} in the namespace {pod.namespace}."
        return PodFailure(conditions.CLAIM_NOT_FOUND, text, component="scheduler")
    return PodFailure(conditions.UNSCHEDULABLE, pod.unscheduled_message, component="scheduler")


def image_missing(pod: PodView) -> PodFailure | None:
    """An image cannot be pulled."""
    for one in pod.containers:
        if one.waiting_reason in PULLING:
            words = one.waiting_message or f"{one.waiting_reason} of {one.image}"
            certain = one.waiting_reason == NO_IMAGE_NAME
            reason = conditions.POD_REFUSED if certain else conditions.IMAGE_PULL_FAILED
            return PodFailure(reason, words[:LONGEST_MESSAGE], component=one.name)
    return None


def not_created(pod: PodView) -> PodFailure | None:
    """The node could not make a container of it."""
    for one in pod.containers:
        if one.waiting_reason in CONFIGURING:
            missing_secret = "secret" in one.waiting_message.casefold()
            reason = conditions.SECRET_NOT_FOUND if missing_secret else refusal_reason(one.waiting_message)
            return PodFailure(reason, one.waiting_message[:LONGEST_MESSAGE], component=one.name)
    return None


def refusal_reason(words: str) -> str:
    """Return why there is no pod, or no container of it: what only another spec helps, or what may pass by itself.

    A service account that is made a moment later, a webhook that does not answer or denies, a slow node: these pass.
    """
    if QUOTA_WORDS in words:
        return conditions.RESOURCE_QUOTA_EXCEEDED
    certain = WEBHOOK not in words and any(one in words for one in CERTAIN)
    return conditions.POD_REFUSED if certain else conditions.POD_NOT_CREATED


def container_ended(pod: PodView) -> PodFailure | None:
    """A container ended with an error; the one that did so last."""
    failed = [one for one in pod.containers if one.exit_code not in (None, 0)]
    if not failed:
        return None
    last = max(failed, key=lambda one: one.finished_at.timestamp() if one.finished_at else 0.0)
    reason, message = reason_of(last)
    message = message[:LONGEST_MESSAGE] if last.init else last_words(message, LONGEST_MESSAGE)
    return PodFailure(reason, message, last.name, last.exit_code, last.finished_at)


def reason_of(container: ContainerView) -> tuple[str, str]:
    """Return reason and message of a container that ended with an error."""
    told, _, rest = container.message.partition(": ")
    if rest and told in conditions.REASONS:
        return told, rest
    message = container.message or f"{container.name} ended with exit code {container.exit_code}"
    if container.ended_reason == "OOMKilled":
        return conditions.OUT_OF_MEMORY, message
    if container.init:
        reason = INIT_REASONS.get(container.name.partition("-")[0], conditions.CRASH_LOOPING)
        ended_from_outside = container.exit_code in KILLED and reason == conditions.LAYOUT_REFUSED
        return (conditions.CRASH_LOOPING if ended_from_outside else reason), message
    if _startup_ended(container):
        return conditions.STARTUP_TIMED_OUT, message
    looping = container.restarts >= LOOPING_RESTARTS or container.waiting_reason == "CrashLoopBackOff"
    return (conditions.CRASH_LOOPING if looping else conditions.REPLICA_UNREADY), message


def _startup_ended(container: ContainerView) -> bool:
    """The kubelet ended it after its start-up probe had failed for the whole budget."""
    if container.exit_code not in KILLED or not container.startup_budget:
        return False
    if container.started_at is None or container.finished_at is None:
        return False
    ran = (container.finished_at - container.started_at).total_seconds()
    return ran >= container.startup_budget


CHECKS: Final[tuple[Callable[[PodView], PodFailure | None], ...]] = (
    evicted,
    unschedulable,
    image_missing,
    not_created,
    container_ended,
)
