"""Is a budget never given away twice, and charged exactly?"""

import random
from concurrent.futures import ThreadPoolExecutor

import pytest
from support.controlplane import ControlPlane
from support.spending import UNIT, Spending, new_spending


@pytest.fixture
def spending(controlplane: ControlPlane) -> Spending:
    return new_spending(controlplane)


def test_leases_at_once_never_exceed_the_amount_and_reach_all_of_it(spending: Spending) -> None:
    budget = spending.budget("10.00")
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    wants = [random.Random(seed + holder).randrange(UNIT // 2, 2 * UNIT) for holder in range(24)]
    with ThreadPoolExecutor(8) as pool:
        grants = list(pool.map(lambda at: spending.lease(budget, f"gateway-{at[0]}", at[1]), enumerate(wants)))
    assert sum(grant.credit_pico for grant in grants) == 10 * UNIT
    assert all(grant.credit_pico <= want for grant, want in zip(grants, wants, strict=True))
    assert spending.state() == ("0.00", "10.00", "0.00")


def test_a_charge_comes_out_of_the_lease_of_the_gateway_that_made_it(spending: Spending) -> None:
    budget = spending.budget("10.00")
    spending.lease(budget, "gateway-a", 4 * UNIT)
    spending.lease(budget, "gateway-b", 4 * UNIT)
    spending.send(spending.event(cost_pico=3 * UNIT, budget_ids=[budget], gateway="gateway-a"))
    assert spending.state() == ("3.00", "5.00", "2.00")


def test_a_renewal_counts_what_is_held_and_a_lower_one_gives_back(spending: Spending) -> None:
    budget = spending.budget("10.00")
    assert spending.lease(budget, "gateway-a", 6 * UNIT).credit_pico == 6 * UNIT
    renewed = spending.lease(budget, "gateway-a", 8 * UNIT)
    assert (renewed.credit_pico, renewed.remaining_pico) == (8 * UNIT, 2 * UNIT)
    assert spending.lease(budget, "gateway-a", 0).remaining_pico == 10 * UNIT
    assert spending.state() == ("0.00", "0.00", "10.00")


def test_a_holder_that_started_again_gets_its_own_lease_back_not_a_second_one(spending: Spending) -> None:
    budget = spending.budget("10.00")
    spending.lease(budget, "gateway-a", 7 * UNIT)
    again = spending.lease(budget, "gateway-a", 7 * UNIT)
    assert again.credit_pico == 7 * UNIT
    assert spending.state() == ("0.00", "7.00", "3.00")


def test_what_is_spent_is_not_lent_again(spending: Spending) -> None:
    budget = spending.budget("1.00")
    spending.lease(budget, "gateway-a", UNIT)
    spending.send(spending.event(cost_pico=UNIT, budget_ids=[budget]))
    grant = spending.lease(budget, "gateway-a", UNIT)
    assert (grant.credit_pico, grant.remaining_pico) == (0, 0)


def test_a_wrong_amount_is_refused_with_the_limit(spending: Spending) -> None:
    refused = spending.admin("POST", "/budgets", json={"name": "b", "amount": "0.0000000000001"})
    assert refused.json()["errors"][0]["pointer"] == "/amount"
    assert "at most 12" in refused.json()["detail"]
    assert spending.admin("POST", "/budgets", json={"name": "b", "amount": 5}).status_code == 422


def test_a_deleted_budget_lends_nothing_and_late_events_still_enter_the_ledger(spending: Spending) -> None:
    budget = spending.budget("1.00")
    spending.lease(budget, "gateway-a", UNIT)
    assert spending.admin("DELETE", "/budgets/monthly").status_code == 204
    with spending.controlplane.client("gateway") as gateway:
        body = {"budget_id": budget, "holder": "gateway-a", "want_pico": 1}
        assert gateway.post("/internal/v1/budget-leases", json=body).json()["code"] == "budget_not_found"
    assert spending.send(spending.event(cost_pico=UNIT, budget_ids=[budget])).accepted == 1


def test_only_a_gateway_may_lease(spending: Spending) -> None:
    body = {"budget_id": "bud_x", "holder": "a", "want_pico": 1}
    with spending.controlplane.client("runner") as runner:
        assert runner.post("/internal/v1/budget-leases", json=body).status_code == 403


def test_a_grant_tells_what_its_holder_was_charged_and_which_answer_is_newer(spending: Spending) -> None:
    budget = spending.budget("10.00")
    first = spending.lease(budget, "gateway-a", 4 * UNIT)
    for _ in range(2):
        spending.send(spending.event(cost_pico=UNIT, budget_ids=[budget], gateway="gateway-a"))
    spending.send(spending.event(cost_pico=UNIT, budget_ids=[budget], gateway="gateway-b"))
    second = spending.lease(budget, "gateway-a", 4 * UNIT)
    assert (first.charged_pico, second.charged_pico) == (0, 2 * UNIT)
    assert second.credit_pico == 4 * UNIT
    assert second.sequence > first.sequence > 0


def test_a_store_that_lost_its_memory_gets_nothing_before_its_old_leases_expire(spending: Spending) -> None:
    budget = spending.budget("10.00")
    old = spending.lease(budget, "limits.a@one", 4 * UNIT)
    assert old.closed_until is None
    new = spending.lease(budget, "limits.a@two", UNIT)
    assert (new.credit_pico, new.closed_until) == (0, old.expires_at)
    assert spending.lease(budget, "limits.b@two", UNIT).credit_pico == UNIT
    assert spending.lease(budget, "limits.a@one", 5 * UNIT).credit_pico == 5 * UNIT
    spending.lease(budget, "limits.a@one", 0)
    again = spending.lease(budget, "limits.a@two", UNIT)
    assert (again.credit_pico, again.closed_until) == (UNIT, None)
