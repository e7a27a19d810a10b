"""Hard budgets: never overshot, spent to the last pico, and refusals that say why."""

import asyncio
import random
from datetime import UTC, datetime, timedelta

import pytest
from mizzen_crds.access import AccessSnapshot, BudgetWindow, LeaseGrant
from mizzen_gateway.stages import Estimate, Refusal, Usage
from support.access_snapshots import Enforcement, a_budget, a_price, a_snapshot
from support.ledger_double import LedgerDouble
from support.quota_bench import QuotaBench, headers_of

TEN = Estimate(10, 0, 0)
"""Ten tokens of one pico."""


def bench(amount: int, ledger: LedgerDouble | None = None, **budget: object) -> QuotaBench:
    prices = [a_price(pico_per_input_token=1, pico_per_output_token=2, pico_per_request=0)]
    ledger = ledger or LedgerDouble(amount=amount)
    return QuotaBench(a_snapshot(budgets=[a_budget(amount, **budget)], prices=prices), ledger)


async def test_two_thousand_at_once_spend_a_budget_exactly_while_others_hold_leases():
    seed = random.randrange(2**32)
    print("seed", seed)
    chance = random.Random(seed)
    table = bench(10_000, LedgerDouble(amount=10_000, others=7 * 700))

    async def one() -> bool:
        await asyncio.sleep(chance.random() * 0.02)
        answer = await table.reserve(TEN)
        if isinstance(answer, Refusal):
            return False
        await asyncio.sleep(0)
        answer.settle(Usage(10, 0))
        return True

    assert sum(await asyncio.gather(*(one() for _ in range(2000)))) == 510
    assert table.leases.account("bud_a").on_the_way == 5100


async def test_a_request_that_finds_too_little_waits_for_what_it_needs():
    table = bench(1_000_000)
    assert table.ledger.leases_asked == 0
    await table.admitted(Estimate(999_990, 0, 0))
    assert table.ledger.leases_asked == 1
    await table.admitted(TEN)
    assert isinstance(await table.reserve(Estimate(1, 0, 0)), Refusal)


async def test_a_refusal_names_the_budget_its_amount_and_the_end_of_the_period():
    end = datetime(2030, 2, 1, tzinfo=UTC)
    amount = 2_500_000_000_000
    table = bench(amount, LedgerDouble(amount=amount, spent=amount, period_end=end), name="team", period_end=end)
    refusal = await table.reserve(TEN)
    assert isinstance(refusal, Refusal)
    assert (refusal.status, refusal.code) == (429, "budget_exceeded")
    assert headers_of(refusal)["x-should-retry"] == "false"
    for part in ("team", "2.50 EUR", "2030-02-01T00:00:00Z"):
        assert part in refusal.message


async def test_with_the_ledger_away_credit_at_hand_is_spent_and_then_nothing():
    table = bench(1000)
    await table.admitted(TEN)
    table.ledger.away = True
    in_hand = table.leases.account("bud_a").free(table.clock())
    assert in_hand >= 10
    for _ in range(in_hand // 10):
        await table.admitted(TEN)
    refusal = await table.reserve(TEN)
    assert isinstance(refusal, Refusal)
    assert (refusal.status, refusal.code) == (503, "quota_unavailable")
    assert "whoever runs the gateway" in refusal.message, "a gateway alone has no control plane to look at"
    assert "control plane" not in refusal.message
    table.ledger.away = False
    await table.admitted(TEN)


async def test_the_upper_bound_is_held_and_what_was_not_used_is_free_again():
    table = bench(100)
    reservation = await table.admitted(Estimate(10, 3, 15))
    assert reservation.output_cap == 15
    assert reservation.bound.cost_pico == 100
    assert isinstance(await table.reserve(Estimate(1, 0, 0)), Refusal)
    charge = reservation.settle(Usage(10, 5))
    assert (charge.cost_pico, charge.rate_card_id, charge.budget_ids) == (20, "rcv_a", ("bud_a",))
    await table.admitted(Estimate(80, 0, 0))


async def test_a_new_period_brings_new_credit():
    table = bench(100)
    table.ledger.period_end = datetime.now(UTC) + timedelta(seconds=20)
    (await table.admitted(Estimate(100, 0, 0))).settle(Usage(100, 0))
    assert isinstance(await table.reserve(TEN), Refusal)
    table.pass_seconds(30)
    table.leases.acknowledge({"bud_a": 100})
    table.ledger.period_end = datetime.now(UTC) + timedelta(days=30)
    await table.admitted(Estimate(100, 0, 0))


async def test_what_is_on_its_way_after_a_restart_counts_until_it_is_acknowledged():
    table = bench(100)
    table.leases.account("bud_a").on_the_way = 60
    await table.admitted(Estimate(40, 0, 0))
    assert isinstance(await table.reserve(Estimate(1, 0, 0)), Refusal)


async def test_an_acknowledged_event_makes_no_credit():
    table = bench(100)
    (await table.admitted(Estimate(100, 0, 0))).settle(Usage(100, 0))
    table.leases.acknowledge({"bud_a": 100})
    assert table.leases.account("bud_a").free(table.clock()) == 0


async def test_credit_that_nobody_uses_goes_back():
    table = bench(1000)
    (await table.admitted(TEN)).settle(Usage(10, 0))
    for _ in range(2):
        table.pass_seconds(40)
        table.leases.renew()
        await table.leases.close()
    assert table.ledger.credit == 10
    await table.admitted(Estimate(990, 0, 0))


@pytest.mark.parametrize("enforcement", [Enforcement.SHADOW, Enforcement.OFF])
async def test_a_budget_that_does_not_enforce_refuses_nobody(enforcement):
    table = bench(5, enforcement=enforcement)
    charge = (await table.admitted(TEN)).settle(Usage(10, 0))
    assert charge.budget_ids == (("bud_a",) if enforcement is Enforcement.SHADOW else ())
    assert table.ledger.leases_asked == 0


def changed(amount: int, **budget: object) -> AccessSnapshot:
    prices = [a_price(pico_per_input_token=1, pico_per_output_token=2, pico_per_request=0)]
    return a_snapshot(2, budgets=[a_budget(amount, **budget)], prices=prices)


async def admitted_until_refused(table: QuotaBench) -> int:
    for count in range(1000):
        answer = await table.reserve(TEN)
        if isinstance(answer, Refusal):
            assert answer.code == "budget_exceeded"
            return count
        answer.settle(Usage(10, 0))
    raise AssertionError("never refused")


async def test_of_a_budget_that_is_lowered_no_credit_at_hand_is_spent_beyond_the_new_amount():
    table = bench(100_000)
    for _ in range(100):
        (await table.admitted(TEN)).settle(Usage(10, 0))
    assert table.leases.account("bud_a").free(table.clock()) > 500, "the test needs credit at hand"
    table.ledger.amount = 1010
    table.swap(changed(1010))
    assert await admitted_until_refused(table) == 1


async def test_another_window_asks_for_credit_anew_and_the_same_terms_do_not():
    table = bench(100_000)
    await table.admitted(TEN)
    asked = table.ledger.leases_asked
    table.swap(changed(100_000))
    await table.admitted(TEN)
    assert table.ledger.leases_asked == asked
    table.swap(changed(100_000, window=BudgetWindow.LIFETIME))
    await table.admitted(TEN)
    assert table.ledger.leases_asked == asked + 1


class OvertakenLedger(LedgerDouble):
    """Its answers leave when the test says so."""

    def __init__(self, amount: int) -> None:
        super().__init__(amount)
        self.decided, self.may_answer = asyncio.Semaphore(0), asyncio.Semaphore(0)

    async def lease(self, budget_id: str, want_pico: int) -> LeaseGrant:
        grant = await super().lease(budget_id, want_pico)
        self.decided.release()
        await self.may_answer.acquire()
        return grant


async def test_credit_that_was_granted_before_a_budget_was_lowered_is_not_spent_when_it_comes_after():
    ledger = OvertakenLedger(amount=100_000)
    table = bench(100_000, ledger)
    asked = [asyncio.create_task(table.reserve(TEN))]
    await ledger.decided.acquire()
    ledger.amount = 20
    table.swap(changed(20))
    asked.append(asyncio.create_task(table.reserve(TEN)))
    await asyncio.sleep(0)
    ledger.may_answer.release()
    await ledger.decided.acquire()
    asked += [asyncio.create_task(table.reserve(TEN)) for _ in range(30)]
    await asyncio.sleep(0)
    for _ in range(100):
        ledger.may_answer.release()
    answers = await asyncio.gather(*asked)
    assert sum(not isinstance(one, Refusal) for one in answers) == 2


async def test_random_traffic_with_a_flaky_ledger_never_overshoots():
    seed = random.randrange(2**32)
    print("seed", seed)
    chance = random.Random(seed)
    table = bench(20_000)
    rows: list[int] = []

    async def client() -> None:
        for _ in range(20):
            answer = await table.reserve(Estimate(chance.randrange(1, 60), 1, chance.randrange(30)))
            await asyncio.sleep(0)
            if not isinstance(answer, Refusal):
                bound = answer.bound.cost_pico
                used = chance.randrange(bound + 1)
                rows.append(answer.settle(Usage(used, 0)).cost_pico)

    async def ledger() -> None:
        while True:
            await asyncio.sleep(0)
            table.ledger.away = chance.random() < 0.1
            if rows and chance.random() < 0.3:
                cost = rows.pop()
                table.ledger.spent += cost
                table.ledger.credit -= cost
                table.leases.acknowledge({"bud_a": cost})
            assert table.ledger.spent + table.ledger.credit <= 20_000
            account = table.leases.account("bud_a")
            assert account.free(table.clock()) + account.in_use <= table.ledger.credit

    watcher = asyncio.create_task(ledger())
    await asyncio.gather(*(client() for _ in range(30)))
    watcher.cancel()
    assert table.ledger.spent + table.leases.account("bud_a").on_the_way <= 20_000
    assert not isinstance((await asyncio.gather(watcher, return_exceptions=True))[0], AssertionError)
