"""Does a deployment's why name its causes, what blocks callers first, with the remedy of each?"""

from datetime import UTC, datetime
from typing import Any

from mizzen_controlplane.cluster.store import Happened
from mizzen_controlplane.deployments.why import why

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def document(*conditions: tuple[str, str, str], **status: Any) -> dict[str, Any]:
    """A deployment with these conditions: type, status and reason."""
    said = [
        {"type": one, "status": held, "reason": reason, "message": f"{reason}!", "lastTransitionTime": NOON.isoformat()}
        for one, held, reason in conditions
    ]
    return {"metadata": {"generation": 2}, "status": {"observedGeneration": 2, "conditions": said} | status}


def test_what_ready_repeats_comes_first_and_what_is_true_or_sums_up_is_no_cause() -> None:
    answer = why(
        document(
            ("Ready", "False", "Unschedulable"),
            ("ModelResolved", "True", "Resolved"),
            ("UpToDate", "False", "RolloutInProgress"),
            ("CapacityAvailable", "False", "Unschedulable"),
            ("Stalled", "True", "Unschedulable"),
        ),
        [],
    )
    assert [cause.condition for cause in answer.causes] == ["CapacityAvailable", "UpToDate"]
    assert answer.answer == "Unschedulable!"
    assert answer.causes[0].remedy
    assert answer.causes[0].since == NOON


def test_a_deployment_that_nobody_looked_at_says_so() -> None:
    answer = why({"metadata": {"generation": 1}, "status": {"observedGeneration": -1}}, [])
    assert (answer.ready, answer.observed, answer.causes) == ("Unknown", False, [])
    assert "Nobody has looked" in answer.answer


def test_gates_failures_and_warnings_are_told_and_what_went_well_is_not() -> None:
    failure = {
        "component": "engine",
        "reason": "Crashed",
        "message": "out of memory",
        "exitCode": 137,
        "remedy": "More.",
    }
    events = [Happened(kind, "R", "m", NOON, NOON, 1) for kind in ("Normal", "Warning", "Normal")]
    status = {"lastFailure": failure, "rollout": {"hold": {"gate": "Latency", "reason": "slower"}}}
    answer = why(document(("Ready", "True", "Available"), **status), events)
    assert answer.last_failure is not None
    assert (answer.last_failure.exit_code, answer.last_failure.remedy) == (137, "More.")
    assert answer.waits_at is not None
    assert answer.waits_at.gate == "Latency"
    assert [one.type for one in answer.warnings] == ["Warning"]
