"""What decides about a call is told whole, and proposals are tried on what was used."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from support.controlplane import ControlPlane
from support.spending import UNIT, Spending, new_spending


@pytest.fixture
def spending(controlplane: ControlPlane) -> Spending:
    return new_spending(controlplane)


def new_key(spending: Spending, name: str = "app") -> str:
    return str(spending.admin("POST", "/keys", json={"name": name}).json()["id"])


def explained(spending: Spending, **asked: str) -> dict[str, Any]:
    answer = spending.admin("GET", "/limits:explain", params={"model": "sentiment", **asked})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def test_all_that_counts_a_call_is_told_in_the_order_in_which_gateways_look(
    spending: Spending,
) -> None:
    key = new_key(spending)
    for name, fields in {
        "of-key": {"metric": "requests", "amount": 2, "window_seconds": 3600, "key": "app"},
        "of-project": {"metric": "tokens", "amount": 1000, "window_seconds": 3600},
        "of-model": {"metric": "requests", "amount": 9, "scope": "model", "model": "sentiment"},
        "of-another": {"metric": "requests", "amount": 9, "model": "other"},
        "at-once": {"metric": "concurrency", "amount": 3},
    }.items():
        made = spending.admin("POST", "/limits", json={"name": name, **fields})
        assert made.status_code == 201, made.text
    budget = spending.budget("10.00")
    spending.lease(budget, "gateway-b", 2 * UNIT)
    used = {"key_id": key, "started_at": datetime.now(UTC) - timedelta(seconds=1), "budget_ids": [budget]}
    spending.send(*(spending.event(input_tokens=30, output_tokens=70, cost_pico=UNIT, **used) for _ in range(2)))
    told = explained(spending, key="app")
    own = {spending.project_id, key}
    assert [one["name"] for one in told["applying"] if one["scope_id"] in own] == [
        "of-project", "at-once", "monthly", "of-key",
    ]  # fmt: skip
    by_name = {one["name"]: one for one in told["applying"]}
    assert "of-another" not in by_name
    assert (by_name["of-key"]["used"], by_name["of-key"]["refuses"]) == ("2", True)
    assert "mizzen limits update of-key" in by_name["of-key"]["remedy"]
    assert 198 <= int(by_name["of-project"]["used"]) <= 200
    assert by_name["at-once"]["used"] is None
    assert (by_name["monthly"]["used"], by_name["monthly"]["held"]) == ("2.00", "2.00")
    assert [one["holder"] for one in by_name["monthly"]["holders"]] == ["gateway-b"]
    assert by_name["of-model"]["scope"] == "model"
    assert told["access"]["allowed"]
    assert told["refused_by"] == "of-key"
    assert "of-key" not in {one["name"] for one in explained(spending)["applying"]}


def test_another_projects_model_needs_the_grant_and_the_offer(
    spending: Spending, controlplane: ControlPlane, admin: httpx.Client
) -> None:
    owner = controlplane.new_project()
    model = f"{owner}/sentiment"

    def access() -> tuple[bool, bool, bool, str]:
        told = explained(spending, model=model)
        found = told["access"]
        assert (told["refused_by"] == "access") is not found["allowed"]
        return found["allowed"], found["grant"], found["offer"], found["reason"]

    assert access()[:3] == (False, False, False)
    spending.admin("POST", "/grants", json={"model": model}).raise_for_status()
    assert access()[:3] == (False, True, False)
    assert "its owner sets spec.access" in access()[3]
    offered = {"visibility": "Shared", "allowedProjects": [spending.project]}
    spec = {"engine": {"type": "Triton"}, "model": {"versionRef": {"model": "sentiment", "version": 1}}}
    body = {
        "apiVersion": "mizzen.dev/v1alpha1",
        "kind": "ModelDeployment",
        "metadata": {"name": "sentiment"},
        "spec": {**spec, "access": offered},
    }
    made = admin.put(f"/api/v1/projects/{owner}/deployments/sentiment", json=body)
    assert made.status_code in (200, 201), made.text
    assert access() == (True, True, True, "")
    spending.admin("DELETE", f"/grants/{model}").raise_for_status()
    assert access()[:3] == (False, False, True)
    assert "mizzen grants create" in access()[3]


def test_a_proposal_is_tried_on_what_was_used(spending: Spending) -> None:
    key, other = new_key(spending), new_key(spending, "other")
    at = datetime.now(UTC) - timedelta(hours=3)
    spending.send(
        *(spending.event(key_id=key, started_at=at + timedelta(seconds=n), output_tokens=10) for n in range(5)),
        spending.event(key_id=other, started_at=at + timedelta(seconds=9)),
        spending.event(key_id=key, started_at=at - timedelta(days=3)),
    )
    limits = [
        {"name": "two-a-minute", "metric": "requests", "amount": 2, "window_seconds": 60, "key": "app"},
        {"name": "plenty", "metric": "tokens", "amount": 10_000},
    ]
    told = spending.admin("POST", "/limits:simulate", json={"limits": limits, "days": 1}).json()
    assert (told["requests"], told["refused"]) == (6, 3)
    assert [(one["name"], one["refused"]) for one in told["limits"]] == [("two-a-minute", 3), ("plenty", 0)]
    assert sum(hour["refused"] for hour in told["limits"][0]["hours"]) == 3
    assert told["limits"][1]["first_at"] is None
    assert spending.admin("GET", "/limits").json()["items"] == []


@pytest.mark.parametrize(
    ("limit", "pointer"),
    [
        ({"metric": "requests", "amount": 1, "scope": "user"}, "/limits/0/scope"),
        ({"metric": "requests", "amount": 1, "key": "nobodys"}, "/key"),
        ({"metric": "requests", "amount": 0}, "/limits/0/amount"),
    ],
)
def test_a_proposal_that_cannot_be_tried_is_refused(spending: Spending, limit: dict[str, Any], pointer: str) -> None:
    answer = spending.admin("POST", "/limits:simulate", json={"limits": [{"name": "l", **limit}]})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == pointer


def test_a_key_that_is_not_there_is_named(spending: Spending) -> None:
    answer = spending.admin("GET", "/limits:explain", params={"model": "sentiment", "key": "nobodys"})
    assert answer.json()["errors"][0]["pointer"] == "query:key"
