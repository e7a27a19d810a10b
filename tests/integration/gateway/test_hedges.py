"""Is a second engine asked where the first does not begin to answer, and who is paid for it? Through a real gateway."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from mizzen_engines.simulated.server import SimulatedEngine
from mizzen_engines.simulated.settings import Settings
from support.access_snapshots import a_limit
from support.gateway import RunningGateway, endpoint_set, make_key, make_snapshot, model_deployment, running_gateway
from support.scripted_engine import Exchange, ScriptedEngine, chunk, completion, hangs, scripted_engine, streams
from support.until import until

CHAT = "/v1/chat/completions"
KEY = make_key()
SOON = {"after": "Delay", "delayMilliseconds": 10}
CANCELLED_WITHIN = 1.0
Behaviour = Callable[[Exchange], Awaitable[None]]
Address = tuple[str, int]


async def well(exchange: Exchange) -> None:
    await exchange.send_json(completion("m"))


async def is_down(exchange: Exchange) -> None:
    await exchange.send_json({"error": {"message": "no"}}, 503)


async def begins_a_stream_without_a_word(exchange: Exchange) -> None:
    await exchange.start_events()
    await hangs(exchange)


@dataclass
class Turns:
    """Behaviours by the order in which engines are asked, whichever they are."""

    behaviours: list[Behaviour]
    asked: list[Exchange] = field(default_factory=list)

    async def __call__(self, exchange: Exchange) -> None:
        """The next one."""
        if exchange.method == "GET":
            await exchange.send(404, b"")
            return
        place = len(self.asked)
        self.asked.append(exchange)
        await self.behaviours[min(place, len(self.behaviours) - 1)](exchange)


@dataclass
class Stage:
    """A gateway and a route `chat` to one deployment."""

    running: RunningGateway
    session: aiohttp.ClientSession

    async def ask(self, **more: Any) -> tuple[int, str]:
        """Status and answer."""
        body = {"model": "chat", "messages": [{"role": "user", "content": "hi"}], **more}
        async with self.session.post(self.running.url + CHAT, json=body) as response:
            return response.status, await response.text()

    async def row(self) -> dict[str, Any]:
        """The only row; it is written when both engines are done."""
        await until(self.running.rows)
        (found,) = self.running.rows()
        return found

    async def counted(self) -> tuple[float, float]:
        """Hedges sent and won, as /metrics shows them."""
        async with self.session.get(self.running.admin_url + "/metrics") as response:
            lines = (await response.text()).splitlines()
        shown = dict(line.rsplit(" ", 1) for line in lines if line.startswith("mizzen_gateway_hedges"))
        return float(shown["mizzen_gateway_hedges_sent_total"]), float(shown["mizzen_gateway_hedges_won_total"])

    @property
    def target(self) -> Any:
        """The deployment, as the gateway routes by it."""
        return self.running.gateway.table.target(("default", "m"))


@asynccontextmanager
async def in_front_of(
    folder: Path, *addresses: Address, snapshot: dict[str, Any] | None = None, **rule: Any
) -> AsyncIterator[Stage]:
    route = {
        "kind": "ModelRoute",
        "metadata": {"name": "chat", "namespace": "default"},
        "spec": {"rules": [{"name": "all", "backends": [{"deployment": "m"}], "hedge": SOON, **rule}]},
        "status": {"project": "default"},
    }
    objects = [model_deployment("m"), endpoint_set("m", *addresses), route]
    async with (
        running_gateway(folder, make_snapshot([KEY], **(snapshot or {})), *objects) as running,
        aiohttp.ClientSession(headers=KEY.headers) as session,
    ):
        yield Stage(running, session)


@asynccontextmanager
async def staged(
    folder: Path, turns: Turns, engines: int = 2, **more: Any
) -> AsyncIterator[tuple[Stage, list[ScriptedEngine]]]:
    async with AsyncExitStack() as stack:
        started = [await stack.enter_async_context(scripted_engine(turns)) for _ in range(engines)]
        stage = await stack.enter_async_context(in_front_of(folder, *(one.address for one in started), **more))
        yield stage, started


async def test_who_does_not_begin_in_time_is_outrun_and_cancelled_and_the_request_is_paid_once(tmp_path: Path) -> None:
    async with staged(tmp_path, Turns([hangs, well])) as (stage, engines):
        assert (await stage.ask())[0] == 200
        async with asyncio.timeout(CANCELLED_WITHIN):
            await asyncio.wait(
                [asyncio.ensure_future(one.gone.wait()) for one in engines], return_when=asyncio.FIRST_COMPLETED
            )
        row = await stage.row()
        assert (row["input_tokens"], row["output_tokens"], row["status"]) == (7, 3, 200)
        tried = {one["outcome"]: one for one in row["attempts"]}
        assert tried.keys() == {"outrun", "ok"}
        assert tried["outrun"]["unpaid_tokens"] == 7, "what it had to read is seen, and nobody pays for it"
        assert "unpaid_tokens" not in tried["ok"]
        assert tried["outrun"]["endpoint"] != tried["ok"]["endpoint"]
        assert await stage.counted() == (1, 1)
        assert [one.in_flight for one in stage.target.endpoints()] == [0, 0]
        assert [one.in_flight for one in stage.target.gates.values()] == [0]


async def test_the_first_one_may_still_win_and_then_the_second_is_cancelled(tmp_path: Path) -> None:
    second_asked = asyncio.Event()

    async def waits_for_the_second(exchange: Exchange) -> None:
        await second_asked.wait()
        await well(exchange)

    async def says_so(exchange: Exchange) -> None:
        second_asked.set()
        await hangs(exchange)

    async with staged(tmp_path, Turns([waits_for_the_second, says_so])) as (stage, engines):
        assert (await stage.ask())[0] == 200
        await until(lambda: any(one.gone.is_set() for one in engines), CANCELLED_WITHIN)
        row = await stage.row()
        assert sorted(one["outcome"] for one in row["attempts"]) == ["ok", "outrun"]
        assert (row["input_tokens"], row["output_tokens"]) == (7, 3)
        assert await stage.counted() == (1, 0)
        assert [one.in_flight for one in stage.target.gates.values()] == [0]


async def test_the_head_of_a_stream_is_no_first_byte_and_the_caller_gets_one_stream(tmp_path: Path) -> None:
    async with staged(tmp_path, Turns([begins_a_stream_without_a_word, streams])) as (stage, engines):
        status, text = await stage.ask(stream=True)
        assert (status, text.count('"content":"one"'), text.count("[DONE]")) == (200, 1, 1)
        await until(lambda: any(one.gone.is_set() for one in engines), CANCELLED_WITHIN)
        row = await stage.row()
        assert (row["input_tokens"], row["output_tokens"], row["answered"]) == (7, 3, True)


async def test_both_are_cancelled_when_the_caller_leaves(tmp_path: Path) -> None:
    turns = Turns([hangs])
    async with staged(tmp_path, turns) as (stage, engines):
        asking = asyncio.ensure_future(stage.ask())
        await until(lambda: len(turns.asked) == 2)
        asking.cancel()
        await until(lambda: all(one.gone.is_set() for one in engines), CANCELLED_WITHIN)
        row = await stage.row()
        assert [one["outcome"] for one in row["attempts"]] == ["caller_left", "caller_left"]


async def test_a_caller_who_leaves_the_second_ones_stream_is_charged_for_what_that_has_told(tmp_path: Path) -> None:
    async def tells_one_word(exchange: Exchange) -> None:
        await exchange.start_events()
        await exchange.event(chunk("m", "one"))
        await hangs(exchange)

    async with staged(tmp_path, Turns([hangs, tells_one_word])) as (stage, engines):
        body = {"model": "chat", "messages": [{"role": "user", "content": "hi"}], "stream": True}
        async with stage.session.post(stage.running.url + CHAT, json=body) as response:
            assert b"one" in await response.content.readany()
        await until(lambda: all(one.gone.is_set() for one in engines), CANCELLED_WITHIN)
        row = await stage.row()
        assert (row["output_tokens"], row["answered"], row["estimated"]) == (1, True, True)
        assert [one["outcome"] for one in row["attempts"]] == ["outrun", "caller_left"]
        assert [one.in_flight for one in stage.target.gates.values()] == [0]


@pytest.mark.parametrize("behaviours", [[hangs, is_down], [is_down, hangs]], ids=["second fails", "first fails"])
async def test_one_that_fails_wins_nothing(tmp_path: Path, behaviours: list[Behaviour]) -> None:
    released = asyncio.Event()

    async def later(exchange: Exchange) -> None:
        await released.wait()
        await well(exchange)

    async def fails(exchange: Exchange) -> None:
        await is_down(exchange)
        released.set()

    first = [later if one is hangs else fails for one in behaviours]
    async with staged(tmp_path, Turns([*first, well])) as (stage, _):
        assert (await stage.ask())[0] == 200
        row = await stage.row()
        assert sorted(one["outcome"] for one in row["attempts"]) == ["ok", "unavailable"]


async def test_without_budget_for_retries_no_second_engine_is_asked(tmp_path: Path) -> None:
    released = asyncio.Event()

    async def later(exchange: Exchange) -> None:
        await released.wait()
        await well(exchange)

    turns = Turns([later])
    async with staged(tmp_path, turns) as (stage, _):
        while stage.target.may_hedge():
            pass
        assert stage.target.may_retry(), "half of it is left for retries"
        asking = asyncio.ensure_future(stage.ask())
        await until(lambda: len(turns.asked) == 1)
        asyncio.get_running_loop().call_later(0.1, released.set)
        assert (await asking)[0] == 200
        assert len(turns.asked) == 1
        assert await stage.counted() == (0, 0)


async def test_a_limit_counts_a_hedged_request_once(tmp_path: Path) -> None:
    limit = a_limit(2, scope_id="prj_default")
    async with staged(tmp_path, Turns([hangs, well, hangs, well, well]), snapshot={"limits": [limit]}) as (stage, _):
        assert [(await stage.ask())[0] for _ in range(3)] == [200, 200, 429]
        assert (await stage.counted())[0] == 2


async def test_by_measured_time_nothing_is_sent_until_enough_is_known(tmp_path: Path) -> None:
    turns = Turns([well] * 20 + [hangs, well])
    async with staged(tmp_path, turns, hedge={"after": "P95", "delayMilliseconds": 10}) as (stage, _):
        for _ in range(20):
            assert (await stage.ask())[0] == 200
        assert await stage.counted() == (0, 0)
        assert stage.target.first_bytes("r1").p95 is not None
        assert (await stage.ask())[0] == 200
        await until(lambda: len(stage.running.rows()) == 21)
        assert await stage.counted() == (1, 1)


async def test_a_real_engines_slow_replica_is_outrun_and_gets_rid_of_the_request(tmp_path: Path) -> None:
    slow = Settings(prefill_tokens_per_second=0.1)
    fast = Settings(decode_ms=0.0, prefill_tokens_per_second=1e9)
    async with AsyncExitStack() as stack:
        addresses: list[Address] = []
        for settings in (slow, fast):
            runner = web.AppRunner(SimulatedEngine(settings, "m").application(), handler_cancellation=True)
            await runner.setup()
            stack.push_async_callback(runner.cleanup)
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            addresses.append(("127.0.0.1", runner.addresses[0][1]))
        stage = await stack.enter_async_context(
            in_front_of(tmp_path, *addresses, hedge={"after": "Delay", "delayMilliseconds": 100})
        )
        for streamed in (False, True):
            answers = [await stage.ask(max_tokens=3, stream=streamed) for _ in range(2)]  # one of them goes to the slow
            assert [status for status, _ in answers] == [200, 200]
        assert await stage.counted() == (2, 2)
        await until(lambda: len(stage.running.rows()) == 4)
        rows = stage.running.rows()
        assert {row["output_tokens"] for row in rows} == {3}

        async def under_way() -> str:
            async with stage.session.get(f"http://127.0.0.1:{addresses[0][1]}/metrics") as response:
                lines = (await response.text()).splitlines()
            return next(line for line in lines if line.startswith("vllm:num_requests_running")).rsplit(" ", 1)[1]

        async with asyncio.timeout(CANCELLED_WITHIN):
            while float(await under_way()):  # noqa: ASYNC110 - an engine's gauge tells nobody that it has changed
                await asyncio.sleep(0.01)
