"""What is said of a project's limits when the control plane cannot be asked? What it said of this generation stands."""

import asyncio
from typing import Any

import pytest
from mizzen_crds.v1alpha1.project import Project
from mizzen_operator.conditions.verdict import Said
from mizzen_operator.reconcile.controlplane import ControlPlane
from mizzen_operator.reconcile.kinds.limits_answer import LimitsAnswer
from support.deployments import NOON

FAIR = {"name": "fair-use", "metric": "Requests", "amount": 600}


def said_without_a_control_plane(limits: list[dict[str, Any]], *before: tuple[int, str, str]) -> Said | None:
    """Of a project of generation 2; `before`: generation, status and reason of its LimitsReady."""
    conditions = [
        {
            "type": "LimitsReady",
            "status": status,
            "reason": reason,
            "message": "as it was",
            "observedGeneration": generation,
            "lastTransitionTime": NOON.isoformat(),
        }
        for generation, status, reason in before
    ]
    metadata = {"name": "team", "uid": "u", "generation": 2}
    body = {"metadata": metadata, "spec": {"limits": limits}, "status": {"conditions": conditions}}
    return asyncio.run(LimitsAnswer(ControlPlane("", None)).said(Project.model_validate(body)))


@pytest.mark.parametrize(("status", "reason"), [("True", "LimitsInForce"), ("False", "LimitRefused")])
def test_what_was_said_of_this_generation_stands(status: str, reason: str) -> None:
    said = said_without_a_control_plane([FAIR], (2, status, reason))
    assert said is not None
    assert (said.status, said.reason, said.message) == (status, reason, "as it was")


@pytest.mark.parametrize("before", [[], [(1, "True", "LimitsInForce")], [(2, "False", "Applying")]])
def test_what_nobody_said_of_this_generation_is_unknown(before: list[tuple[int, str, str]]) -> None:
    said = said_without_a_control_plane([FAIR], *before)
    assert said is not None
    assert (said.status, said.reason) == ("Unknown", "ControlPlaneUnavailable")


def test_limits_that_left_the_spec_are_not_said_to_be_gone_before_the_control_plane_says_so() -> None:
    said = said_without_a_control_plane([], (1, "True", "LimitsInForce"))
    assert said is not None
    assert said.status == "Unknown"


def test_a_project_that_never_had_limits_needs_no_control_plane() -> None:
    assert said_without_a_control_plane([]) is None
    assert said_without_a_control_plane([], (1, "True", "NoLimits")) is None
