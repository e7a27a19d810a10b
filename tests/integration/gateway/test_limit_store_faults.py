"""Shared limits when something goes wrong: a gateway is gone, the server loses its memory, or does not answer."""

import asyncio
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from mizzen_crds.access import BudgetUnit, OnStoreLoss
from mizzen_gateway.errors import CannotStartError
from mizzen_gateway.limits.answers import StoreLost
from mizzen_gateway.limits.choice import StoreSettings, open_store
from mizzen_gateway.limits.leases import CreditLeases
from mizzen_gateway.limits.postgres_server import PostgresServer
from mizzen_gateway.limits.redis_server import RedisServer
from mizzen_gateway.limits.rules import limit_rule
from mizzen_gateway.limits.shared_server import StoreUnreachableError
from mizzen_gateway.limits.shared_store import SharedStore
from mizzen_gateway.stages import Estimate, Refusal, Usage
from support.access_snapshots import LimitMetric, a_budget, a_limit, a_snapshot
from support.free_ports import free_port
from support.gateway import make_snapshot, running_gateway
from support.limit_gateways import quota_gateways
from support.limit_servers import (
    PostgresProcess,
    RedisProcess,
    running_postgres_process,
    running_sentinel,
    running_valkey,
)
from support.limit_waits import ONE, credit_free, eventually, fresh, in_use, refused, until_admitted
from support.moving_address import moving_address
from support.shared_ledger import SharedLedger
from support.until import until

DAY = 86_400
SHARED = ("valkey", "postgres")


@pytest.fixture(scope="module")
def servers() -> Iterator[dict[str, RedisProcess | PostgresProcess]]:
    with running_valkey() as valkey, running_postgres_process() as postgres:
        yield {"valkey": valkey, "postgres": postgres}


@pytest.fixture(scope="module")
def addresses(servers) -> dict[str, str]:
    return {name: server.url for name, server in servers.items()}


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


@pytest.mark.parametrize("store", SHARED)
async def test_a_caller_who_leaves_while_it_tells_the_ends_of_others_loses_none_of_them(addresses, store):
    limit = a_limit(5, LimitMetric.CONCURRENCY, id=fresh(), window_seconds=0)
    async with quota_gateways(addresses[store], 1, a_snapshot(further_limits=[limit]), SharedLedger(1)) as [gateway]:
        assert isinstance(gateway.store, SharedStore)
        await until_admitted(gateway)
        for turns in range(12):
            held = [await gateway.admitted(ONE) for _ in range(5)]
            telling = asyncio.create_task(gateway.store.settle_all())  # before the store's own task wakes
            for one in held:
                one.settle(Usage(billable=False))
            for _ in range(turns):
                await asyncio.sleep(0)
            telling.cancel()
            await asyncio.gather(telling, return_exceptions=True)
            await gateway.told()
        assert [await gateway.admitted(ONE) for _ in range(5)]


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


async def test_a_node_of_a_cluster_is_refused_at_the_start_with_what_to_name_instead(tmp_path: Path) -> None:
    with running_valkey("--cluster-enabled", "yes", "--cluster-port", str(free_port())) as node:
        gateway = running_gateway(tmp_path, make_snapshot([]), MIZZEN_LIMITS_STORE=node.url)
        with pytest.raises(CannotStartError) as refusal:
            await gateway.__aenter__()
    said = str(refusal.value)
    print(said)
    for part in (
        "MIZZEN_LIMITS_STORE",
        f"127.0.0.1:{node.port} is a node of a cluster",
        "MOVED",
        "outside of a cluster",
    ):
        assert part in said
    assert "secret" not in said


async def test_a_sentinel_is_refused_at_the_start_with_what_to_name_instead(tmp_path: Path) -> None:
    with running_sentinel(tmp_path) as sentinel:
        gateway = running_gateway(tmp_path, make_snapshot([]), MIZZEN_LIMITS_STORE=sentinel.url)
        with pytest.raises(CannotStartError, match=f"127.0.0.1:{sentinel.port} is a Sentinel.*leads to the primary"):
            await gateway.__aenter__()


async def test_a_primary_that_became_a_replica_is_left_for_the_one_at_its_address(servers) -> None:
    limit = a_limit(100, id=fresh(), name="strict", window_seconds=DAY)
    first = servers["valkey"]
    with running_valkey() as second:
        async with moving_address(first.port) as address:
            url = first.url.replace(f":{first.port}", f":{address.port}")
            async with quota_gateways(url, 1, a_snapshot(limits=[limit]), SharedLedger(1)) as [gateway]:
                await gateway.admitted(ONE)
                first.say("REPLICAOF", "127.0.0.1", str(second.port))
                try:
                    assert (await refused(gateway, ONE)).code == "quota_unavailable"
                    address.target = second.port
                    await until_admitted(gateway)
                finally:
                    first.say("REPLICAOF", "NO", "ONE")


async def test_an_acl_user_with_the_rights_that_are_told_is_enough(servers) -> None:
    rights = "~mizzen:limits:* +info +script|load +evalsha +time +del +pexpire +@string +@hash +@sortedset"
    valkey = servers["valkey"]
    valkey.say("ACL", "SETUSER", "gateway", "on", ">told", *rights.split())
    limit = a_limit(5, id=fresh(), window_seconds=DAY)
    url = f"redis://gateway:told@127.0.0.1:{valkey.port}"
    async with quota_gateways(url, 1, a_snapshot(limits=[limit]), SharedLedger(1)) as [gateway]:
        (await gateway.admitted(ONE)).settle(Usage(1, 1))
        await gateway.told()
        assert isinstance(gateway.store, SharedStore)
        assert (gateway.store.failures, gateway.store.lost) == (0, False)


@pytest.mark.parametrize(("scheme", "kind"), [("redis", RedisServer), ("postgresql", PostgresServer)])
async def test_a_server_that_is_away_at_the_start_is_told_once_and_counted(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], scheme: str, kind: type[RedisServer]
) -> None:
    tries, connect = 0, kind._connect

    async def counted(self: RedisServer) -> None:
        nonlocal tries
        tries += 1
        await connect(self)

    monkeypatch.setattr(kind, "_connect", counted)
    ledger = SharedLedger(1)
    port = free_port()
    settings = StoreSettings(f"{scheme}://user:s3cr3t@127.0.0.1:{port}/1")
    store = open_store(settings, CreditLeases(ledger, time.time), ledger)
    assert isinstance(store, SharedStore)
    await store.start()
    await until(lambda: tries >= 4, 20)
    told = [line for line in capsys.readouterr().out.splitlines() if "the store of limits cannot be used" in line]
    assert len(told) == 1, told
    plain = re.sub(r"\x1b\[[0-9;]*m", "", told[0])
    assert f"host=127.0.0.1 port={port}" in plain
    assert "MIZZEN_LIMITS_STORE, or limits_store of gateway.yaml" in plain
    assert "s3cr3t" not in plain
    counts = store.counts([limit_rule(a_limit(5), "lim_a", enforced=True)], [], "org_a")
    assert isinstance(counts.take((1, 0, 0, 0, 0, 0), time.time()), StoreLost)
    assert store.failures == 1
    await store.server.close()


async def test_a_server_that_takes_connections_and_is_silent_is_told_as_that(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("mizzen_gateway.limits.postgres_server.CONNECT_SECONDS", 0.1)
    silent = await asyncio.start_server(lambda _reader, _writer: None, "127.0.0.1", 0)
    port = silent.sockets[0].getsockname()[1]
    server = PostgresServer(f"postgresql://127.0.0.1:{port}/limits")
    with pytest.raises(StoreUnreachableError):
        await server._connect()
    assert "TimeoutError: no answer within 0.1 s" in capsys.readouterr().out
    silent.close()


async def test_a_server_that_is_away_at_the_start_may_come_later(tmp_path: Path) -> None:
    with running_valkey() as server:
        server.kill()
        async with running_gateway(tmp_path, make_snapshot([]), MIZZEN_LIMITS_STORE=server.url) as running:
            assert running.gateway.accounting.store.lost
            server.start()
            await until(lambda: not running.gateway.accounting.store.lost, 10)
