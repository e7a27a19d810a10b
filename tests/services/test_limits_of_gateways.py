"""Gateways as processes of their own hold a limit, and a budget, exactly: one, two and eight of them, on each server.

The control plane is a ledger with the rules of the real one; servers, gateways and kills are real.
"""

import asyncio
import json
import random
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import aiohttp
import pytest
from mizzen_crds.access import BudgetAccess, BudgetUnit, Hardness, LimitAccess
from support.access_snapshots import LimitMetric, a_budget, a_limit
from support.gateway import Key, endpoint_set, make_key, make_snapshot, model_deployment
from support.gateway_fleet import FleetGateway, gateway_fleet
from support.limit_servers import running, running_pgbouncer, running_valkey
from support.postgres import running_postgres
from support.scripted_engine import Exchange, chunk, scripted_engine
from support.shared_ledger import SharedLedger, ledger_over_http
from support.unpacked_servers import unpacked_pgbouncer, unpacked_redis
from support.until import until

DAY = 86_400
STORES = ("redis", "postgres")
FLEETS = [*((store, count) for store in STORES for count in (1, 2, 8)), ("valkey", 2), ("pgbouncer", 2)]
KEY, PAYING = make_key(), make_key("paying")
PROJECTS = ("default", "paying")
CONTEXT = 40
"""Tokens that the model can hold: a bound on every prompt."""
HOLD_SECONDS = 4.0
Rule = TypeVar("Rule", LimitAccess, BudgetAccess)


@pytest.fixture(scope="module")
def addresses() -> Iterator[dict[str, str]]:
    redis = unpacked_redis()
    with (
        running(redis.path, redis.environment) as redis_server,
        running_valkey() as valkey,
        running_postgres() as postgres,
        running_pgbouncer(unpacked_pgbouncer(), postgres) as pooler,
    ):
        database = postgres.new_database().replace("+asyncpg", "")
        yield {"redis": redis_server.url, "valkey": valkey.url, "postgres": database, "pgbouncer": pooler}


@dataclass
class Engine:
    """Streams a random part of what a request may generate, and knows what it has delivered."""

    chance: random.Random
    delivered: int = 0
    hold: bool = False
    """Streams stop in the middle and go on for ever."""
    streams: Counter[str] = field(default_factory=Counter)

    async def answer(self, exchange: Exchange) -> None:
        document = exchange.document
        model, cap = document["model"], document["max_tokens"]
        generated = self.chance.randrange(1, cap + 1)
        await exchange.start_events()
        self.delivered += 5
        for _ in range(3 if self.hold else generated):
            self.delivered += 1
            await exchange.event(chunk(model, "x"))
        if self.hold:
            self.streams["held"] += 1
            await asyncio.Event().wait()
        usage = {"prompt_tokens": 5, "completion_tokens": generated, "total_tokens": 5 + generated}
        await exchange.event({**chunk(model, None), "usage": usage})
        await exchange.event(b"[DONE]")
        await exchange.end_events()


@dataclass
class Stage:
    """Gateways, and what is around them."""

    gateways: list[FleetGateway]
    engine: Engine
    ledger: SharedLedger
    session: aiohttp.ClientSession
    codes: Counter[str] = field(default_factory=Counter)
    """Of refusals, and of events that ended a stream."""
    received: int = 0
    """Tokens that callers got, as they are charged: of a stream that was ended the prompt is estimated."""

    def _note(self, answer: bytes, asked_bytes: int) -> None:
        self.received += answer.count(b'"content":"x"')
        if not answer.endswith(b"[DONE]\n\n"):
            self.codes[f"ended: {json.loads(answer.split(b'data: ')[-1])['error']['code']}"] += 1
            self.received += asked_bytes // 4 + 1
        else:
            self.received += 5

    async def ask(self, gateway: FleetGateway, key: Key = KEY, max_tokens: int = 20) -> bool:
        """One stream; whether it was admitted."""
        body = {
            "model": "chat",
            "messages": [{"role": "user", "content": "hi"}],
            "stream": True,
            "max_tokens": max_tokens,
        }
        url = f"{gateway.url}/v1/chat/completions"
        async with self.session.post(url, json=body, headers=key.headers) as response:
            if response.status == 200:
                self._note(await response.read(), len(json.dumps(body)))
                return True
            error = (await response.json())["error"]
            self.codes[error["code"]] += 1
            return False

    async def ask_many(self, gateways: list[FleetGateway], count: int, key: Key = KEY, max_tokens: int = 20) -> int:
        """How many of so many at once are admitted."""
        chance = self.engine.chance
        return sum(await asyncio.gather(*(self.ask(chance.choice(gateways), key, max_tokens) for _ in range(count))))


@asynccontextmanager
async def stage(
    folder: Path, address: str, count: int, budget_of: int = 0, context: int = CONTEXT, **snapshot: object
) -> AsyncIterator[Stage]:
    seed = random.randrange(2**32)
    print("seed", seed)
    engine, ledger = Engine(random.Random(seed)), SharedLedger(budget_of)
    kind = {"type": "Simulated", "maxModelLen": context}
    async with scripted_engine(engine.answer) as scripted, ledger_over_http(ledger) as plane:
        objects = [
            made
            for project in PROJECTS
            for made in (
                model_deployment("chat", project, engine=kind),
                endpoint_set("chat", scripted.address, namespace=project),
            )
        ]
        async with (
            gateway_fleet(
                folder,
                count,
                make_snapshot([KEY, PAYING], PROJECTS, **snapshot),
                *objects,
                MIZZEN_LIMITS_STORE=address,
                MIZZEN_LIMITS_HOLD_SECONDS=str(HOLD_SECONDS),
                MIZZEN_CONTROLPLANE_URL=plane,
            ) as gateways,
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=250), trust_env=False) as session,
        ):
            yield Stage(gateways, engine, ledger, session)


def of(project: str, rule: Rule) -> Rule:
    """The limit or budget, of that project and with an id of its own."""
    return rule.model_copy(update={"id": f"{rule.id[:3]}_{secrets.token_hex(6)}", "scope_id": f"prj_{project}"})


@pytest.mark.parametrize(("store", "count"), FLEETS)
async def test_a_limit_and_a_budget_are_held_exactly(addresses, tmp_path, store, count):
    limit = of("default", a_limit(100, window_seconds=DAY))
    budget = of("paying", a_budget(1000, unit=BudgetUnit.TOKENS))
    rules = {"limits": [limit], "further_budgets": [budget]}
    async with stage(tmp_path, addresses[store], count, 1000, **rules) as there:
        admitted = await there.ask_many(there.gateways, 2000)
        print(f"{store}, {count} gateways: {admitted} of 2,000 at once admitted by a limit of 100 a day")
        assert admitted == 100
        assert there.codes == {"rate_limit_exceeded": 1900}
        there.codes.clear()
        there.engine.delivered = rounds = streams = 0
        while there.engine.delivered <= 1000 - CONTEXT - 20 and rounds < 40:
            rounds += 1
            streams += await there.ask_many(there.gateways, 200, PAYING)
        delivered = there.engine.delivered
        print(
            f"{store}, {count} gateways: {streams} streams, 200 at once, delivered {delivered} of 1,000 tokens,"
            f" overshoot {max(0, delivered - 1000)}"
        )
        assert 1000 - CONTEXT - 20 < delivered <= 1000
        assert set(there.codes) == {"budget_exceeded"}
        await until(lambda: there.ledger.spent == delivered, 20)


@pytest.mark.parametrize(("store", "count"), [(store, count) for store in STORES for count in (1, 2, 8)])
async def test_streams_end_with_an_event_when_a_soft_budget_is_used_up_and_it_is_charged_exactly(
    addresses, tmp_path, store, count
):
    amount = 6000
    budget = of("default", a_budget(amount, unit=BudgetUnit.TOKENS, hardness=Hardness.SOFT))
    async with stage(tmp_path, addresses[store], count, amount, 2100, further_budgets=[budget]) as there:
        streams = 0
        for _ in range(3):
            streams += await there.ask_many(there.gateways, 60, max_tokens=2000)
        received, ended, refused = there.received, there.codes["ended: budget_exceeded"], there.codes["budget_exceeded"]
        print(
            f"{store}, {count} gateways: {streams} streams got {received} of a soft budget of {amount} tokens,"
            f" overshoot {max(0, received - amount)}; {ended} ended by an event, {refused} refused"
        )
        assert ended > 0
        assert received <= amount + 8 * streams
        assert set(there.codes) == {"ended: budget_exceeded", "budget_exceeded"}
        await until(lambda: there.ledger.spent == received, 20)


@pytest.mark.parametrize("store", STORES)
async def test_all_that_is_left_reaches_one_gateway_while_seven_hold_streams(addresses, tmp_path, store):
    limit = of("default", a_limit(100, window_seconds=DAY))
    running_at_once = of("default", a_limit(10**6, LimitMetric.CONCURRENCY, window_seconds=0))
    budget = of("default", a_budget(100_000, unit=BudgetUnit.TOKENS))
    async with stage(
        tmp_path, addresses[store], 8, 100_000, further_limits=[limit, running_at_once], further_budgets=[budget]
    ) as there:
        there.engine.hold = True
        held = [asyncio.create_task(there.ask(gateway)) for gateway in there.gateways[1:]]
        await until(lambda: there.engine.streams["held"] == 7, 30)
        there.engine.hold = False
        admitted = await there.ask_many(there.gateways[:1], 2000)
        print(f"{store}, 8 gateways: {admitted} of 2,000 admitted by one while seven hold a stream each of 100 a day")
        assert admitted == 93
        for task in held:
            task.cancel()
        await asyncio.gather(*held, return_exceptions=True)


@pytest.mark.parametrize("store", STORES)
async def test_what_a_killed_gateway_held_returns_within_its_time_less_what_was_delivered(addresses, tmp_path, store):
    bound = CONTEXT + 20
    budget = of("default", a_budget(4 * bound, unit=BudgetUnit.TOKENS))
    at_once = of("default", a_limit(4, LimitMetric.CONCURRENCY, window_seconds=0))
    async with stage(
        tmp_path, addresses[store], 2, 4 * bound, further_budgets=[budget], further_limits=[at_once]
    ) as there:
        killed, other = there.gateways
        there.engine.hold = True
        held = [asyncio.create_task(there.ask(killed)) for _ in range(4)]
        await until(lambda: there.engine.streams["held"] == 4, 30)
        assert not await there.ask(other)
        assert set(there.codes) <= {"too_many_concurrent_requests", "budget_exceeded"}
        await asyncio.sleep(HOLD_SECONDS / 2)  # a renewal tells what was delivered
        killed.kill()
        results = await asyncio.gather(*held, return_exceptions=True)
        assert all(isinstance(result, aiohttp.ClientError) for result in results)
        there.engine.hold = False
        admitted, delivered_before = 0, there.engine.delivered
        async with asyncio.timeout(4 * HOLD_SECONDS):
            while not await there.ask(other):  # noqa: ASYNC110 - the store tells nobody
                await asyncio.sleep(0.1)  # the store tells nobody
        while await there.ask(other):
            admitted += 1
        spent_after = there.engine.delivered - delivered_before
        print(f"{store}: kill -9 of a gateway with 4 streams left {spent_after} of {4 * bound} tokens to others")
        # Of each stream the renewal knew the prompt, estimated, and three tokens.
        assert 4 * bound - 4 * 30 - bound < spent_after <= 4 * bound - 4 * 3
