"""`mizzen describe` says what is, what blocks it and what to do, one line a fact."""

from datetime import UTC, datetime, timedelta
from typing import Any

from mizzen_cli.description import describe_lines

THEN = (datetime.now(UTC) - timedelta(days=3, hours=1)).isoformat()
DIGEST = "sha256:" + "ab" * 32


def described(status: dict[str, Any], *events: dict[str, Any]) -> list[str]:
    """Lines for a deployment with this status."""
    manifest = {"spec": {"engine": {"type": "Triton"}}, "status": status}
    return list(describe_lines({"name": "m", "project": "default", "manifest": manifest}, list(events)))


def condition(kind: str, status: str, reason: str, message: str) -> dict[str, str]:
    """A condition that began three days ago."""
    return {"type": kind, "status": status, "reason": reason, "message": message, "lastTransitionTime": THEN}


def test_a_deployment_that_nobody_looked_at_yet_is_described() -> None:
    lines = described({})
    assert "Replicas:  0 ready of 0 wanted" in lines
    assert "Revisions: none yet" in lines


def test_a_condition_is_one_line_and_what_is_not_true_has_its_remedy_below() -> None:
    lines = described({"conditions": [condition("Ready", "False", "ModelNotFound", "Looked.\nNo model 'x'.")]})
    (line,) = [each for each in lines if each.startswith("  Ready")]
    assert line.split() == ["Ready", "False", "ModelNotFound", "3d", "No", "model", "'x'."]
    assert "-> Push it" in lines[lines.index(line) + 1]


def test_a_remedy_that_the_message_tells_already_is_not_told_twice() -> None:
    from mizzen_crds.v1alpha1.conditions import REASONS

    message = f"No model. {REASONS['ModelNotFound'].remedy}"
    lines = described({"conditions": [condition("Ready", "False", "ModelNotFound", message)]})
    assert not [each for each in lines if "->" in each]


def test_the_model_is_told_by_version_or_by_address_with_a_short_digest() -> None:
    version = {"version": 2, "format": "ONNX", "sizeBytes": 2048, "digest": DIGEST, "uri": "mizzen://mv_1"}
    assert "Model:     version 2, ONNX, 2.0 KiB, sha256:abababababab" in described({"resolvedModel": version})
    bare = {"format": "", "sizeBytes": 0, "digest": "", "uri": "hf://a/b"}
    assert "Model:     hf://a/b" in described({"resolvedModel": bare})


def test_start_up_phases_and_revisions_and_what_a_rollout_waits_for_are_told() -> None:
    lines = described(
        {
            "startup": {"phases": [{"name": "fetch", "seconds": 1.25, "bytesDone": 30, "bytesTotal": 40}]},
            "revisions": [
                {"name": "m-1", "modelVersion": 1, "state": "Serving", "ready": 1, "replicas": 2, "trafficPercent": 90}
            ],
            "rollout": {"hold": {"gate": "Approval", "reason": "step 1 waits for a person"}},
        }
    )
    assert "Start-up:  fetch 1.2 s 75%" in lines
    assert "  m-1 (version 1): Serving, 1 of 2 ready, 90% of requests" in lines
    assert "Rollout:   waits at Approval: step 1 waits for a person" in lines


def test_the_last_failure_keeps_every_line_that_the_engine_said() -> None:
    failure = {
        "component": "engine",
        "reason": "Error",
        "exitCode": 1,
        "time": THEN,
        "message": "a\nb",
        "remedy": "mend",
    }
    lines = described({"lastFailure": failure})
    start = lines.index("Last failure: engine: Error, exit code 1, 3d ago")
    assert lines[start + 1 : start + 4] == ["  | a", "  | b", "  -> mend"]


def test_events_are_one_line_each_with_their_count() -> None:
    event = {"time": THEN, "type": "Warning", "reason": "BackOff", "message": "one\ntwo", "count": 3}
    assert described({}, event)[-1].split() == ["3d", "Warning", "BackOff", "two", "(x3)"]
