"""What are people told in `kubectl describe`? Kubernetes Events, once per transition.

The name of an Event is made of what happened, so that a pass that comes again after a crash tells nothing twice.
"""

import hashlib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import structlog
from mizzen_crds.v1alpha1 import API_VERSION, conditions
from mizzen_crds.v1alpha1.accelerator_class import AcceleratorClass
from mizzen_crds.v1alpha1.metadata import Condition
from mizzen_crds.v1alpha1.model_deployment import ModelDeployment, ModelDeploymentStatus
from mizzen_crds.v1alpha1.model_route import ModelRoute
from mizzen_crds.v1alpha1.project import Project
from mizzen_kube.api import Api
from mizzen_kube.errors import AlreadyExistsError, ApiError

from mizzen_operator.reconcile.apply import MANAGER, Outcome
from mizzen_operator.rollout.outcome import RolloutPlan

TOLD: Final = (conditions.READY, conditions.STALLED)
LONGEST_NOTE: Final = 1024
LONGEST_PREFIX: Final = 200
OF_THE_CLUSTER: Final = "default"
"""Namespace of Events about objects that have none, as Kubernetes wants it."""
Written = ModelDeployment | AcceleratorClass | Project | ModelRoute
"""What people write and the operator answers in a status."""
log = structlog.get_logger()


@dataclass(frozen=True)
class Occurrence:
    """Something that people are told."""

    type: str
    """Normal or Warning."""
    reason: str
    note: str
    mark: str
    """What tells this time from another time that the same happens."""


def occurrences(
    deployment: ModelDeployment, status: ModelDeploymentStatus, plan: RolloutPlan | None, outcome: Outcome
) -> list[Occurrence]:
    """Return what came about in this pass: `deployment` has the status before, `status` is the one after."""
    begun = str(status.rollout.started_at) if status.rollout else ""
    found = [Occurrence(one.type, one.reason, one.message, begun) for one in (plan.happenings if plan else ())]
    found += transitions(deployment.status.conditions, status.conditions, TOLD)
    for write in outcome.done:
        if write.repair and write.live is not None:
            text = f"{write.child[0]} {write.child[1]}: {write.reason}, set back"
            found.append(Occurrence("Normal", "Repaired", text, write.live["metadata"]["resourceVersion"]))
    for action in outcome.pods:
        if action.failure is not None:
            found.append(Occurrence("Warning", action.failure.reason, action.failure.message, action.pod.uid))
    return found


def transitions(before: Iterable[Condition], after: Iterable[Condition], told: Collection[str]) -> list[Occurrence]:
    """Return what came about in conditions of these types."""
    earlier = {one.type: one for one in before}
    return [_told(one) for one in after if one.type in told and _changed(one, earlier.get(one.type))]


def _changed(now: Condition, before: Condition | None) -> bool:
    return before is None or (now.status, now.reason) != (before.status, before.reason)


def _told(condition: Condition) -> Occurrence:
    bad = condition.status == ("True" if condition.type == conditions.STALLED else "False")
    row = conditions.REASONS.get(condition.reason)
    on_its_way = row is not None and conditions.RECONCILING in row.condition_types
    kind = "Warning" if bad and not on_its_way else "Normal"
    note = f"{condition.type} is {condition.status}: {condition.message}"
    return Occurrence(kind, condition.reason, note, str(condition.last_transition_time))


async def tell(api: Api, subject: Written, told: Iterable[Occurrence], now: datetime, instance: str) -> None:
    """Write the Events. One that cannot be written is in the log; a pass does not fail for it."""
    for one in told:
        log.info("occurrence", reason=one.reason, note=one.note)
        try:
            await api.create(event_of(subject, one, now, instance), field_manager=MANAGER)
        except AlreadyExistsError:
            continue
        except ApiError as error:
            log.warning("event not written", reason=one.reason, error=error.message)


def event_of(subject: Written, told: Occurrence, now: datetime, instance: str) -> dict[str, Any]:
    """Return the Event."""
    metadata = subject.metadata
    namespace = metadata.namespace or OF_THE_CLUSTER
    identity: Sequence[str] = (metadata.uid, told.type, told.reason, told.note, told.mark)
    digits = hashlib.sha256("\n".join(identity).encode()).hexdigest()[:16]
    return {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"name": f"{metadata.name[:LONGEST_PREFIX]}.{digits}", "namespace": namespace},
        "eventTime": now.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "reportingController": "mizzen.dev/operator",
        "reportingInstance": instance[:128],
        "action": "Reconcile",
        "reason": told.reason,
        "note": told.note[:LONGEST_NOTE],
        "type": told.type,
        "regarding": {
            "apiVersion": API_VERSION,
            "kind": subject.kind,
            "name": metadata.name,
            "uid": metadata.uid,
            **({"namespace": metadata.namespace} if metadata.namespace else {}),
        },
    }
