"""What becomes of more requests than the engines can answer? Through a real gateway, told by what the engines saw."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import grpc
import pytest
from mizzen_crds.access import Priority
from mizzen_engines.simulated.settings import Settings
from mizzen_gateway.overload.gate import Gate
from support.access_snapshots import LimitMetric, a_limit
from support.gateway import (
    Key,
    RunningGateway,
    endpoint_set,
    make_key,
    make_snapshot,
    model_deployment,
    running_gateway,
)
from support.scripted_engine import Exchange, ScriptedEngine, chunk, completion, scripted_engine
from support.simulated_behind import caller
from support.tensor_engine import tensor_engine
from support.until import until
from tritonclient.grpc import service_pb2 as pb

CHAT = "/v1/chat/completions"
BIG, SMALL = make_key("big"), make_key("small")
TIGHT = {"MIZZEN_REPLICA_REQUESTS": "2", "MIZZEN_QUEUE_SECONDS": "5"}
"""Two places a replica; ten interactive, five standard and two batch requests may wait."""


@dataclass
class Holding:
    """An engine that answers when it is told to."""

    asked: list[str] = field(default_factory=list)
    """What it was asked, in order."""
    most: int = 0
    """At once."""
    under_way: int = 0
    refused: int = 0
    """Requests for `too much`."""
    _told: dict[str, asyncio.Event] = field(default_factory=dict)

    async def behaviour(self, exchange: Exchange) -> None:
        if exchange.method == "GET":
            await exchange.send(404, b"")
            return
        name = exchange.document["messages"][0]["content"]
        if name == "too much":
            self.refused += 1
            await exchange.send(429, b"{}", retry_after="1")
            return
        self.asked.append(name)
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            await self._event(name).wait()
        finally:
            self.under_way -= 1
        if exchange.document.get("stream"):
            await exchange.start_events()
            await exchange.event(chunk("m", "a"))
            await exchange.event(b"[DONE]")
            await exchange.end_events()
        else:
            await exchange.send_json(completion("m"))

    def answer(self, name: str) -> None:
        self._event(name).set()

    def _event(self, name: str) -> asyncio.Event:
        return self._told.setdefault(name, asyncio.Event())


@dataclass
class Stage:
    """A gateway before engines that hold what they are asked."""

    running: RunningGateway
    session: aiohttp.ClientSession
    engine: Holding
    scripted: list[ScriptedEngine]
    tasks: dict[str, "asyncio.Task[Any]"] = field(default_factory=dict)
    elsewhere: list[Exchange] = field(default_factory=list)
    """Requests at engines that are not `engine`."""

    @property
    def gate(self) -> Gate:
        return self.running.gateway.table.target(("default", "m")).gates["r1"]

    async def come(self, name: str, key: Key = BIG, model: str = "default/m", priority: str = "", **more: Any) -> None:
        """Ask; returns once the gateway has decided about it."""
        before = (self.gate.in_flight, self.gate.waiting, sum(self.gate.shed.values()))
        headers = {**key.headers, **({"x-mizzen-priority": priority} if priority else {})}
        body = {"model": model, "messages": [{"role": "user", "content": name}], **more}
        self.tasks[name] = asyncio.create_task(self._ask(body, headers))
        await until(lambda: (self.gate.in_flight, self.gate.waiting, sum(self.gate.shed.values())) != before)
        await self.all_asked()

    async def all_asked(self) -> None:
        """The engine has all that have a place: what comes later comes after them."""
        await until(lambda: self.engine.under_way + len(self.elsewhere) == self.gate.in_flight)

    async def answer(self, *names: str) -> None:
        """One after the other, each once it is asked; those who take their places follow in this order."""
        for name in names:
            await until(lambda name=name: name in self.engine.asked)  # type: ignore[misc]  # a default binds it
            self.engine.answer(name)
            await self.tasks[name]
            await self.all_asked()

    async def _ask(self, body: dict[str, Any], headers: dict[str, str]) -> tuple[int, Any, dict[str, str]]:
        async with self.session.post(self.running.url + CHAT, json=body, headers=headers) as answer:
            document = await (answer.text() if body.get("stream") and answer.status == 200 else answer.json())
            return answer.status, document, {name.lower(): value for name, value in answer.headers.items()}

    async def status(self, name: str) -> int:
        status: int = (await self.tasks[name])[0]
        return status

    async def finish(self) -> None:
        """All that wait are answered; nothing is left."""
        for name in self.tasks:
            self.engine.answer(name)
        await asyncio.gather(*self.tasks.values(), return_exceptions=True)
        await until(lambda: self.gate.in_flight == 0)
        assert self.gate.waiting == 0
        target = self.running.gateway.table.target(("default", "m"))
        assert [one.in_flight for one in target.endpoints()] == [0] * len(self.scripted)


@asynccontextmanager
async def staged(
    folder: Path, keys: Sequence[Key] = (), snapshot: dict[str, Any] | None = None, **environment: str
) -> AsyncIterator[Stage]:
    async with AsyncExitStack() as stack:
        holding = Holding()
        engine = await stack.enter_async_context(scripted_engine(holding.behaviour))
        grants = [{"project_id": f"prj_{name}", "model": "default/m"} for name in ("big", "small")]
        access = {"visibility": "Shared", "allowedProjects": ["big", "small"]}
        objects = [model_deployment("m", access=access), endpoint_set("m", engine.address)]
        access_of_all = make_snapshot(
            [BIG, SMALL, *keys], ("default", "big", "small"), grants=grants, **(snapshot or {})
        )
        running = await stack.enter_async_context(
            running_gateway(folder, access_of_all, *objects, **(TIGHT | environment))
        )
        session = await stack.enter_async_context(aiohttp.ClientSession())
        yield Stage(running, session, holding, [engine])


async def test_engines_get_no_more_at_once_than_they_have_places_and_all_who_wait_are_answered(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        for number in range(7):
            await stage.come(f"r{number}", stream=number % 2 == 0)
        assert (stage.engine.asked, stage.gate.waiting) == (["r0", "r1"], 5)
        await stage.answer(*(f"r{number}" for number in range(7)))
        assert [await stage.status(f"r{number}") for number in range(7)] == [200] * 7
        assert stage.engine.asked == [f"r{number}" for number in range(7)]
        assert stage.engine.most == 2
        await stage.finish()
        assert [row["status"] for row in stage.running.rows()] == [200] * 7


async def test_one_more_than_may_wait_is_refused_at_once_and_told_when_to_come_back(tmp_path: Path) -> None:
    async with staged(
        tmp_path, snapshot={"limits": [a_limit(10, LimitMetric.CONCURRENCY, scope_id="prj_big")]}
    ) as stage:
        for number in range(7):
            await stage.come(f"r{number}")
        for number in range(20):
            await stage.come(f"more{number}")  # were what they took of limits not given back, the fourth would be 429
            status, body, headers = await stage.tasks[f"more{number}"]
            assert status == 503
        assert body["error"]["code"] == "overloaded"
        assert body["error"].keys() == {"message", "type", "param", "code"}
        assert "as they answer in 2.5 s" in body["error"]["message"]
        assert headers["retry-after"] == "3", "five wait, two are answered a second"
        await stage.finish()
        assert len(stage.running.rows()) == 7, "what no engine was asked for has no row"


async def test_a_project_that_has_filled_the_queue_does_not_keep_another_out(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        for number in range(7):
            await stage.come(f"big{number}")
        await stage.come("small", SMALL)
        await stage.come("big-too-much")
        status, body, _ = await stage.tasks["big-too-much"]
        assert (status, body["error"]["code"]) == (429, "fair_share_exceeded")
        assert "'big'" in body["error"]["message"]
        assert "small" not in body["error"]["message"]
        await stage.answer("big0", "big1")
        assert sorted(stage.engine.asked[2:]) == ["big2", "small"]
        await stage.finish()


async def test_what_may_wait_longest_is_refused_first_and_answered_last(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        for number in range(2):
            await stage.come(f"first{number}")
        for number in range(4):
            await stage.come(f"b{number}", priority="batch")
        await stage.come("s0")
        await stage.come("s1", priority="interactive")  # which the key may not be
        assert [await stage.status(f"b{number}") for number in (2, 3)] == [503, 503]
        await stage.answer("first0", "first1", "s0", "s1", "b0", "b1")
        assert stage.engine.asked[2:] == ["s0", "s1", "b0", "b1"]
        await stage.finish()


async def test_the_priority_of_a_key_is_that_of_its_requests(tmp_path: Path) -> None:
    keys = {}
    for priority in Priority:
        made = make_key("big")
        keys[priority.value] = Key(made.text, made.access.model_copy(update={"priority": priority}))
    async with staged(tmp_path, [*keys.values()], MIZZEN_QUEUE_SECONDS="10") as stage:
        for number in range(2):
            await stage.come(f"first{number}")
        for name in ("batch", "standard", "interactive"):
            await stage.come(name, keys[name])
        await stage.come("lowered", keys["interactive"], priority="batch")
        await stage.come("not raised", keys["batch"], priority="interactive")
        assert await stage.status("not raised") == 503, "two batch requests wait already"
        await stage.answer("first0", "first1", "interactive", "standard", "batch", "lowered")
        assert stage.engine.asked[2:] == ["interactive", "standard", "batch", "lowered"]
        await stage.finish()


async def test_a_priority_that_is_none_is_refused(tmp_path: Path) -> None:
    async with caller(tmp_path) as call:
        body = b'{"model": "m", "messages": [{"role": "user", "content": "hi"}]}'
        status, text, _ = await call.send(
            CHAT, body, **{"x-mizzen-priority": "urgent", "content-type": "application/json"}
        )
        assert status == 400
        assert "interactive, standard, batch" in text


async def test_callers_who_leave_give_their_places_back(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        for number in range(6):
            await stage.come(f"r{number}", stream=number % 2 == 0)
        for name in ("r3", "r0"):  # one that waits, one that is being answered
            stage.tasks[name].cancel()
        await until(lambda: stage.engine.asked == ["r0", "r1", "r2"])
        await until(lambda: (stage.gate.in_flight, stage.gate.waiting) == (2, 2))
        await stage.finish()
        assert sorted(stage.engine.asked[3:]) == ["r4", "r5"]


async def too_much(stage: Stage, key: Key) -> str:
    """The code that a project reads whose request the engine refuses."""
    body = {"model": "default/m", "messages": [{"role": "user", "content": "too much"}]}
    status, body, _ = await stage._ask(body, key.headers)
    assert status == 503
    code: str = body["error"]["code"]
    return code


async def test_an_engine_that_refuses_one_project_has_as_many_places_for_the_others_as_before(tmp_path: Path) -> None:
    async with staged(tmp_path, MIZZEN_REPLICA_REQUESTS="0") as stage:
        for number in range(12):
            await stage.come(f"r{number}")
        await stage.answer(*(f"r{number}" for number in range(12)))
        for _ in range(20):
            assert await too_much(stage, SMALL) == "overloaded"
        assert stage.engine.refused > 20, "tries are more than requests, and say no more"
        for number in range(12, 24):
            await stage.come(f"r{number}")
        assert (stage.gate.in_flight, stage.gate.waiting, stage.engine.most) == (12, 0, 12)
        assert sum(stage.gate.shed.values()) == 0
        await stage.finish()


async def test_an_engine_that_refuses_everybody_is_asked_by_nobody_for_a_while(tmp_path: Path) -> None:
    async with staged(tmp_path, MIZZEN_REPLICA_REQUESTS="0") as stage:
        (endpoint,) = stage.running.gateway.table.target(("default", "m")).endpoints()
        assert await too_much(stage, BIG) == "overloaded"
        assert endpoint.ejected_until == 0.0
        other = asyncio.create_task(too_much(stage, SMALL))
        await until(lambda: endpoint.ejected_until > 0.0)
        assert stage.engine.refused == 5
        assert await other == "overloaded"
        assert stage.engine.refused == 6


async def test_a_request_that_is_tried_again_keeps_its_place(tmp_path: Path) -> None:
    cut, held = asyncio.Event(), list[Exchange]()

    async def cuts(exchange: Exchange) -> None:
        held.append(exchange)
        await cut.wait()
        held.remove(exchange)
        exchange.cut()

    async with staged(tmp_path, MIZZEN_REPLICA_REQUESTS="1") as stage, scripted_engine(cuts) as broken:
        working, stage.elsewhere = stage.scripted[0].address, held
        stage.running.put(endpoint_set("m", broken.address, working))
        for number in range(4):
            await stage.come(f"r{number}")
        assert (stage.gate.in_flight, stage.gate.waiting) == (2, 2)
        cut.set()
        (first,) = stage.engine.asked
        again = {"r0": "r1", "r1": "r0"}[first]
        await until(lambda: stage.engine.asked == [first, again])
        await until(lambda: stage.gate.limit == 1)
        assert (stage.gate.in_flight, stage.gate.waiting) == (2, 2), "one replica fewer: nobody else is let in"
        stage.engine.answer(first)
        stage.engine.answer(again)
        assert [await stage.status(name) for name in (first, again)] == [200, 200]
        stage.running.put(endpoint_set("m", working))
        for name in stage.tasks:
            stage.engine.answer(name)
        assert [await stage.status(f"r{number}") for number in range(4)] == [200] * 4
        await until(lambda: (stage.gate.in_flight, stage.gate.waiting) == (0, 0))


async def test_those_who_wait_for_replicas_that_go_wait_for_others(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        for number in range(5):
            await stage.come(f"r{number}")
        address = stage.scripted[0].address
        stage.running.put(endpoint_set("m", address, ready=False))
        target = stage.running.gateway.table.target(("default", "m"))
        await until(lambda: target.parked == 3)
        assert (stage.gate.in_flight, stage.gate.waiting) == (2, 0)
        stage.running.put(endpoint_set("m", address))
        await until(lambda: stage.gate.waiting == 3)
        await stage.finish()
        assert [await stage.status(f"r{number}") for number in range(5)] == [200] * 5
        assert stage.engine.most == 2


async def test_autoscalers_are_told_of_those_who_wait(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        for number in range(5):
            await stage.come(f"r{number}")
        (load,) = [one for one in stage.running.gateway.book.revisions() if one.revision == "r1"]
        assert (load.in_flight, load.parked) == (2, 3)
        await stage.finish()
        (load,) = [one for one in stage.running.gateway.book.revisions() if one.revision == "r1"]
        assert (load.in_flight, load.parked) == (0, 0)


async def test_metrics_tell_who_waits_and_who_was_refused(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        for number in range(4):
            await stage.come(f"r{number}")
        for number in range(3):
            await stage.come(f"b{number}", priority="batch")
        async with stage.session.get(stage.running.admin_url + "/metrics") as response:
            shown = await response.text()
        of_it = 'namespace="default"'
        for line in (
            'mizzen_gateway_places{deployment="m",NS} 2.0',
            'mizzen_gateway_waiting{deployment="m",NS,priority="standard"} 2.0',
            'mizzen_gateway_waiting{deployment="m",NS,priority="batch"} 0.0',
            'mizzen_gateway_shed_total{deployment="m",NS,priority="batch",reason="full"} 3.0',
        ):
            assert line.replace("NS", of_it) in shown
        await stage.finish()


def route(**rule: Any) -> dict[str, Any]:
    return {
        "kind": "ModelRoute",
        "metadata": {"name": "chat", "namespace": "default"},
        "spec": {"rules": [{"name": "all", "backends": [{"deployment": "m"}], **rule}]},
        "status": {"project": "default"},
    }


@pytest.mark.parametrize("rule", ["fallbacks", "mirrors"])
async def test_a_deployment_without_room_is_passed_over(tmp_path: Path, rule: str) -> None:
    own = make_key("default")

    async def well(exchange: Exchange) -> None:
        await (exchange.send(404, b"") if exchange.method == "GET" else exchange.send_json(completion("other")))

    async with AsyncExitStack() as stack:
        other = await stack.enter_async_context(scripted_engine(well))
        holding = Holding()
        engine = await stack.enter_async_context(scripted_engine(holding.behaviour))
        rules = {
            "fallbacks": route(fallbacks=[{"deployment": "other", "causes": ["Overloaded"]}]),
            "mirrors": route(backends=[{"deployment": "other"}], mirrors=[{"deployment": "m"}]),
        }
        objects = [
            model_deployment("m"), model_deployment("other"),
            endpoint_set("m", engine.address), endpoint_set("other", other.address), rules[rule],
        ]  # fmt: skip
        running = await stack.enter_async_context(running_gateway(tmp_path, make_snapshot([own]), *objects, **TIGHT))
        session = await stack.enter_async_context(aiohttp.ClientSession(headers=own.headers))
        stage = Stage(running, session, holding, [engine])
        for number in range(2):
            await stage.come(f"r{number}", own, "m")
        body = {"model": "chat", "messages": [{"role": "user", "content": "x"}]}
        for _ in range(3):
            async with session.post(running.url + CHAT, json=body) as answer:
                assert answer.status == 200
                assert (await answer.json())["model"] == "chat"
        assert holding.asked == ["r0", "r1"], "who has no room is not asked"
        await until(lambda: sum(one.path == CHAT for one in other.exchanges) == 3)
        if rule == "mirrors":
            await until(lambda: running.gateway.mirrors.left_out == 3)
        await stage.finish()


async def test_v2_and_grpc_refuse_in_their_own_words(tmp_path: Path) -> None:
    key, told = make_key(), asyncio.Event()
    model = tensor_engine("inner")

    async def held(exchange: Exchange) -> None:
        if exchange.path.endswith("/infer"):
            await told.wait()
        await model(exchange)

    tensor = {"name": "x", "datatype": "FP32", "shape": [1, 2], "data": [1.0, 1.0]}
    environment = {"MIZZEN_GRPC_PORT": "0", "MIZZEN_REPLICA_REQUESTS": "1", "MIZZEN_QUEUE_SECONDS": "1"}
    async with scripted_engine(held) as engine:
        endpoints = endpoint_set("m", engine.address, protocol="OpenInference", engine="Triton", model_name="inner")
        objects = [model_deployment("m"), endpoints]
        async with (
            running_gateway(tmp_path, make_snapshot([key]), *objects, **environment) as running,
            aiohttp.ClientSession(headers=key.headers) as session,
            grpc.aio.insecure_channel(f"127.0.0.1:{running.gateway.grpc_port}") as channel,
        ):

            async def infer() -> tuple[int, Any, str]:
                async with session.post(running.url + "/v2/models/m/infer", json={"inputs": [tensor]}) as answer:
                    return answer.status, await answer.json(), answer.headers.get("retry-after", "")

            gate = running.gateway.table.target(("default", "m")).gates["r1"]
            tasks = [asyncio.create_task(infer()) for _ in range(3)]  # one asks, two of the standard priority wait
            await until(lambda: (gate.in_flight, gate.waiting) == (1, 2))
            status, body, retry = await infer()
            assert (status, retry) == (503, "2")
            assert list(body) == ["error"]
            assert "gets more requests than its replicas answer" in body["error"]
            message = pb.ModelInferRequest(model_name="m", raw_input_contents=[b"\x00\x00\x80\x3f" * 2])
            message.inputs.add(name="x", datatype="FP32", shape=[1, 2])
            raw = message.SerializeToString()
            call = channel.unary_unary("/inference.GRPCInferenceService/ModelInfer")
            metadata = (("authorization", key.headers["Authorization"]), ("x-mizzen-priority", "batch"))
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await call(raw, metadata=metadata)
            assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
            trailing = dict(refused.value.trailing_metadata() or ())
            assert (trailing["x-error-code"], trailing["retry-after"]) == ("overloaded", "2")
            assert "Batch requests are refused first" in (refused.value.details() or "")
            told.set()
            assert [one[0] for one in await asyncio.gather(*tasks)] == [200] * 3
            assert (gate.in_flight, gate.waiting) == (0, 0)


async def test_a_simulated_engine_that_refuses_is_held_to_what_it_can_do(tmp_path: Path) -> None:
    slow = Settings(decode_ms=1.0, batch_limit=4, queue_limit=4, prefill_tokens_per_second=1e9)
    async with caller(tmp_path, slow, MIZZEN_REPLICA_REQUESTS="8") as call:
        chat = {"messages": [{"role": "user", "content": "hi"}], "max_tokens": 3, "ignore_eos": True}
        answers = await asyncio.gather(*(call.post(CHAT, **chat) for _ in range(20)))
        gate = call.running.gateway.table.target(("default", "m")).gates["r1"]
        answered = sum(status == 200 for status, _ in answers)
        refused = [body["error"]["code"] for status, body in answers if status == 503]
        assert answered >= 16, "eight ask, eight of the standard priority wait"
        assert refused == ["overloaded"] * (20 - answered)
        assert sum(gate.shed.values()) == len(refused)
        assert (gate.in_flight, gate.waiting) == (0, 0)
        assert [row["status"] for row in call.running.rows()] == [200] * answered, "none came back from the engine"
