"""A refusal's remedy is one: max_tokens is named where a smaller one would let the request in."""

import pytest
from mizzen_crds.access import BudgetUnit, Scope
from mizzen_gateway.stages import Estimate, Refusal, Usage
from support.access_snapshots import LimitMetric, a_budget, a_limit, a_price, a_snapshot
from support.ledger_double import LedgerDouble
from support.quota_bench import QuotaBench, headers_of

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


async def test_money_is_told_to_the_millionth_what_is_left_rounded_down_and_what_is_needed_up() -> None:
    prices = [a_price(pico_per_input_token=0, pico_per_output_token=0, pico_per_request=1_500_000_000_001)]
    table = QuotaBench(a_snapshot(limits=[a_limit(2 * EURO, LimitMetric.COST)], prices=prices), LedgerDouble(amount=1))
    await table.admitted(Estimate(1, 0, 0))
    refusal = await refused(table, Estimate(1, 0, 0))
    assert "2.00 EUR per 60 s" in refusal.message
    assert "0.499999 EUR left, 1.500001 EUR needed" in refusal.message


@pytest.mark.parametrize(
    ("needed", "at_hand", "told"),
    [(123_456, "0.0000001234", "0.0000001235"), (EURO + 1, "0.00", "1.000001")],
)
async def test_money_of_a_budget_is_told_as_finely_as_what_is_needed(needed: int, at_hand: str, told: str) -> None:
    prices = [a_price(pico_per_input_token=1, pico_per_output_token=0, pico_per_request=0)]
    table = QuotaBench(a_snapshot(budgets=[a_budget(2 * EURO)], prices=prices), LedgerDouble(amount=2 * EURO))
    await table.admitted(Estimate(2 * EURO - 123_455, 0, 0))
    refusal = await refused(table, Estimate(needed, 0, 0))
    assert f"of its 2.00 EUR, {at_hand} EUR are at hand and 1.99999" in refusal.message
    assert f"this one may cost up to {told} EUR" in refusal.message


async def test_what_counts_over_all_projects_says_so_in_words_that_a_gateway_alone_has_too() -> None:
    of_all = {"scope": Scope.ORGANIZATION, "scope_id": "org_a"}
    told = await message_of(Estimate(300, 0, 0), limits=[a_limit(200, LimitMetric.TOKENS, **of_all)])
    assert "200 tokens per 60 s for all projects together" in told
    prices = [a_price(pico_per_input_token=EURO, pico_per_output_token=0, pico_per_request=0)]
    told = await message_of(Estimate(3, 0, 0), budgets=[a_budget(2 * EURO, **of_all)], prices=prices)
    assert "Budget monthly of all projects together does not cover" in told


async def refused(table: QuotaBench, estimate: Estimate) -> Refusal:
    refusal = await table.reserve(estimate)
    assert isinstance(refusal, Refusal)
    return refusal


async def test_a_request_beyond_a_whole_budget_is_told_that_and_not_that_it_is_spent() -> None:
    budget = a_budget(1000, unit=BudgetUnit.TOKENS)
    refusal = await refused(QuotaBench(a_snapshot(budgets=[budget]), LedgerDouble(amount=1000)), Estimate(335, 1, 4096))
    assert (
        "this one may use up to 4431 tokens, and the whole budget is 1000 tokens. Ask the budget's owner to raise it,"
        " or set a smaller max_tokens." in refusal.message
    )
    assert "spent" not in refusal.message
    assert headers_of(refusal)["x-should-retry"] == "false"


async def test_what_requests_under_way_hold_of_a_budget_is_waited_for() -> None:
    budget = a_budget(1000, unit=BudgetUnit.TOKENS)
    table = QuotaBench(a_snapshot(budgets=[budget]), LedgerDouble(amount=1000))
    under_way = await table.admitted(Estimate(100, 1, 500))
    refusal = await refused(table, Estimate(100, 1, 600))
    assert (
        "of its 1000 tokens, 400 tokens are at hand and 600 tokens held for requests under way, and this one may use up"
        " to 700 tokens. Try again in 2 s" in refusal.message
    )
    headers = headers_of(refusal)
    assert (headers["retry-after"], headers.get("x-should-retry")) == ("2", None)
    under_way.settle(Usage(100, 300))
    refusal = await refused(table, Estimate(100, 1, 600))
    assert "600 tokens are at hand and 0 tokens held" in refusal.message
    assert headers_of(refusal)["x-should-retry"] == "false", "what was used does not come back"
    assert not isinstance(await table.reserve(Estimate(100, 1, 500)), Refusal)
