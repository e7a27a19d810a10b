"""Every kind of limit and budget through the quota: what it counts, over whom, and what a caller reads."""

import pytest
from mizzen_crds.access import BudgetUnit, OnStoreLoss
from mizzen_gateway.stages import Caller, Estimate, Refusal, Usage
from support.access_snapshots import LimitMetric, Scope, a_budget, a_limit, a_price, a_snapshot
from support.ledger_double import LedgerDouble
from support.quota_bench import QuotaBench, headers_of

ONE = Estimate(0, 0, 0)
OTHER = Caller("org_a", "prj_b", "other", "other", "key_other")


@pytest.mark.parametrize(
    ("metric", "amount", "unit"),
    [
        (LimitMetric.INPUT_TOKENS, 100, "prompt tokens"),
        (LimitMetric.OUTPUT_TOKENS, 60, "generated tokens"),
        (LimitMetric.TOKENS, 160, "tokens"),
        (LimitMetric.COST, 220, "0.00000000022 EUR"),
    ],
)
async def test_a_limit_counts_what_its_metric_says(metric, amount, unit):
    prices = [a_price(pico_per_input_token=1, pico_per_output_token=2, pico_per_request=0)]
    bench = QuotaBench(a_snapshot(limits=[a_limit(amount, metric)], prices=prices))
    ten_times = [await bench.reserve(Estimate(10, 2, 3)) for _ in range(11)]
    assert [isinstance(one, Refusal) for one in ten_times] == [False] * 10 + [True]
    assert unit in ten_times[10].message
    assert ten_times[10].code == "rate_limit_exceeded"
    ten_times[0].settle(Usage(10, 5))
    assert isinstance(await bench.reserve(Estimate(10, 2, 3)), Refusal)
    ten_times[1].settle(Usage(0, 0, billable=False))
    await bench.admitted(Estimate(10, 2, 3))


async def test_so_many_requests_run_at_once_and_one_that_ends_lets_another_in():
    limit = a_limit(2, LimitMetric.CONCURRENCY, name="at-once", window_seconds=0)
    bench = QuotaBench(a_snapshot(further_limits=[limit]))
    first, _ = await bench.admitted(ONE), await bench.admitted(ONE)
    bench.pass_seconds(10**5)
    refusal = await bench.reserve(ONE)
    assert isinstance(refusal, Refusal)
    assert (refusal.status, refusal.code) == (429, "too_many_concurrent_requests")
    assert "at-once" in refusal.message
    assert "2 requests at once" in refusal.message
    assert headers_of(refusal)["retry-after"] == "1"
    first.settle(Usage(1, 1))
    await bench.admitted(ONE)
    assert isinstance(await bench.reserve(ONE), Refusal)


async def test_each_end_user_has_a_count_of_its_own_and_those_unnamed_one_together():
    bench = QuotaBench(a_snapshot(further_limits=[a_limit(1, scope=Scope.USER)]))
    found = [isinstance(await bench.reserve(ONE, end_user=user), Refusal) for user in ("ann", "ben", "", "ann", "")]
    assert found == [False, False, False, True, True]


async def test_a_limit_of_a_model_counts_every_project_that_calls_it():
    bench = QuotaBench(a_snapshot(further_limits=[a_limit(2, scope=Scope.MODEL, scope_id="default/m")]))
    await bench.admitted(ONE)
    assert not isinstance(await bench.reserve(ONE, model="default/m", caller=OTHER), Refusal)
    assert isinstance(await bench.reserve(ONE, model="default/m", caller=OTHER), Refusal)
    assert isinstance(await bench.reserve(ONE), Refusal)
    assert not isinstance(await bench.reserve(ONE, model="m", caller=OTHER), Refusal)


async def test_a_budget_of_tokens_is_spent_in_tokens():
    budget = a_budget(100, unit=BudgetUnit.TOKENS, name="allowance")
    bench = QuotaBench(a_snapshot(further_budgets=[budget]), LedgerDouble(amount=100))
    reservation = await bench.admitted(Estimate(40, 2, 30))
    await bench.admitted(ONE)
    refusal = await bench.reserve(Estimate(1, 0, 0))
    assert isinstance(refusal, Refusal)
    assert refusal.code == "budget_exceeded"
    assert "100 tokens" in refusal.message
    charge = reservation.settle(Usage(30, 10))
    assert (charge.cost_pico, charge.budget_ids, charge.token_budget_ids) == (0, ("bud_a",), ("bud_a",))
    assert bench.leases.account("bud_a").on_the_way == 40
    await bench.admitted(Estimate(60, 0, 0))


async def test_a_budget_that_lets_pass_goes_into_debt_while_the_ledger_is_silent():
    budget = a_budget(100, unit=BudgetUnit.TOKENS, on_store_loss=OnStoreLoss.ALLOW)
    limit = a_limit(150, LimitMetric.TOKENS)
    bench = QuotaBench(a_snapshot(limits=[limit], further_budgets=[budget]), LedgerDouble(amount=100, away=True))
    (await bench.admitted(Estimate(100, 0, 0))).settle(Usage(100, 0))
    await bench.admitted(Estimate(50, 0, 0))
    assert isinstance(await bench.reserve(Estimate(1, 0, 0)), Refusal)
    assert bench.leases.account("bud_a").free(bench.clock()) <= 0
    assert bench.leases.account("bud_a").in_use == 150


async def test_credit_given_back_is_not_spent_when_the_ledgers_answer_is_lost():
    bench = QuotaBench(a_snapshot(further_budgets=[a_budget(1000, unit=BudgetUnit.TOKENS)]), LedgerDouble(amount=1000))
    (await bench.admitted(Estimate(10, 0, 0))).settle(Usage(10, 0))
    for lost in (False, True):
        bench.pass_seconds(40)
        bench.ledger.lose_grants = int(lost)
        bench.leases.renew()
        await bench.leases.close()
    assert bench.ledger.credit == 10
    assert bench.leases.account("bud_a").free(bench.clock()) == 0


async def test_keys_of_one_owner_count_together_and_those_of_others_do_not():
    ours = a_limit(2, scope=Scope.OWNER, scope_id="prj_a/sva_ci", name="of-ci")
    bench = QuotaBench(a_snapshot(owner_limits=[ours], limits=[a_limit(9, id="lim_b")]))

    def made_by(owner, key):
        return Caller("org_a", "prj_a", "default", "default", key, owner=owner)

    for key in ("key_1", "key_2"):
        assert not isinstance(await bench.reserve(ONE, caller=made_by("prj_a/sva_ci", key)), Refusal)
    refusal = await bench.reserve(ONE, caller=made_by("prj_a/sva_ci", "key_3"))
    assert isinstance(refusal, Refusal)
    assert "of-ci" in refusal.message
    assert "2 requests per 60 s for all keys of this key's owner" in refusal.message
    others = [made_by("prj_a/per_x", "key_4"), made_by("", "key_5")]
    assert not any([isinstance(await bench.reserve(ONE, caller=one), Refusal) for one in others])
