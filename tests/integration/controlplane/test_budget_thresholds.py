"""A budget announces each of its percentages once a period: not twice, not never, whoever charges at once."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from support.controlplane import ControlPlane
from support.spending import UNIT, Spending, new_spending

NOBODY_LISTENS = "https://127.0.0.1/"
"""What is queued is looked at, not what arrives."""


@pytest.fixture
def spending(controlplane: ControlPlane) -> Spending:
    made = new_spending(controlplane)
    hook = {"name": "ops", "url": NOBODY_LISTENS, "event_types": ["budget.*"]}
    assert made.admin("POST", "/webhooks", json=hook).status_code == 201
    return made


def announced(spending: Spending) -> list[dict[str, Any]]:
    """What was queued, oldest first."""
    return list(reversed(spending.admin("GET", "/webhooks/ops/deliveries").json()["items"]))


def test_what_is_reached_is_announced_once_however_it_is_reached(spending: Spending) -> None:
    budget = spending.budget("10.00", notify_at=[100, 50, 80, 80])
    assert spending.admin("GET", f"/budgets/{budget}").json()["notify_at"] == [50, 80, 100]
    charge = {"budget_ids": [budget], "started_at": datetime.now(UTC)}
    spending.send(spending.event(cost_pico=5 * UNIT - 1, **charge))
    assert announced(spending) == []
    event = spending.event(cost_pico=1, **charge)
    spending.send(event)
    assert [one["subject"] for one in announced(spending)] == [budget]
    spending.send(event)
    spending.send(spending.event(cost_pico=UNIT, **charge))
    assert len(announced(spending)) == 1
    spending.send(spending.event(cost_pico=20 * UNIT, **charge))
    assert len(announced(spending)) == 3
    spending.admin("PATCH", f"/budgets/{budget}", json={"amount": "100.00"})
    spending.send(spending.event(cost_pico=70 * UNIT, **charge))
    assert len(announced(spending)) == 3
    # The period before is one of its own.
    late = {**charge, "started_at": datetime.now(UTC) - timedelta(days=40)}
    spending.send(spending.event(cost_pico=55 * UNIT, **late))
    assert len(announced(spending)) == 4


def test_charges_at_once_announce_it_once(spending: Spending) -> None:
    budget = spending.budget("1.00", notify_at=[50])
    events = [
        spending.event(cost_pico=UNIT // 10, budget_ids=[budget], started_at=datetime.now(UTC)) for _ in range(10)
    ]
    with ThreadPoolExecutor(5) as pool:
        list(pool.map(spending.send, events))
    assert len(announced(spending)) == 1


def test_a_budget_that_names_none_announces_nothing(spending: Spending) -> None:
    budget = spending.budget("1.00")
    spending.send(spending.event(cost_pico=UNIT, budget_ids=[budget], started_at=datetime.now(UTC)))
    assert announced(spending) == []


@pytest.mark.parametrize("wrong", [[0], [1001], list(range(1, 12)), ["80"]])
def test_percentages_that_mean_nothing_are_refused(spending: Spending, wrong: list[Any]) -> None:
    answer = spending.admin("POST", "/budgets", json={"name": "b", "amount": "1.00", "notify_at": wrong})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"].startswith("/notify_at")
