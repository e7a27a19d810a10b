"""Shared limits when something goes wrong: a gateway is gone, the server loses its memory, or does not answer."""

import asyncio
import secrets
from collections.abc import Iterator

import pytest
from mizzen_crds.access import BudgetUnit, OnStoreLoss
from mizzen_gateway.limits.shared_store import SharedStore
from mizzen_gateway.stages import Estimate, Refusal, Usage
from support.access_snapshots import LimitMetric, a_budget, a_limit, a_snapshot
from support.limit_gateways import QuotaGateway, quota_gateways
from support.limit_servers import PostgresProcess, RedisProcess, running_postgres_process, running_valkey
from support.shared_ledger import SharedLedger
from support.until import until

DAY = 86_400
ONE = Estimate(0, 0, 0)
SHARED = ("valkey", "postgres")
HOLD_SECONDS = 1.2


@pytest.fixture(scope="module")
def servers() -> Iterator[dict[str, RedisProcess | PostgresProcess]]:
    with running_valkey() as valkey, running_postgres_process() as postgres:
        yield {"valkey": valkey, "postgres": postgres}


@pytest.fixture(scope="module")
def addresses(servers) -> dict[str, str]:
    return {name: server.url for name, server in servers.items()}


def fresh(prefix: str = "lim") -> str:
    return f"{prefix}_{secrets.token_hex(6)}"


async def left(gateway: QuotaGateway) -> int:
    """Tokens that a limit has left."""
    reservation = await gateway.admitted(ONE)
    reservation.settle(Usage(billable=False))
    return int(dict(reservation.headers)["x-ratelimit-remaining-tokens"])


async def eventually(gateway: QuotaGateway, tokens: int, seconds: float = 10) -> None:
    """Until the limit has so many tokens left."""
    async with asyncio.timeout(seconds):
        while await left(gateway) != tokens:  # noqa: ASYNC110 - the store tells nobody
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("store", SHARED)
async def test_what_a_killed_gateway_held_comes_back_less_what_it_had_delivered(addresses, store):
    limits = [
        a_limit(1000, LimitMetric.TOKENS, id=fresh(), window_seconds=DAY),
        a_limit(2, LimitMetric.CONCURRENCY, id=fresh(), window_seconds=0),
    ]
    budget = a_budget(1000, id=fresh("bud"), unit=BudgetUnit.TOKENS)
    snapshot, ledger = a_snapshot(further_limits=limits, further_budgets=[budget]), SharedLedger(1000)
    async with quota_gateways(addresses[store], 2, snapshot, ledger, HOLD_SECONDS) as [killed, other]:
        stream = await killed.admitted(Estimate(100, 1, 300))
        stream.watch(lambda: Usage(100, 50, estimated=True))
        told = (await killed.admitted(Estimate(100, 1, 400))).watch(lambda: Usage(billable=False))
        assert told is None
        assert await credit_free(other, budget.id) <= 1000 - 900
        refusal = await other.reserve(ONE)
        assert isinstance(refusal, Refusal)
        assert refusal.code == "too_many_concurrent_requests"
        # Longer than they would live without a renewal: the renewals have told what was delivered.
        held = 0
        while held < 2 * HOLD_SECONDS:
            await asyncio.sleep(0.2)
            held += 0.2
            assert isinstance(await other.reserve(ONE), Refusal)
        await killed.kill()
        await until_admitted(other)
        await eventually(other, 1000 - 150)
        assert await in_use(other, budget.id) == 150


@pytest.mark.parametrize("store", SHARED)
async def test_an_end_that_is_told_late_corrects_what_its_time_had_settled(addresses, store):
    limits = [a_limit(1000, LimitMetric.TOKENS, id=fresh(), window_seconds=DAY)]
    budget = a_budget(1000, id=fresh("bud"), unit=BudgetUnit.TOKENS)
    snapshot, ledger = a_snapshot(limits=limits, further_budgets=[budget]), SharedLedger(1000)
    async with quota_gateways(addresses[store], 2, snapshot, ledger, HOLD_SECONDS) as [slow, other]:
        for task in slow.tasks:
            task.cancel()  # it renews nothing
        stream = await slow.admitted(Estimate(100, 1, 300))
        await eventually(other, 1000)
        assert await in_use(other, budget.id) == 0
        stream.settle(Usage(100, 200))
        await slow.told()
        assert await left(other) == 700
        assert await in_use(other, budget.id) == 300


@pytest.mark.parametrize("store", SHARED)
async def test_what_the_ledger_charged_before_the_store_was_told_is_not_counted_twice(addresses, store):
    budget = a_budget(1000, id=fresh("bud"), unit=BudgetUnit.TOKENS)
    ledger = SharedLedger(1000)
    async with quota_gateways(addresses[store], 2, a_snapshot(further_budgets=[budget]), ledger) as [slow, other]:
        for task in slow.tasks:
            task.cancel()  # what has ended there is not told
        charge = (await slow.admitted(Estimate(100, 1, 300))).settle(Usage(100, 200))
        ledger.charge(charge.holder, 300)
        refusal = await other.reserve(Estimate(700, 0, 0))
        assert isinstance(refusal, Refusal)
        await slow.told()
        assert await in_use(other, budget.id) == 0
        await other.admitted(Estimate(700, 0, 0))
        assert ledger.spent + ledger.held() == 1000


@pytest.mark.parametrize("store", SHARED)
async def test_a_server_that_lost_its_memory_grants_no_credit_before_old_leases_have_expired(servers, addresses, store):
    budget = a_budget(1000, id=fresh("bud"), unit=BudgetUnit.TOKENS)
    ledger = SharedLedger(1000, lease_seconds=4)
    async with quota_gateways(addresses[store], 2, a_snapshot(further_budgets=[budget]), ledger, HOLD_SECONDS) as [
        running,
        other,
    ]:
        stream = await running.admitted(Estimate(100, 1, 500))
        stream.watch(lambda: Usage(100, 250))
        before = stream.bound.holder
        servers[store].kill()
        servers[store].start()
        refusal = await refused(other, Estimate(10, 0, 0), but_for="does not answer")
        assert (refusal.status, refusal.code) == (503, "quota_unavailable")
        assert "lost its memory" in refusal.message
        assert 1 <= int(dict(refusal.headers)["retry-after"]) <= 4
        await until(lambda: stream.bound.holder != before, 10)
        await until_admitted(other, Estimate(10, 0, 0))
        # The stream that runs on is held in the new memory: what is left is the rest.
        assert await in_use(other, budget.id) == 600 + 10
        charge = stream.settle(Usage(100, 400))
        await running.told()
        assert charge.holder != before
        assert await in_use(other, budget.id) == 500 + 10
        taken = [isinstance(await other.reserve(Estimate(10, 0, 0)), Refusal) for _ in range(60)]
        assert taken.count(False) == 49


@pytest.mark.parametrize("store", SHARED)
async def test_while_the_server_is_away_each_limit_does_what_it_says_and_is_counted(servers, store):
    lenient = a_limit(5, id=fresh(), name="lenient", on_store_loss=OnStoreLoss.ALLOW, window_seconds=DAY)
    strict = a_limit(5, id=fresh(), name="strict", window_seconds=DAY)
    server = servers[store]
    async with (
        quota_gateways(server.url, 1, a_snapshot(limits=[lenient]), SharedLedger(1)) as [open_one],
        quota_gateways(server.url, 1, a_snapshot(limits=[strict]), SharedLedger(1)) as [closed_one],
    ):
        first, _ = await open_one.admitted(ONE), await closed_one.admitted(ONE)
        server.kill()
        try:
            refusal = await refused(closed_one, ONE)
            assert (refusal.status, refusal.code) == (503, "quota_unavailable")
            assert "Limit strict cannot be checked" in refusal.message
            for _ in range(20):
                (await open_one.admitted(ONE)).settle(Usage(1, 1))
            first.settle(Usage(billable=False))
            assert open_one.quota.store_lost["limit", "lenient", "allowed"] >= 15
            assert closed_one.quota.store_lost["limit", "strict", "refused"] == 1
        finally:
            server.start()
        await until(lambda: not closed_one.store.lost and not open_one.store.lost, 10)
        await until_admitted(closed_one)
        await open_one.admitted(ONE)


@pytest.mark.parametrize("store", SHARED)
async def test_callers_who_leave_while_the_server_decides_hold_nothing_and_harm_nobody(addresses, store):
    limits = [
        a_limit(5, LimitMetric.CONCURRENCY, id=fresh(), window_seconds=0),
        a_limit(1000, LimitMetric.TOKENS, id=fresh(), window_seconds=DAY),
    ]
    async with quota_gateways(addresses[store], 1, a_snapshot(further_limits=limits), SharedLedger(1)) as [gateway]:
        await until_admitted(gateway)
        for turns in range(40):
            asking = asyncio.create_task(gateway.reserve(Estimate(10, 0, 0)))
            for _ in range(turns % 8):
                await asyncio.sleep(0)
            asking.cancel()
            [answer] = await asyncio.gather(asking, return_exceptions=True)
            if not isinstance(answer, asyncio.CancelledError | Refusal):
                answer.settle(Usage(billable=False))
            assert not gateway.store.lost
        assert isinstance(gateway.store, SharedStore)
        await gateway.told()
        await until_admitted(gateway)
        await eventually(gateway, 1000)
        assert gateway.store.failures == 0
        for _ in range(5):
            await gateway.admitted(ONE)


async def test_a_server_that_is_silent_is_taken_for_lost_and_found_again(servers):
    valkey = servers["valkey"]
    limit = a_limit(5, id=fresh(), name="strict", window_seconds=DAY)
    async with quota_gateways(valkey.url, 1, a_snapshot(limits=[limit]), SharedLedger(1)) as [gateway]:
        await gateway.admitted(ONE)
        valkey.pause()
        try:
            async with asyncio.timeout(5):
                refusal = await gateway.reserve(ONE)
            assert isinstance(refusal, Refusal)
            assert refusal.code == "quota_unavailable"
        finally:
            valkey.resume()
        await until(lambda: not gateway.store.lost, 10)
        assert int(dict((await gateway.admitted(ONE)).headers)["x-ratelimit-remaining-requests"]) in (2, 3)


@pytest.mark.parametrize("store", SHARED)
async def test_while_the_ledger_is_away_credit_at_hand_is_spent_and_no_more(addresses, store):
    budget = a_budget(1000, id=fresh("bud"), unit=BudgetUnit.TOKENS)
    ledger = SharedLedger(1000)
    async with quota_gateways(addresses[store], 2, a_snapshot(further_budgets=[budget]), ledger) as gateways:
        await gateways[0].admitted(Estimate(10, 0, 0))
        ledger.away = True
        at_hand = await credit_free(gateways[0], budget.id)
        assert at_hand >= 10
        for number in range(at_hand // 10):
            await gateways[number % 2].admitted(Estimate(10, 0, 0))
        refusal = await gateways[1].reserve(Estimate(10, 0, 0))
        assert isinstance(refusal, Refusal)
        assert "ledger is silent" in refusal.message
        ledger.away = False
        await gateways[1].admitted(Estimate(10, 0, 0))


@pytest.mark.parametrize("store", SHARED)
async def test_credit_that_nobody_uses_goes_back_by_its_end(addresses, store):
    budget = a_budget(1000, id=fresh("bud"), unit=BudgetUnit.TOKENS)
    ledger = SharedLedger(1000, lease_seconds=1.5)
    async with quota_gateways(addresses[store], 1, a_snapshot(further_budgets=[budget]), ledger) as [gateway]:
        (await gateway.admitted(Estimate(10, 0, 0))).settle(Usage(billable=False))
        await gateway.told()
        await until(lambda: all_leases_over(ledger), 10)
        await gateway.admitted(Estimate(1000, 0, 0))


async def until_admitted(gateway: QuotaGateway, estimate: Estimate = ONE) -> None:
    """A request gets through, within ten seconds."""
    async with asyncio.timeout(10):
        while isinstance(answer := await gateway.reserve(estimate), Refusal):  # noqa: ASYNC110 - the store tells nobody
            await asyncio.sleep(0.05)
    if estimate is ONE:
        answer.settle(Usage(billable=False))
        await gateway.told()


async def refused(gateway: QuotaGateway, estimate: Estimate, but_for: str = "\0") -> Refusal:
    """The first refusal that does not say so; what is admitted before is given back."""
    async with asyncio.timeout(10):
        while True:
            answer = await gateway.reserve(estimate)
            if isinstance(answer, Refusal):
                if but_for not in answer.message:
                    return answer
            else:
                answer.settle(Usage(billable=False))
            await asyncio.sleep(0.02)


async def in_use(gateway: QuotaGateway, budget_id: str) -> int:
    assert isinstance(gateway.store, SharedStore)
    return (await gateway.store.server.look("org_a", budget_id, gateway.store.epochs["org_a"])).in_use


async def credit_free(gateway: QuotaGateway, budget_id: str) -> int:
    assert isinstance(gateway.store, SharedStore)
    if "org_a" not in gateway.store.epochs:
        await gateway.reserve(ONE)
    credit = await gateway.store.server.look("org_a", budget_id, gateway.store.epochs["org_a"])
    return credit.credit - credit.in_use


def all_leases_over(ledger: SharedLedger) -> bool:
    return ledger.held() == 0
