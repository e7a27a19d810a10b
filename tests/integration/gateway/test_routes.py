"""What becomes of a route's request when a deployment fails it, and who gets a copy? Through a real gateway."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from support.gateway import RunningGateway, endpoint_set, make_key, make_snapshot, model_deployment, running_gateway
from support.scripted_engine import Exchange, ScriptedEngine, chunk, completion, scripted_engine
from support.until import until

CHAT = "/v1/chat/completions"
KEY = make_key()
Behaviour = Callable[[Exchange], Awaitable[None]]


async def well(exchange: Exchange) -> None:
    await exchange.send_json(completion(exchange.document["model"], exchange.document["model"]))


def answers(status: int) -> Behaviour:
    async def behaviour(exchange: Exchange) -> None:
        await exchange.send_json({"error": {"message": "no"}}, status)

    return behaviour


async def cuts(exchange: Exchange) -> None:
    exchange.cut()


async def hangs(_exchange: Exchange) -> None:
    await asyncio.Event().wait()


async def breaks_off(exchange: Exchange) -> None:
    await exchange.start_events()
    await exchange.event(chunk(exchange.document["model"], "one"))
    exchange.cut()


def tells_nothing(behaviour: Behaviour) -> Behaviour:
    """What can it do? It does not say."""

    async def polite(exchange: Exchange) -> None:
        if exchange.method == "GET":
            await exchange.send(404, b"")
        else:
            await behaviour(exchange)

    return polite


@dataclass
class Stage:
    """A gateway, a route `chat`, and the engines behind it."""

    running: RunningGateway
    engines: dict[str, ScriptedEngine]
    session: aiohttp.ClientSession

    async def ask(self, **more: Any) -> tuple[int, dict[str, Any]]:
        """Status and answer."""
        body = {"model": "chat", "messages": [{"role": "user", "content": "hi"}], **more}
        async with self.session.post(self.running.url + CHAT, json=body) as response:
            return response.status, await response.json(content_type=None) if not more.get("stream") else {}

    async def who(self) -> str:
        """Deployment that answered, or the code of the refusal."""
        status, answer = await self.ask()
        return str(answer["choices"][0]["message"]["content"] if status == 200 else answer["error"]["code"])

    def asked(self, name: str) -> int:
        """Requests that an engine got."""
        return sum(one.path == CHAT for one in self.engines[name].exchanges)


@asynccontextmanager
async def staged(
    folder: Path, engines: dict[str, Behaviour | None], *, passed_on: str = "", **rule: Any
) -> AsyncIterator[Stage]:
    """A deployment for each engine; one of None has no endpoint. `passed_on` names headers that engines get."""
    async with AsyncExitStack() as stack:
        started: dict[str, ScriptedEngine] = {}
        objects: list[dict[str, Any]] = [model_route(**rule)]
        for name, behaviour in engines.items():
            objects.append(model_deployment(name))
            if behaviour is None:
                objects.append(endpoint_set(name))
                continue
            started[name] = await stack.enter_async_context(scripted_engine(tells_nothing(behaviour)))
            objects.append(endpoint_set(name, started[name].address))
        running = await stack.enter_async_context(
            running_gateway(folder, make_snapshot([KEY]), *objects, MIZZEN_FORWARD_HEADERS=passed_on)
        )
        session = await stack.enter_async_context(aiohttp.ClientSession(headers=KEY.headers))
        yield Stage(running, started, session)


def model_route(**rule: Any) -> dict[str, Any]:
    """A route whose requests go to `one`, unless the rule says more."""
    return {
        "kind": "ModelRoute",
        "metadata": {"name": "chat", "namespace": "default"},
        "spec": {"rules": [{"name": "all", "backends": [{"deployment": "one"}], **rule}]},
        "status": {"project": "default"},
    }


@pytest.mark.parametrize(
    ("failing", "cause"),
    [(answers(503), "Failed"), (answers(500), "Failed"), (cuts, "Failed"), (answers(429), "Overloaded")],
    ids=["503", "500", "cut", "429"],
)
async def test_a_request_goes_on_to_the_fallback_for_the_cause_that_it_failed_by(
    tmp_path: Path, failing: Behaviour, cause: str
) -> None:
    others = [one for one in ("NotReady", "Overloaded", "Failed", "TimedOut") if one != cause]
    fallbacks = [{"deployment": "two", "causes": others}, {"deployment": "three", "causes": [cause]}]
    async with staged(tmp_path, {"one": failing, "two": well, "three": well}, fallbacks=fallbacks) as stage:
        assert await stage.who() == "three"
        assert stage.asked("two") == 0
        first, second = stage.running.rows()
    assert (first["model"], first["answered"], first["cost_pico"]) == ("one", False, 0)
    assert (second["model"], second["answered"], second["output_tokens"]) == ("three", True, 3)
    assert second["request_id"] == first["request_id"] + ".2", "what belongs together can be seen"


async def test_a_first_byte_that_does_not_come_in_the_routes_time_sends_the_request_on(tmp_path: Path) -> None:
    fallbacks = [{"deployment": "two", "causes": ["TimedOut"]}]
    rule = {"fallbacks": fallbacks, "timeouts": {"firstByteSeconds": 1}}
    async with staged(tmp_path, {"one": hangs, "two": well}, **rule) as stage:
        assert await stage.who() == "two"


async def test_the_time_of_a_request_holds_over_all_tries(tmp_path: Path) -> None:
    fallbacks = [{"deployment": "two"}]
    rule = {"fallbacks": fallbacks, "timeouts": {"requestSeconds": 1}}
    async with staged(tmp_path, {"one": hangs, "two": well}, **rule) as stage:
        assert await stage.who() == "upstream_timeout"
        assert stage.asked("two") == 0


async def test_what_is_wrong_with_a_request_sends_it_nowhere_else(tmp_path: Path) -> None:
    async with staged(tmp_path, {"one": answers(400), "two": well}, fallbacks=[{"deployment": "two"}]) as stage:
        assert await stage.who() == "invalid_request"
        assert stage.asked("two") == 0


async def test_a_stream_that_has_begun_is_not_begun_again_elsewhere(tmp_path: Path) -> None:
    async with staged(tmp_path, {"one": breaks_off, "two": well}, fallbacks=[{"deployment": "two"}]) as stage:
        status, _ = await stage.ask(stream=True)
        assert status == 200
        assert stage.asked("two") == 0


async def test_no_request_waits_for_a_backend_while_a_fallback_has_an_endpoint(tmp_path: Path) -> None:
    async with staged(tmp_path, {"one": None, "two": well}, fallbacks=[{"deployment": "two"}]) as stage:
        assert await stage.who() == "two"


async def test_all_that_fail_are_asked_once_and_the_last_refusal_is_told(tmp_path: Path) -> None:
    fallbacks = [{"deployment": "two"}, {"deployment": "one"}]
    async with staged(tmp_path, {"one": answers(500), "two": answers(500)}, fallbacks=fallbacks) as stage:
        assert await stage.who() == "upstream_error"
        assert (stage.asked("one"), stage.asked("two")) == (1, 1)


@pytest.mark.parametrize(
    ("retries", "tries"),
    [
        ({"attempts": 0}, 1),
        ({"attempts": 2}, 3),
        ({"attempts": 4, "causes": ["Unavailable"]}, 5),
        ({"attempts": 4, "causes": ["Overloaded"]}, 1),
    ],
)
async def test_a_request_is_tried_again_as_often_as_the_route_says(
    tmp_path: Path, retries: dict[str, Any], tries: int
) -> None:
    async with staged(tmp_path, {"one": answers(503)}, retries=retries) as stage:
        assert await stage.who() == "upstream_error"
        assert stage.asked("one") == tries


async def test_mirrors_get_copies_that_nobody_waits_or_pays_for(tmp_path: Path) -> None:
    mirrors = [{"deployment": "two"}, {"deployment": "three"}]
    async with staged(tmp_path, {"one": well, "two": hangs, "three": answers(500)}, mirrors=mirrors) as stage:
        for _ in range(3):
            assert await stage.who() == "one"
        await until(lambda: (stage.asked("two"), stage.asked("three")) == (3, 3))
        (copy, *_) = [one for one in stage.engines["two"].exchanges if one.path == CHAT]
        assert copy.document["model"] == "two"
        assert copy.document["messages"] == [{"role": "user", "content": "hi"}]
        assert [row["model"] for row in stage.running.rows()] == ["one"] * 3
        two = stage.running.gateway.table.target(("default", "two"))
        assert [one.in_flight for one in two.endpoints()] == [3], "they count as load"


async def test_copies_that_are_under_way_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mizzen_gateway.mirroring.MOST_COPIES", 2)
    async with staged(tmp_path, {"one": well, "two": hangs}, mirrors=[{"deployment": "two"}]) as stage:
        for _ in range(5):
            assert await stage.who() == "one"
        await until(lambda: stage.asked("two") == 2)
        async with stage.session.get(stage.running.admin_url + "/metrics") as response:
            shown = await response.text()
        assert 'mizzen_gateway_mirrored_total{outcome="sent"} 2.0' in shown
        assert 'mizzen_gateway_mirrored_total{outcome="left_out"} 3.0' in shown


async def test_a_request_goes_the_way_of_its_headers(tmp_path: Path) -> None:
    gold = {"headers": [{"name": "x-tier", "value": "gold"}]}
    async with staged(tmp_path, {"one": well, "two": well}, matches=[gold]) as stage:
        assert await stage.who() == "model_not_found"
        stage.session.headers["x-tier"] = "gold"
        assert await stage.who() == "one"


async def test_an_answer_is_given_again_with_its_age_and_costs_what_a_hit_costs(tmp_path: Path) -> None:
    async with staged(tmp_path, {"one": well}, cache={"lifetimeSeconds": 60}) as stage:
        body = {"model": "chat", "messages": [{"role": "user", "content": "hi"}], "temperature": 0}
        answers = []
        for more in ({}, {"user": "another"}, {"max_tokens": 5}):
            async with stage.session.post(stage.running.url + CHAT, json=body | more) as response:
                assert response.status == 200
                answers.append((await response.json(), response.headers.get("age"), response.headers["x-request-id"]))
        assert stage.asked("one") == 2, "the second one was asked of no engine"
        assert answers[0][0] == answers[1][0]
        assert [age for _, age, _ in answers] == [None, "0", None]
        rows = {row["request_id"]: row for row in stage.running.rows()}
        asked, hit, _ = (rows[request_id] for _, _, request_id in answers)
        assert (asked["output_tokens"], asked.get("response_cache_hit", False)) == (3, False)
        assert (hit["response_cache_hit"], hit["answered"], hit["status"]) == (True, True, 200)
        assert (hit.get("input_tokens", 0), hit.get("output_tokens", 0)) == (0, 0)
        async with stage.session.get(stage.running.admin_url + "/metrics") as response:
            assert "mizzen_gateway_response_cache_hits_total 1.0" in await response.text()


async def test_an_answer_to_other_headers_that_engines_get_is_not_given_again(tmp_path: Path) -> None:
    async with staged(tmp_path, {"one": well}, passed_on="x-lang,traceparent", cache={}) as stage:
        for asked, (language, trace) in enumerate([("de", "a"), ("fr", "b"), ("de", "c")], 1):
            stage.session.headers.update({"x-lang": language, "traceparent": trace})
            await stage.ask(temperature=0)
            assert stage.asked("one") == min(asked, 2), "the third is the first again, whatever its trace"


async def test_a_caller_may_want_a_fresh_answer_and_a_change_of_the_deployment_begins_anew(tmp_path: Path) -> None:
    async with staged(tmp_path, {"one": well}, cache={}) as stage:
        for _ in range(2):
            await stage.ask(temperature=0)
        assert stage.asked("one") == 1
        stage.session.headers["cache-control"] = "no-cache"
        await stage.ask(temperature=0)
        assert stage.asked("one") == 2
        del stage.session.headers["cache-control"]
        address = stage.engines["one"].address
        stage.running.put(endpoint_set("one", address, traffic={"r1": 50, "r2": 50}))
        await stage.ask(temperature=0)
        assert stage.asked("one") == 3


async def test_refusals_and_sampled_answers_are_not_kept(tmp_path: Path) -> None:
    async with staged(tmp_path, {"one": answers(400), "two": well}, cache={}) as stage:
        for _ in range(2):
            await stage.ask(temperature=0)
        assert stage.asked("one") == 2
        stage.running.put(model_route(backends=[{"deployment": "two"}], cache={}))
        for _ in range(2):
            await stage.ask()
        assert stage.asked("two") == 2
