"""The three stores of limits are alike: the same suite on each.

Gateways are whole stage fours in one process here. `tests/services` has them as processes of their own, one, two and
eight of them, and more tries.
"""

import asyncio
import random
import secrets
import time
from collections import Counter
from collections.abc import Iterator

import pytest
from mizzen_crds.access import BudgetUnit, Hardness
from mizzen_gateway.discovery.access_building import index_snapshot
from mizzen_gateway.stages import Estimate, Refusal, Usage
from support.access_snapshots import Enforcement, LimitMetric, a_budget, a_limit, a_price, a_snapshot
from support.limit_gateways import QuotaGateway, quota_gateways
from support.limit_servers import RedisProcess, running_valkey
from support.limit_waits import credit_free, holder_of, in_use, put_in_credit, reserved
from support.postgres import Postgres, running_postgres
from support.shared_ledger import SharedLedger

DAY = 86_400
ONE = Estimate(0, 0, 0)
STORES = ("process", "valkey", "postgres")
FLEETS = [("process", 1), ("valkey", 2), ("postgres", 2)]
TRIES = 800
PRICES = [a_price(pico_per_input_token=1, pico_per_output_token=1, pico_per_request=0)]
UNLIMITED = SharedLedger(10**15)


@pytest.fixture(scope="module")
def valkey() -> Iterator[RedisProcess]:
    with running_valkey() as server:
        yield server


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    with running_postgres() as server:
        yield server


@pytest.fixture(scope="module")
def addresses(valkey: RedisProcess, postgres: Postgres) -> dict[str, str]:
    """Of the stores; tests share them, so that each names limits of its own."""
    return {
        "process": "process",
        "valkey": valkey.url,
        "postgres": postgres.new_database().replace("+asyncpg", ""),
    }


def fresh(prefix: str = "lim") -> str:
    return f"{prefix}_{secrets.token_hex(6)}"


def seeded(seed: int | None = None) -> random.Random:
    seed = random.randrange(2**32) if seed is None else seed
    print("seed", seed)
    return random.Random(seed)


async def tries(gateways: list[QuotaGateway], count: int, estimate: Estimate, chance: random.Random) -> int:
    """How many of so many at once are admitted."""

    async def one() -> bool:
        gateway = chance.choice(gateways)
        await asyncio.sleep(chance.random() * 0.02)
        return not isinstance(await gateway.reserve(estimate), Refusal)

    return sum(await asyncio.gather(*(one() for _ in range(count))))


@pytest.mark.parametrize(("store", "count"), FLEETS)
async def test_of_many_at_once_a_limit_of_a_hundred_a_day_admits_exactly_a_hundred(addresses, store, count):
    snapshot = a_snapshot(limits=[a_limit(100, id=fresh(), window_seconds=DAY)])
    async with quota_gateways(addresses[store], count, snapshot, UNLIMITED) as gateways:
        admitted = await tries(gateways, TRIES, ONE, seeded())
    print(f"{store}, {count} gateways: {admitted} of {TRIES} admitted by a limit of 100 a day")
    assert admitted == 100


@pytest.mark.parametrize(("store", "count"), FLEETS)
async def test_a_budget_is_spent_to_its_last_token_by_one_gateway_while_the_others_hold_some(addresses, store, count):
    budget = a_budget(1000, id=fresh("bud"), unit=BudgetUnit.TOKENS)
    ledger = SharedLedger(1000)
    async with quota_gateways(addresses[store], count, a_snapshot(further_budgets=[budget]), ledger) as gateways:
        held = [await gateway.admitted(Estimate(10, 0, 0)) for gateway in gateways[1:]]
        admitted = await tries(gateways[:1], TRIES, Estimate(10, 0, 0), seeded())
        print(f"{store}, {count} gateways: {admitted} of {TRIES} admitted by what {len(held)} others leave of a budget")
        assert admitted == 100 - len(held)
        for reservation in held:
            reservation.settle(Usage(0, 0, billable=False))
        for gateway in gateways:
            await gateway.told()
        assert await tries(gateways[:1], 200, Estimate(10, 0, 0), seeded()) == len(held)


@pytest.mark.parametrize(("store", "count"), FLEETS[1:])
async def test_of_a_budget_that_is_lowered_the_store_keeps_no_more_credit_than_is_left(addresses, store, count):
    budget = a_budget(1000, id=fresh("bud"), unit=BudgetUnit.TOKENS)
    ledger = SharedLedger(1000)
    async with quota_gateways(addresses[store], count, a_snapshot(further_budgets=[budget]), ledger) as gateways:
        (await gateways[0].admitted(Estimate(100, 0, 0))).settle(Usage(100, 0))
        await gateways[0].told()
        assert await credit_free(gateways[0], budget.id) > 500, "the test needs credit at hand"
        ledger.amount = 150
        lowered = a_snapshot(2, further_budgets=[budget.model_copy(update={"amount_pico": 150})])
        for gateway in gateways:
            gateway.state.put(index_snapshot(lowered), time.time() + 10**6)
        assert not isinstance(await gateways[1].reserve(Estimate(10, 0, 0)), Refusal)
        async with asyncio.timeout(20):
            while await credit_free(gateways[1], budget.id) > 50:  # noqa: ASYNC110 - the store tells nobody
                await asyncio.sleep(0.02)
        assert await tries(gateways, 20, Estimate(10, 0, 0), seeded()) == 4


@pytest.mark.parametrize(("store", "count"), FLEETS[1:])
async def test_what_is_charged_before_its_request_ends_is_never_on_its_way_though_credit_comes_between(
    addresses, store, count
):
    budget = a_budget(1000, id=fresh("bud"), unit=BudgetUnit.TOKENS)
    ledger = SharedLedger(1000)
    async with quota_gateways(addresses[store], count, a_snapshot(further_budgets=[budget]), ledger) as gateways:
        requests = [await gateway.admitted(Estimate(5, 1, 25)) for gateway in gateways]
        for _ in requests:
            ledger.charge(holder_of(gateways[0]), 20)
            await put_in_credit(gateways[0], ledger, budget)
        await put_in_credit(gateways[0], ledger, budget)
        for request in requests:
            request.settle(Usage(5, 15))
        for gateway in gateways:
            await gateway.told()
        assert await in_use(gateways[0], budget.id) == 0


@pytest.mark.parametrize(("store", "count"), FLEETS)
async def test_two_hundred_streams_at_once_never_overshoot_a_hard_budget_of_a_thousand_tokens(addresses, store, count):
    budget = a_budget(1000, id=fresh("bud"), unit=BudgetUnit.TOKENS)
    ledger = SharedLedger(1000)
    chance = seeded()
    delivered, admitted = 0, 0

    async def stream(gateway: QuotaGateway) -> None:
        nonlocal delivered, admitted
        answer = await gateway.reserve(Estimate(5, 1, 25))
        if isinstance(answer, Refusal):
            assert answer.code == "budget_exceeded", answer.message
            return
        assert answer.output_cap == 25
        admitted += 1
        used = 5 + chance.randrange(26)
        await asyncio.sleep(chance.random() * 0.05)
        delivered += used
        charge = answer.settle(Usage(5, used - 5))
        await asyncio.sleep(chance.random() * 0.05)
        ledger.charge(charge.holder or "gateway", used)
        if store == "process":
            gateway.leases.acknowledge({budget.id: used})

    async with quota_gateways(addresses[store], count, a_snapshot(further_budgets=[budget]), ledger) as gateways:
        rounds, ends = 0, time.monotonic() + 60
        while delivered <= 970 and time.monotonic() < ends:  # that nothing is left is believed for a moment
            rounds += 1
            await asyncio.gather(*(stream(chance.choice(gateways)) for _ in range(200)))
            await asyncio.gather(*(gateway.told() for gateway in gateways))
    print(
        f"{store}, {count} gateways: {admitted} streams delivered {delivered} of 1,000 tokens, {rounds} rounds of 200"
    )
    assert 970 < delivered <= 1000
    assert ledger.spent == delivered


@pytest.mark.parametrize(("store", "count"), FLEETS)
async def test_streams_end_when_a_soft_budget_is_used_up_and_it_is_settled_exactly(addresses, store, count):
    budget = a_budget(3000, id=fresh("bud"), unit=BudgetUnit.TOKENS, hardness=Hardness.SOFT)
    ledger, chance = SharedLedger(3000), seeded()
    delivered, ends = 0, Counter[str]()

    async def stream(gateway: QuotaGateway) -> None:
        nonlocal delivered
        answer = await gateway.reserve(Estimate(20, 1, 4096))
        if isinstance(answer, Refusal):
            ends[answer.code] += 1
            return
        assert answer.allowance is not None
        tokens, refusal = 0, None
        while refusal is None and tokens < 600:
            tokens += 4
            await asyncio.sleep(chance.random() * 0.002)
            while tokens >= answer.allowance.held and answer.allowance.asking is not None:
                await asyncio.wait([answer.allowance.asking])
            refusal = answer.allowance.reached(tokens) if tokens >= answer.allowance.until else None
        ends["whole" if refusal is None else "ended"] += 1
        delivered += 5 + tokens
        charge = answer.settle(Usage(5, tokens))
        ledger.charge(charge.holder or "gateway", 5 + tokens)
        if store == "process":
            gateway.leases.acknowledge({budget.id: 5 + tokens})

    async with quota_gateways(addresses[store], count, a_snapshot(further_budgets=[budget]), ledger) as gateways:
        await asyncio.gather(*(stream(chance.choice(gateways)) for _ in range(20)))
        for gateway in gateways:
            await gateway.told()
        beyond = sum(sum(gateway.quota.beyond.values()) for gateway in gateways)
        print(
            f"{store}, {count} gateways: {delivered} of 3,000 tokens, {dict(ends)}, {beyond} beyond what was reserved"
        )
        assert ends["ended"] > 0
        assert ends["budget_exceeded"] > 0
        assert ledger.spent == delivered
        assert 3000 - 20 * 16 < delivered <= 3000 + beyond
        assert beyond <= 20 * 4, "no stream goes on before the store has answered; a part has four tokens"
        assert await reserved(gateways[0], budget.id) == 0
        if delivered < 3000:  # what is left can be had to the last token
            await gateways[-1].admitted(Estimate(4 * (3000 - delivered), 0, 0))
        assert isinstance(await gateways[0].reserve(Estimate(4, 0, 0)), Refusal)


@pytest.mark.parametrize("store", STORES)
async def test_accelerator_seconds_are_settled_to_the_millisecond(addresses, store):
    budget = a_budget(10_000, id=fresh("bud"), unit=BudgetUnit.ACCELERATOR_SECONDS)
    ledger, spent = SharedLedger(10_000), 0
    async with quota_gateways(addresses[store], 1, a_snapshot(further_budgets=[budget]), ledger) as [gateway]:
        for ms in (2500, 1, 4000):
            reservation = await gateway.admitted(Estimate(40, 1, 4096))
            charge = reservation.settle(Usage(10, 20, accelerator_ms=ms))
            spent += ms
            ledger.charge(charge.holder or "gateway", ms)
            if store == "process":
                gateway.leases.acknowledge({budget.id: ms})
            await gateway.told()
            assert await reserved(gateway, budget.id) == 0
        refusal = await gateway.reserve(Estimate(40, 1, 4096))
        assert isinstance(refusal, Refusal)
        assert "will probably use 4 accelerator-seconds" in refusal.message
    assert ledger.spent == spent == 6501


@pytest.mark.parametrize(("store", "count"), FLEETS)
async def test_a_refusal_of_a_budget_says_what_requests_under_way_hold_and_then_to_try_again(addresses, store, count):
    budget = a_budget(1000, id=fresh("bud"), unit=BudgetUnit.TOKENS)
    ledger = SharedLedger(1000)
    async with quota_gateways(addresses[store], count, a_snapshot(further_budgets=[budget]), ledger) as gateways:
        under_way = await gateways[0].admitted(Estimate(600, 0, 0))
        refusal = await gateways[-1].reserve(Estimate(700, 0, 0))
        assert isinstance(refusal, Refusal)
        assert "400 tokens are at hand and 600 tokens held for requests under way" in refusal.message
        assert dict(refusal.headers).get("retry-after") == "2"
        charge = under_way.settle(Usage(500, 0))
        await gateways[0].told()
        ledger.charge(charge.holder or "gateway", 500)
        for gateway in gateways:
            gateway.leases.acknowledge({budget.id: 500})
        async with asyncio.timeout(10):  # that it holds 600 is remembered for as long as that nothing was left
            while "retry-after" in dict(refusal.headers):
                refusal = await gateways[-1].reserve(Estimate(700, 0, 0))
                assert isinstance(refusal, Refusal)
                await asyncio.sleep(0.05)
        assert "500 tokens are at hand and 0 tokens held" in refusal.message
        assert dict(refusal.headers)["x-should-retry"] == "false"
        await gateways[-1].admitted(Estimate(500, 0, 0))


@pytest.mark.parametrize("store", STORES)
async def test_what_one_rule_refuses_takes_from_no_other(addresses, store):
    limits = [
        a_limit(10, id=fresh(), name="requests"),
        a_limit(1000, LimitMetric.TOKENS, id=fresh(), name="tokens"),
        a_limit(20, LimitMetric.CONCURRENCY, id=fresh(), window_seconds=0),
    ]
    budget = a_budget(700, id=fresh("bud"), unit=BudgetUnit.TOKENS)
    snapshot = a_snapshot(limits=limits, further_budgets=[budget])
    async with quota_gateways(addresses[store], 1, snapshot, SharedLedger(700)) as [gateway]:
        for tokens, code in ((1001, "rate_limit_exceeded"), (701, "budget_exceeded")):
            refusal = await gateway.reserve(Estimate(tokens, 0, 0))
            assert isinstance(refusal, Refusal)
            assert refusal.code == code
        held = [await gateway.admitted(Estimate(70, 0, 0)) for _ in range(10)]
        refusal = await gateway.reserve(ONE)
        assert isinstance(refusal, Refusal)
        assert "requests" in refusal.message
        assert len(held) == 10


@pytest.mark.parametrize("store", STORES)
async def test_what_was_not_used_comes_back_and_what_was_used_beyond_is_taken(addresses, store):
    limits = [a_limit(1000, LimitMetric.TOKENS, id=fresh(), window_seconds=DAY)]
    async with quota_gateways(addresses[store], 1, a_snapshot(limits=limits), UNLIMITED) as [gateway]:
        first = await gateway.admitted(Estimate(100, 1, 800))
        assert dict(first.headers)["x-ratelimit-remaining-tokens"] == "100"
        first.settle(Usage(100, 50))
        await gateway.told()
        second = await gateway.admitted(Estimate(10, 0, 0))
        headers = dict(second.headers)
        assert headers["x-ratelimit-limit-tokens"] == "1000"
        assert headers["x-ratelimit-remaining-tokens"] == "840"
        assert float(headers["x-ratelimit-reset-tokens"][:-1]) == pytest.approx(160 * DAY / 1000, abs=60)
        second.settle(Usage(60, 0))
        third = await gateway.admitted(Estimate(1, 0, 0))
        third.settle(Usage(billable=False))
        await gateway.told()
        last = await gateway.admitted(ONE)
        assert dict(last.headers)["x-ratelimit-remaining-tokens"] == "790"


@pytest.mark.parametrize("store", STORES)
async def test_a_refusal_says_when_to_try_again(addresses, store):
    limits = [a_limit(2, id=fresh(), name="gold")]
    async with quota_gateways(addresses[store], 1, a_snapshot(limits=limits), UNLIMITED) as [gateway]:
        for _ in range(2):
            await gateway.admitted(ONE)
        refusal = await gateway.reserve(ONE)
        assert isinstance(refusal, Refusal)
        headers = dict(refusal.headers)
        assert (refusal.status, refusal.code) == (429, "rate_limit_exceeded")
        assert 20 < int(headers["retry-after"]) <= 30
        assert headers["x-ratelimit-remaining-requests"] == "0"
        assert "gold" in refusal.message
        assert "2 requests per 60 s" in refusal.message


@pytest.mark.parametrize(("store", "count"), [("process", 1), ("valkey", 2), ("postgres", 2)])
async def test_so_many_run_at_once_and_a_place_is_free_when_one_ends(addresses, store, count):
    limits = [a_limit(3, LimitMetric.CONCURRENCY, id=fresh(), window_seconds=0)]
    async with quota_gateways(addresses[store], count, a_snapshot(further_limits=limits), UNLIMITED) as gateways:
        held = [await gateways[number % count].admitted(ONE) for number in range(3)]
        refusal = await gateways[-1].reserve(ONE)
        assert isinstance(refusal, Refusal)
        assert refusal.code == "too_many_concurrent_requests"
        held[0].settle(Usage(1, 1))
        await gateways[0].told()
        await gateways[-1].admitted(ONE)
        assert isinstance(await gateways[0].reserve(ONE), Refusal)


@pytest.mark.parametrize("store", STORES)
async def test_who_was_answered_finds_the_place_free_at_once(addresses, store):
    limits = [a_limit(1, LimitMetric.CONCURRENCY, id=fresh(), window_seconds=0)]
    async with quota_gateways(addresses[store], 1, a_snapshot(further_limits=limits), UNLIMITED) as [gateway]:
        for _ in range(100):
            answer = await gateway.reserve(ONE)
            assert not isinstance(answer, Refusal), answer
            answer.settle(Usage(1, 1))


@pytest.mark.parametrize("store", STORES)
async def test_a_shadow_limit_counts_and_refuses_nobody_and_one_that_is_off_does_neither(addresses, store):
    limits = [
        a_limit(1, id=fresh(), name="watched", enforcement=Enforcement.SHADOW),
        a_limit(1, id=fresh(), name="resting", enforcement=Enforcement.OFF),
    ]
    async with quota_gateways(addresses[store], 1, a_snapshot(limits=limits), UNLIMITED) as [gateway]:
        for _ in range(3):
            await gateway.admitted(ONE)
        assert dict(gateway.quota.refused_by) == {("limit", "watched", "shadow"): 2}


# With the second seed a refill in advance comes in while a request is told that credit lacks.
@pytest.mark.parametrize("seed", [None, 3912200474], ids=["any", "a refill in between"])
async def test_the_stores_give_the_same_answers_to_the_same_requests(addresses, seed):
    chance = seeded(seed)
    steps = [(chance.random() < 0.45, chance.randrange(1, 60), chance.random()) for _ in range(160)]
    answers = {}
    for store in STORES:
        # A window so long that nothing drains while the test runs.
        kinds = {"requests": 90, "tokens": 1500, "input_tokens": 1100, "output_tokens": 700, "cost": 2500}
        limits = [
            a_limit(amount, LimitMetric(kind), id=fresh(), name=kind, window_seconds=10**8)
            for kind, amount in kinds.items()
        ]
        limits.append(a_limit(12, LimitMetric.CONCURRENCY, id=fresh(), name="at once", window_seconds=0))
        budget = a_budget(900, id=fresh("bud"))
        snapshot = a_snapshot(limits=limits, budgets=[budget], prices=PRICES)
        async with quota_gateways(addresses[store], 1, snapshot, SharedLedger(900)) as [gateway]:
            answers[store] = await played(gateway, steps)
    assert answers["valkey"] == answers["process"]
    assert answers["postgres"] == answers["process"]
    refused = {answer for answer in answers["process"] if isinstance(answer, str)}
    print(len(answers["process"]), "answers alike; refused by", sorted(refused))
    assert refused


async def played(gateway: QuotaGateway, steps: list[tuple[bool, int, float]]) -> list[object]:
    """What a gateway says to a sequence of beginnings and ends."""
    found: list[object] = []
    running = []
    for ends, tokens, share in steps:
        if ends and running:
            reservation, bound = running.pop(int(share * len(running)))
            reservation.settle(Usage(int(bound * share), bound // 2, billable=share > 0.2))
            await gateway.told()
            continue
        answer = await gateway.reserve(Estimate(tokens, 1, tokens // 2))
        if isinstance(answer, Refusal):
            found.append(f"{answer.code}: {answer.message[:40].partition(' is ')[0].partition(' of ')[0]}")
        else:
            running.append((answer, tokens))
            headers = dict(answer.headers)
            found.append(tuple(headers[f"x-ratelimit-remaining-{unit}"] for unit in ("requests", "tokens")))
    return found
