"""What cannot be bounded is not spent from a hard budget; without one nobody asks."""

from mizzen_gateway.stages import Estimate, Refusal
from support.access_snapshots import a_budget, a_price, a_snapshot
from support.ledger_double import LedgerDouble
from support.quota_bench import QuotaBench

PRICES = [a_price(pico_per_input_token=1, pico_per_output_token=2, pico_per_request=0)]
NO = Refusal(400, "unbounded_input", "messages[0]: an image.")


async def test_a_hard_budget_refuses_what_has_no_bound_before_it_reserves():
    bench = QuotaBench(a_snapshot(budgets=[a_budget(1000)], prices=PRICES), LedgerDouble(amount=1000))
    refused = await bench.reserve(Estimate(10, 0, 0, lambda: NO))
    assert refused is NO
    assert bench.ledger.leases_asked == 0
    assert not isinstance(await bench.reserve(Estimate(10, 0, 0, lambda: None)), Refusal)


async def test_without_a_hard_budget_nobody_asks_for_a_bound():
    bench = QuotaBench(a_snapshot(prices=PRICES), LedgerDouble(amount=1000))
    assert not isinstance(await bench.reserve(Estimate(10, 0, 0, lambda: NO)), Refusal)


async def test_a_hard_budget_alone_takes_a_closer_look_at_the_prompt():
    budget = QuotaBench(a_snapshot(budgets=[a_budget(100)], prices=PRICES), LedgerDouble(amount=100))
    assert isinstance(await budget.reserve(Estimate(10, 0, 0, lambda: None, closer_input=lambda: 101)), Refusal)
    assert not isinstance(await budget.reserve(Estimate(10, 0, 0, lambda: None, closer_input=lambda: 99)), Refusal)
    without = QuotaBench(a_snapshot(prices=PRICES), LedgerDouble(amount=100))
    asked = []
    assert not isinstance(
        await without.reserve(Estimate(10, 0, 0, lambda: None, closer_input=lambda: asked.append(1) or 9)), Refusal
    )
    assert not asked
