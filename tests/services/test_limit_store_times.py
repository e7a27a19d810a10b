"""Shared limits over time: what a gateway that is gone held, a server that lost its memory, credit that nobody uses."""

import asyncio
import time
from collections.abc import Iterator

import pytest
from mizzen_crds.access import BudgetUnit, Hardness
from mizzen_gateway.stages import Estimate, Refusal, Usage
from support.access_snapshots import LimitMetric, a_budget, a_limit, a_snapshot
from support.limit_gateways import quota_gateways
from support.limit_servers import PostgresProcess, RedisProcess, running_postgres_process, running_valkey
from support.limit_waits import ONE, credit_free, eventually, fresh, in_use, left, refused, reserved, until_admitted
from support.shared_ledger import SharedLedger
from support.until import until

DAY = 86_400
SHARED = ("valkey", "postgres")
HOLD_SECONDS = 1.2


@pytest.fixture(scope="module")
def servers() -> Iterator[dict[str, RedisProcess | PostgresProcess]]:
    with running_valkey() as valkey, running_postgres_process() as postgres:
        yield {"valkey": valkey, "postgres": postgres}


@pytest.fixture(scope="module")
def addresses(servers) -> dict[str, str]:
    return {name: server.url for name, server in servers.items()}


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
async def test_what_a_killed_gateway_had_reserved_for_a_stream_as_it_went_comes_back_less_what_it_had_delivered(
    addresses, store
):
    budget = a_budget(2000, id=fresh("bud"), unit=BudgetUnit.TOKENS, hardness=Hardness.SOFT)
    snapshot, ledger = a_snapshot(further_budgets=[budget]), SharedLedger(2000)
    async with quota_gateways(addresses[store], 2, snapshot, ledger, HOLD_SECONDS) as [killed, other]:
        stream = await killed.admitted(Estimate(40, 1, 4096))
        allowance = stream.allowance
        assert allowance is not None
        tokens = 0
        stream.watch(lambda: Usage(10, tokens, estimated=True))
        for tokens in range(1, 901):
            if tokens >= allowance.until:
                before = allowance.until
                assert allowance.reached(tokens) is None
                await until(lambda before=before: allowance.until > before, 10)
        # Longer than it would live without a renewal: one has told what was delivered.
        renewed_at = time.monotonic() + 1.5 * HOLD_SECONDS
        while time.monotonic() < renewed_at:
            assert await reserved(other, budget.id) > 910
            await asyncio.sleep(0.2)
        await killed.kill()
        async with asyncio.timeout(10):
            while await reserved(other, budget.id):  # noqa: ASYNC110 - the store tells nobody
                await asyncio.sleep(0.1)
        assert await in_use(other, budget.id) == 910


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
async def test_credit_that_nobody_uses_goes_back_by_its_end(addresses, store):
    budget = a_budget(1000, id=fresh("bud"), unit=BudgetUnit.TOKENS)
    ledger = SharedLedger(1000, lease_seconds=1.5)
    async with quota_gateways(addresses[store], 1, a_snapshot(further_budgets=[budget]), ledger) as [gateway]:
        (await gateway.admitted(Estimate(10, 0, 0))).settle(Usage(billable=False))
        await gateway.told()
        await until(lambda: all_leases_over(ledger), 10)
        await gateway.admitted(Estimate(1000, 0, 0))


def all_leases_over(ledger: SharedLedger) -> bool:
    return ledger.held() == 0
