"""What does a request cost, meter by meter? And what is held back for it before that is known?"""

import random

import pytest
from mizzen_crds.access import Price
from mizzen_gateway.stages import Estimate, Refusal, Usage
from support.access_snapshots import a_budget, a_price, a_snapshot
from support.ledger_double import LedgerDouble
from support.quota_bench import QuotaBench

EVERY_METER = {
    "pico_per_request": 1000, "pico_per_input_token": 10, "pico_per_cached_token": 1, "pico_per_output_token": 100,
    "pico_per_reasoning_token": 50, "pico_per_accelerator_ms": 7, "pico_per_response_cache_hit": 3,
}  # fmt: skip


def bench(amount: int = 0, **prices: int) -> QuotaBench:
    """With a budget, where an amount is given."""
    budgets = [a_budget(amount)] if amount else []
    return QuotaBench(a_snapshot(prices=[a_price(**prices)], budgets=budgets), LedgerDouble(amount=amount))


async def cost_of(usage: Usage, **prices: int) -> int:
    return (await bench(**prices).admitted(Estimate(100, 1, 100))).settle(usage).cost_pico


@pytest.mark.parametrize(
    ("usage", "cost"),
    [
        (Usage(10, 5), 1000 + 100 + 500),
        (Usage(10, 5, cached_tokens=4), 1000 + 6 * 10 + 4 * 1 + 500),
        (Usage(10, 5, reasoning_tokens=2), 1000 + 100 + 3 * 100 + 2 * 50),
        (Usage(10, 5, accelerator_ms=100), 1000 + 100 + 500 + 700),
        (Usage(response_cache_hit=True), 3),
        (Usage(10, 5, billable=False, accelerator_ms=100), 0),
    ],
)
async def test_each_meter_costs_its_own_price(usage: Usage, cost: int) -> None:
    assert await cost_of(usage, **EVERY_METER) == cost


async def test_without_a_price_of_their_own_cached_and_reasoning_tokens_cost_what_the_others_do() -> None:
    prices = {"pico_per_input_token": 10, "pico_per_output_token": 100}
    assert await cost_of(Usage(10, 5, cached_tokens=10, reasoning_tokens=5), **prices) == 600


async def test_a_hard_budget_is_not_overshot_whatever_of_a_request_is_cached_or_reasoning() -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    source = random.Random(seed)
    for _ in range(200):
        names = set(Price.model_fields) - {"rate_card_id", "project_id", "model", "pico_per_accelerator_ms"}
        prices = {name: source.randrange(50) for name in sorted(names)}
        into, out = source.randrange(1, 30), source.randrange(1, 30)
        reservation = await bench(10**6, **prices).admitted(Estimate(into, 1, out))
        bound = reservation.bound.cost_pico
        hit = source.random() < 0.2
        used = Usage(
            0 if hit else into, 0 if hit else out, cached_tokens=0 if hit else source.randrange(into + 1),
            reasoning_tokens=0 if hit else source.randrange(out + 1), response_cache_hit=hit,
        )  # fmt: skip
        assert reservation.settle(used).cost_pico <= bound, (prices, used)


async def test_a_price_for_time_is_refused_under_a_hard_budget_by_name() -> None:
    refusal = await bench(10**6, pico_per_accelerator_ms=1).reserve(Estimate(1, 1, 1))
    assert isinstance(refusal, Refusal)
    assert (refusal.status, refusal.code) == (403, "unbounded_price")
    assert "Budget monthly" in refusal.message
