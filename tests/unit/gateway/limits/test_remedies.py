"""A refusal's remedy is one: max_tokens is named where a smaller one would let the request in."""

import pytest
from mizzen_gateway.stages import Estimate, Refusal
from support.access_snapshots import LimitMetric, a_budget, a_limit, a_price, a_snapshot
from support.ledger_double import LedgerDouble
from support.quota_bench import QuotaBench

EURO = 10**12


async def message_of(estimate: Estimate, **fields: object) -> str:
    table = QuotaBench(a_snapshot(**fields), LedgerDouble(amount=2 * EURO))
    refusal = await table.reserve(estimate)
    assert isinstance(refusal, Refusal)
    return refusal.message


@pytest.mark.parametrize(
    ("prompt", "answers", "said"),
    [
        (
            20,
            4096,
            "(20 at most for its prompt, 4096 for what it may generate), more than the limit ever allows: set max",
        ),
        (
            347,
            5,
            "(347 at most for its prompt, 5 for what it may generate), more than the limit ever allows: send a sho",
        ),
    ],
)
async def test_of_a_limit_of_tokens_it_says_what_is_too_long(prompt: int, answers: int, said: str) -> None:
    limits = [a_limit(200, LimitMetric.TOKENS)]
    assert said in await message_of(Estimate(prompt, 1, answers), limits=limits)


async def test_a_price_of_the_request_itself_is_not_lowered_by_max_tokens() -> None:
    limits = [a_limit(2 * EURO, LimitMetric.COST)]
    prices = [a_price(pico_per_input_token=0, pico_per_output_token=EURO, pico_per_request=3 * EURO)]
    told = await message_of(Estimate(1, 1, 1), further_limits=limits, prices=prices)
    assert "whatever max_tokens is; ask for a larger limit" in told
    prices = [a_price(pico_per_input_token=0, pico_per_output_token=EURO, pico_per_request=0)]
    assert "set max_tokens, or a smaller one" in await message_of(
        Estimate(1, 1, 5), further_limits=limits, prices=prices
    )


async def test_a_budget_names_max_tokens_only_where_it_helps() -> None:
    prices = [a_price(pico_per_input_token=0, pico_per_output_token=EURO, pico_per_request=3 * EURO)]
    budgets = [a_budget(2 * EURO)]
    assert "max_tokens" not in await message_of(Estimate(1, 1, 1), budgets=budgets, prices=prices)
    assert "smaller max_tokens" in await message_of(Estimate(1, 1, 9), budgets=budgets, prices=prices)
