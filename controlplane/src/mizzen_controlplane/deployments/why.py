"""Why does a deployment not answer, or not move on? Its causes out of the status, each with what to do about it. Pure.

Ready only sums up, so it is no cause; Reconciling and Stalled say that work goes on, or cannot.
"""

from datetime import datetime
from typing import Any, Final

from mizzen_crds.v1alpha1.conditions import REASONS

from mizzen_controlplane.cluster.objects import Document
from mizzen_controlplane.cluster.store import Happened
from mizzen_controlplane.deployments.schemas import Cause, OccurrenceView, Why, WhyFailure, WhyHold

SUMS: Final = ("Ready", "Reconciling", "Stalled")
WARNINGS_SHOWN: Final = 10


def why(document: Document, happened: list[Happened]) -> Why:
    """Say whether callers get answers, and each thing that stands in the way, in the order in which they matter."""
    status = document.get("status") or {}
    conditions = {one["type"]: one for one in status.get("conditions", ())}
    ready = conditions.get("Ready", {})
    causes = [_cause(one) for name, one in conditions.items() if name not in SUMS and one["status"] != "True"]
    causes.sort(key=lambda one: one.reason != ready.get("reason"))  # what Ready repeats blocks callers
    hold = (status.get("rollout") or {}).get("hold")
    return Why(
        ready=ready.get("status", "Unknown"),
        answer=ready.get("message")
        or "Nobody has looked at this deployment yet: the operator, or the runner, is away.",
        observed=status.get("observedGeneration", -1) == document["metadata"]["generation"],
        causes=causes,
        waits_at=WhyHold(gate=str(hold.get("gate", "")), reason=str(hold.get("reason", ""))) if hold else None,
        last_failure=_failure(status.get("lastFailure")),
        warnings=[occurrence(one) for one in happened if one.type == "Warning"][:WARNINGS_SHOWN],
    )


def occurrence(happened: Happened) -> OccurrenceView:
    """An event on the wire."""
    return OccurrenceView(
        time=happened.last_seen,
        first_seen=happened.first_seen,
        type=happened.type,
        reason=happened.reason,
        message=happened.message,
        count=happened.count,
    )


def _cause(condition: dict[str, Any]) -> Cause:
    row = REASONS.get(condition["reason"])
    since = condition.get("lastTransitionTime")
    return Cause(
        condition=condition["type"],
        status=condition["status"],
        reason=condition["reason"],
        message=condition.get("message", ""),
        since=datetime.fromisoformat(since) if since else None,
        meaning=row.meaning if row else "",
        remedy=row.remedy if row else "",
        needs_spec_change=bool(row and row.needs_spec_change),
    )


def _failure(failure: dict[str, Any] | None) -> WhyFailure | None:
    if not failure:
        return None
    return WhyFailure(
        component=str(failure.get("component", "")),
        reason=str(failure.get("reason", "")),
        message=str(failure.get("message", "")),
        exit_code=failure.get("exitCode"),
        time=datetime.fromisoformat(failure["time"]) if failure.get("time") else None,
        remedy=str(failure.get("remedy", "")),
    )
