"""Requests that outlast the window of a limit: what they give back at their end must have been theirs until then."""

import time
from collections.abc import Iterator

import pytest
from mizzen_gateway.stages import Estimate, Refusal, Usage
from support.access_snapshots import LimitMetric, a_limit, a_snapshot
from support.limit_gateways import QuotaGateway, quota_gateways
from support.limit_servers import PostgresProcess, RedisProcess, running_postgres_process, running_valkey
from support.limit_waits import ONE, fresh, until_admitted
from support.shared_ledger import SharedLedger
from support.until import until

STORES = ("process", "valkey", "postgres")
WINDOW = 1


@pytest.fixture(scope="module")
def servers() -> Iterator[dict[str, RedisProcess | PostgresProcess]]:
    with running_valkey() as valkey, running_postgres_process() as postgres:
        yield {"valkey": valkey, "postgres": postgres}


@pytest.fixture(scope="module")
def addresses(servers) -> dict[str, str]:
    return {"process": "process", **{name: server.url for name, server in servers.items()}}


async def window_passes() -> None:
    ends = time.monotonic() + 1.2 * WINDOW
    await until(lambda: time.monotonic() > ends, 10)


async def refuses(gateway: QuotaGateway, estimate: Estimate) -> bool:
    return isinstance(await gateway.reserve(estimate), Refusal)


@pytest.mark.parametrize("store", STORES)
async def test_what_a_request_may_still_use_is_kept_for_it_however_long_it_takes(addresses, store):
    limits = [a_limit(1000, LimitMetric.TOKENS, id=fresh(), window_seconds=WINDOW)]
    async with quota_gateways(addresses[store], 1, a_snapshot(limits=limits), SharedLedger(1)) as [gateway]:
        slow = [await gateway.admitted(Estimate(0, 1, 250)) for _ in range(4)]
        await window_passes()
        assert await refuses(gateway, Estimate(0, 1, 1))
        ended = time.monotonic()
        for one in slow:
            one.settle(Usage(0, 5))
        await gateway.told()
        used = 20
        while not await refuses(gateway, Estimate(0, 1, 50)):
            used += 50
        # Whatever refilled while this test ran may be used, too.
        assert 1000 - 50 < used <= 1000 + 1000 * (time.monotonic() - ended) / WINDOW


@pytest.mark.parametrize("store", STORES)
async def test_a_request_that_counts_for_nothing_gives_back_no_place_that_has_come_back_by_itself(addresses, store):
    limits = [a_limit(2, id=fresh(), window_seconds=WINDOW)]
    async with quota_gateways(addresses[store], 1, a_snapshot(limits=limits), SharedLedger(1)) as [gateway]:
        slow = [await gateway.admitted(ONE) for _ in range(2)]
        await window_passes()
        begun = time.monotonic()
        admitted = 0
        for one in [None, None, *slow]:
            if one is not None:
                one.settle(Usage(billable=False))
                await gateway.told()
            admitted += not await refuses(gateway, ONE)
        assert admitted <= 2 + 2 * (time.monotonic() - begun) / WINDOW


@pytest.mark.parametrize("store", ["valkey", "postgres"])
async def test_what_was_held_when_the_server_crashed_is_nobodys_afterwards(servers, store):
    limits = [a_limit(1000, LimitMetric.TOKENS, id=fresh(), window_seconds=86_400)]
    server, snapshot = servers[store], a_snapshot(limits=limits)
    async with quota_gateways(server.url, 1, snapshot, SharedLedger(1)) as [gone]:
        await gone.admitted(Estimate(0, 1, 900))
        await gone.kill()
    server.kill()
    server.start()
    async with quota_gateways(server.url, 1, snapshot, SharedLedger(1)) as [gateway]:
        await until_admitted(gateway, Estimate(0, 1, 1000))
