"""Soft budgets: reserved by what requests probably use, more as a stream goes on, settled by what was used."""

import pytest
from mizzen_crds.access import BudgetUnit, Hardness
from mizzen_gateway.limits.allowance import MS, TOKENS
from mizzen_gateway.limits.recent import FIRST_MS, FIRST_OUTPUT, LARGEST_UNKNOWN
from mizzen_gateway.stages import Allowance, Estimate, Refusal, Reservation, Usage
from support.access_snapshots import Enforcement, a_budget, a_price, a_snapshot
from support.ledger_double import LedgerDouble
from support.quota_bench import QuotaBench

NO = Refusal(400, "unbounded_input", "messages[0]: an image.")
PRICES = [a_price(pico_per_input_token=1, pico_per_output_token=2, pico_per_request=0)]


def bench(amount: int, *, hard: int = 0, ledger: LedgerDouble | None = None, **budget: object) -> QuotaBench:
    """A soft budget of tokens; `hard` is another of so many tokens, on the same ledger."""
    soft = a_budget(amount, **{"unit": BudgetUnit.TOKENS, "hardness": Hardness.SOFT, **budget})
    budgets = [soft, a_budget(hard, id="bud_hard", name="hard", unit=BudgetUnit.TOKENS)][: 2 if hard else 1]
    return QuotaBench(a_snapshot(further_budgets=budgets, prices=PRICES), ledger or LedgerDouble(amount=amount))


def allowance_of(reservation: Reservation) -> Allowance:
    assert reservation.allowance is not None
    return reservation.allowance


def generated(allowance: Allowance, most: int, step: int = 1) -> tuple[int, Refusal | None]:
    """How far a stream gets, and what ends it."""
    tokens = 0
    while tokens < most:
        tokens += step
        if tokens >= allowance.until:
            refusal = allowance.reached(tokens)
            if refusal is not None:
                return tokens, refusal
    return tokens, None


async def test_without_a_history_a_request_reserves_a_token_for_four_bytes_and_a_first_guess():
    table = bench(10_000)
    reservation = await table.admitted(Estimate(1000, 1, 4096))
    assert reservation.output_cap is None
    assert table.leases.account("bud_a").reserved == 250 + FIRST_OUTPUT
    reservation.settle(Usage(200, 40))
    assert table.leases.account("bud_a").in_use == 240


async def test_never_more_is_reserved_than_the_request_may_use():
    table = bench(10_000)
    await table.admitted(Estimate(40, 2, 30))
    assert table.leases.account("bud_a").reserved == 10 + 60


async def test_with_a_history_it_reserves_what_95_of_100_did_not_exceed():
    table = bench(10**6)
    for output in range(1, 65):
        (await table.admitted(Estimate(4, 1, 4096))).settle(Usage(1, output))
    before = table.leases.account("bud_a").in_use
    await table.admitted(Estimate(4, 1, 4096))
    assert table.leases.account("bud_a").in_use - before == 1 + 61


async def test_a_soft_budget_alone_asks_for_no_bound_and_a_hard_one_beside_it_does():
    assert not isinstance(await bench(10_000).reserve(Estimate(10, 1, 10, lambda: NO)), Refusal)
    assert await bench(10_000, hard=10_000).reserve(Estimate(10, 1, 10, lambda: NO)) is NO


async def test_a_picture_is_not_taken_for_text_as_long_as_its_bytes():
    table = bench(100_000)
    await table.admitted(Estimate(10**6, 0, 0, lambda: NO))
    assert table.leases.account("bud_a").reserved == LARGEST_UNKNOWN
    assert isinstance(await table.reserve(Estimate(10**6, 0, 0, lambda: None)), Refusal)


async def test_beside_a_hard_budget_the_cap_is_written_and_each_holds_its_own():
    table = bench(10_000, hard=10_000)
    reservation = await table.admitted(Estimate(1000, 1, 4096))
    assert reservation.output_cap == 4096
    assert table.leases.account("bud_hard").reserved == 1000 + 4096
    assert table.leases.account("bud_a").reserved == 250 + FIRST_OUTPUT
    charge = reservation.settle(Usage(200, 300))
    assert charge.budget_ids == ("bud_a", "bud_hard")
    assert [table.leases.account(one).in_use for one in charge.budget_ids] == [500, 500]


async def test_a_stream_reserves_more_as_it_goes_and_ends_where_nothing_is_left():
    table = bench(1000, name="allowance")
    reservation = await table.admitted(Estimate(40, 1, 4096))
    tokens, refusal = generated(allowance_of(reservation), 4096)
    assert refusal is not None
    assert (refusal.status, refusal.code) == (429, "budget_exceeded")
    for part in ("allowance", "1000 tokens", "ends here", f"after {tokens} tokens"):
        assert part in refusal.message
    assert 1000 - 10 - 8 < tokens <= 1000 - 10
    assert table.quota.refused_by == {("budget", "allowance", "stream"): 1}
    reservation.settle(Usage(10, tokens, estimated=True))
    account = table.leases.account("bud_a")
    assert (account.reserved, account.on_the_way) == (0, tokens + 10)
    assert not table.quota.beyond


async def test_what_a_stream_had_reserved_and_not_used_is_free_again_for_another():
    table = bench(2000)
    first = await table.admitted(Estimate(40, 1, 4096))
    assert generated(allowance_of(first), 1500) == (1500, None)
    first.settle(Usage(10, 1500))
    assert table.leases.account("bud_a").in_use == 1510
    await table.admitted(Estimate(0, 1, 490))


async def test_a_stream_goes_on_when_another_has_ended_in_time():
    table = bench(1000)
    first, second = await table.admitted(Estimate(0, 1, 4096)), await table.admitted(Estimate(0, 1, 4096))
    assert generated(allowance_of(first), FIRST_OUTPUT + TOKENS) == (FIRST_OUTPUT + TOKENS, None)
    second.settle(Usage(0, 10))
    assert generated(allowance_of(first), 900) == (900, None)


async def test_what_is_used_beyond_what_was_reserved_is_charged_and_counted():
    table = bench(1000, name="allowance")
    reservation = await table.admitted(Estimate(0, 1, 4096))
    reservation.settle(Usage(0, 1200))
    assert table.leases.account("bud_a").on_the_way == 1200
    assert table.quota.beyond == {("allowance", "tokens"): 1200 - FIRST_OUTPUT}
    assert isinstance(await table.reserve(Estimate(4, 0, 0)), Refusal)


async def test_a_refusal_says_what_the_request_would_probably_use():
    table = bench(200, name="allowance")
    refusal = await table.reserve(Estimate(40, 1, 4096))
    assert isinstance(refusal, Refusal)
    assert refusal.code == "budget_exceeded"
    assert f"will probably use {10 + FIRST_OUTPUT} tokens" in refusal.message


async def test_money_is_reserved_by_the_price_of_what_is_likely():
    table = bench(2000, unit=BudgetUnit.MONEY)
    reservation = await table.admitted(Estimate(40, 1, 4096))
    assert table.leases.account("bud_a").reserved == 10 + 2 * FIRST_OUTPUT
    tokens, refusal = generated(allowance_of(reservation), 4096)
    assert refusal is not None
    assert 0.00000000200 * 10**12 - 16 < 10 + 2 * tokens <= 2000
    assert reservation.settle(Usage(10, tokens)).cost_pico == 10 + 2 * tokens
    assert table.leases.account("bud_a").in_use == 10 + 2 * tokens


async def test_accelerator_seconds_are_reserved_by_what_is_known_and_settled_by_what_was_used():
    table = bench(100_000, unit=BudgetUnit.ACCELERATOR_SECONDS)
    account = table.leases.account("bud_a")
    reservation = await table.admitted(Estimate(40, 1, 4096))
    assert account.reserved == FIRST_MS
    charge = reservation.settle(Usage(10, 20, accelerator_ms=700))
    assert (charge.cost_pico, charge.budget_ids, charge.time_budget_ids) == (50, ("bud_a",), ("bud_a",))
    assert (account.reserved, account.on_the_way) == (0, 700)
    tensors = await table.admitted(Estimate(0, 0, 0))
    assert account.reserved == 700
    tensors.settle(Usage(accelerator_ms=150, billable=False))
    assert (account.reserved, account.on_the_way) == (0, 850), "the time of what failed is charged, as its row says it"
    kept = await table.admitted(Estimate(0, 0, 0, forwarded=False))
    assert account.reserved == 0
    kept.settle(Usage(response_cache_hit=True))
    assert account.in_use == 850


async def test_a_stream_reserves_time_as_it_goes_and_ends_where_none_is_left():
    table = bench(5000, unit=BudgetUnit.ACCELERATOR_SECONDS, name="gpu")
    reservation = await table.admitted(Estimate(40, 1, 4096))
    allowance = allowance_of(reservation)
    refusal, ms = None, 0
    while refusal is None:
        ms += 10
        if ms >= allowance.until_ms:
            refusal = allowance.reached(7, ms)
        assert ms <= 5000
    assert refusal.code == "budget_exceeded"
    for part in ("gpu", "5 accelerator-seconds", "ends here"):
        assert part in refusal.message
    assert ms > 5000 - 60
    reservation.settle(Usage(10, 7, accelerator_ms=ms))
    assert table.leases.account("bud_a").in_use == ms
    refusal = await table.reserve(Estimate(40, 1, 4096))
    assert isinstance(refusal, Refusal)
    assert f"will probably use {ms / 1000:g} accelerator-seconds" in refusal.message


async def test_money_of_a_soft_budget_also_goes_by_the_price_of_time():
    price = [a_price(pico_per_accelerator_ms=3)]
    soft = a_budget(10**6, hardness=Hardness.SOFT)
    table = QuotaBench(a_snapshot(further_budgets=[soft], prices=price), LedgerDouble(amount=10**6))
    reservation = await table.admitted(Estimate(40, 1, 4096))
    assert table.leases.account("bud_a").reserved == 3 * FIRST_MS
    assert allowance_of(reservation).until_ms < FIRST_MS
    assert allowance_of(reservation).reached(1, FIRST_MS - 1) is None
    assert table.leases.account("bud_a").reserved == 3 * (FIRST_MS + MS)
    assert reservation.settle(Usage(10, 20, accelerator_ms=1500)).cost_pico == 4500
    assert table.leases.account("bud_a").in_use == 4500


async def test_where_no_budget_goes_by_time_none_is_asked():
    assert allowance_of(await bench(1000).admitted(Estimate(40, 1, 40))).until_ms == float("inf")


@pytest.mark.parametrize("enforcement", [Enforcement.SHADOW, Enforcement.OFF])
async def test_one_that_does_not_enforce_reserves_nothing_and_ends_no_stream(enforcement):
    table = bench(5, enforcement=enforcement)
    reservation = await table.admitted(Estimate(40, 1, 4096))
    assert reservation.allowance is None
    charge = reservation.settle(Usage(10, 4000))
    assert charge.budget_ids == (("bud_a",) if enforcement is Enforcement.SHADOW else ())
    assert table.ledger.leases_asked == 0


async def test_with_the_ledger_away_a_stream_goes_on_and_a_new_request_is_refused():
    table = bench(100_000, ledger=LedgerDouble(amount=100_000))
    reservation = await table.admitted(Estimate(40, 1, 100_000))
    table.ledger.away = True
    allowance = allowance_of(reservation)
    for tokens in range(1, 50_000, 50):
        assert tokens < allowance.until or allowance.reached(tokens) is None
        await table.leases.close()
    refusal = await table.reserve(Estimate(400_000, 0, 0))
    assert isinstance(refusal, Refusal)
    assert refusal.code == "quota_unavailable"
    reservation.settle(Usage(10, 50_000))
    assert table.leases.account("bud_a").in_use == 50_010
