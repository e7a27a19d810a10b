"""A gateway that goes by a file: keys, limits, budgets, routing and metering, and changes without a request lost."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import trustme
from mizzen_gateway.errors import CannotStartError
from mizzen_gateway.standalone import following
from mizzen_gateway.standalone.ledger import events
from mizzen_gateway.standalone.settings import in_words_of_the_file
from support.alone import a_file, a_key, alone, ask
from support.scripted_engine import Behaviour, Exchange, ScriptedEngine, completion, scripted_engine
from support.tensor_engine import tensor_engine
from support.until import until


async def hello(exchange: Exchange) -> None:
    await exchange.send_json(completion("inner"))


@asynccontextmanager
async def encrypted(behaviour: Behaviour, authority: trustme.CA) -> AsyncIterator[ScriptedEngine]:
    """The same behind TLS, as `localhost`."""
    engine = ScriptedEngine(behaviour)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    server = await asyncio.start_server(engine.serve, "127.0.0.1", 0, ssl=context)
    engine.port = server.sockets[0].getsockname()[1]
    try:
        yield engine
    finally:
        server.close()
        await engine.stop()


def at(engine: ScriptedEngine) -> str:
    return f"http://127.0.0.1:{engine.port}/v1"


async def test_a_call_is_served_metered_and_answered_under_the_name_of_the_file(tmp_path: Path) -> None:
    key, entry = a_key()
    async with scripted_engine(hello) as engine:
        document = a_file(at(engine), entry, prices=[{"per_million_input_tokens": 1, "per_million_output_tokens": 2}])
        async with alone(tmp_path, document) as running:
            status, body = await ask(running.url, key)
            assert (status, body["model"]) == (200, "small")
            assert engine.exchanges[0].document["model"] == "inner"
            assert "authorization" not in engine.exchanges[0].headers
            stranger, _ = a_key()
            assert (await ask(running.url, stranger))[0] == 401
    (event,) = events(tmp_path / "data" / "usage.db", None, None)
    told = (event["project_id"], event["key_id"], event["model"], event["cost_pico"])
    assert told == ("prj_team-a", key.id, "small", 7 * 1_000_000 + 3 * 2_000_000)


async def test_what_a_control_plane_keeps_is_refused_by_name(tmp_path: Path) -> None:
    key, entry = a_key()
    async with alone(tmp_path, a_file("http://127.0.0.1:9", entry)) as running, aiohttp.ClientSession() as session:
        headers = {"Authorization": f"Bearer {key.text}"}
        async with session.get(f"{running.url}/v1/files", headers=headers) as answer:
            assert answer.status == 403
            assert "this gateway runs without one" in (await answer.json())["error"]["message"]


async def test_what_is_refused_is_refused_in_the_words_of_the_file(tmp_path: Path) -> None:
    key, entry = a_key()
    models = [
        {"name": "small", "upstreams": ["local"], "wait_seconds": 0},
        {"name": "full", "upstreams": ["local"], "queue": 0},
    ]
    document = a_file("http://127.0.0.1:9", entry | {"models": ["small", "full"]}, models=models)
    document["models"].append({"name": "other", "upstreams": ["local"]})
    told = {}
    async with alone(tmp_path, document) as running, aiohttp.ClientSession() as session:
        await ask(running.url, key)  # from here on the upstream is known to be away
        for model in ("small", "full", "other"):
            _, body = await ask(running.url, key, model)
            told[model] = body["error"]["message"]
        headers = {"Authorization": f"Bearer {key.text}"}
        for path in ("repository/index", "models/small/stats", "logging"):
            async with session.get(f"{running.url}/v2/{path}", headers=headers) as answer:
                told[path] = (await answer.json())["error"]
    assert "(its wait_seconds)" in told["small"]
    assert "(its queue)" in told["full"]
    assert "models of this one" in told["other"]
    elsewhere = ("coldStart", "replica", "control plane", "mizzen ", "MIZZEN_")
    assert not [one for one in told.values() if any(word in one for word in elsewhere)], told


async def test_the_admin_port_has_the_description_of_the_api(tmp_path: Path) -> None:
    _, entry = a_key()
    async with alone(tmp_path, a_file("http://127.0.0.1:9", entry)) as running, aiohttp.ClientSession() as session:
        async with session.get(f"http://127.0.0.1:{running.gateway.admin_port}/openapi.json") as answer:
            told = await answer.json()
        assert (told["openapi"], "/v1/chat/completions" in told["paths"]) == ("3.1.0", True)
        async with session.get(f"{running.url}/openapi.json") as answer:
            assert answer.status == 401, "callers without a key learn nothing of it"


async def test_an_upstream_is_made_to_fetch_from_named_hosts_alone(tmp_path: Path) -> None:
    key, entry = a_key()

    def picture(url: str) -> dict[str, Any]:
        return {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]}]}

    named, other = "https://img.example.com/cat.png", "https://img.example.com@evil.example/"
    async with scripted_engine(hello) as engine:
        document = a_file(at(engine), entry, media_hosts=["img.example.com"])
        async with alone(tmp_path, document) as running:
            assert (await ask(running.url, key, **picture(named)))[0] == 200
            assert engine.exchanges[-1].document["messages"] == picture(named)["messages"], "as it was written"
            status, body = await ask(running.url, key, **picture(other))
            assert (status, body["error"]["code"]) == (400, "url_not_allowed")
        async with alone(tmp_path, a_file(at(engine), entry)) as running:
            assert (await ask(running.url, key, **picture(named)))[0] == 400
        assert len(engine.exchanges) == 1


async def test_every_project_calls_the_same_models_by_plain_names(tmp_path: Path) -> None:
    (one, first), (other, second) = a_key(), a_key()
    limits = [{"name": "l", "metric": "requests", "amount": 2, "per": "day"}]
    async with scripted_engine(hello) as engine:
        document = a_file(
            at(engine),
            models=[{"name": "small", "upstreams": ["local"], "aliases": ["default"], "limits": limits}],
            projects=[{"name": "a", "keys": [first]}, {"name": "b", "keys": [second]}],
        )
        async with alone(tmp_path, document) as running:
            assert (await ask(running.url, one))[0] == 200
            assert (await ask(running.url, other, "default"))[0] == 200
            status, body = await ask(running.url, one)
            assert (status, body["error"]["code"]) == (429, "rate_limit_exceeded"), "one count, whoever calls the model"


async def test_an_upstream_behind_tls_gets_its_own_key_below_its_own_path(tmp_path: Path) -> None:
    key, entry = a_key()
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    (tmp_path / "upstream-key").write_text("sk-upstream")
    async with encrypted(hello, authority) as engine:
        upstream = {
            "name": "local",
            "url": f"https://localhost:{engine.port}/openai/v1",
            "api_key": {"file": "upstream-key"},
            "ca_file": "ca.pem",
        }
        async with alone(tmp_path, a_file("", entry, upstreams=[upstream])) as running:
            assert (await ask(running.url, key))[0] == 200
            seen = engine.exchanges[-1]
            assert seen.path == "/openai/v1/chat/completions"
            assert seen.headers["authorization"] == "Bearer sk-upstream", "and never the caller's"
            assert seen.headers["host"] == f"localhost:{engine.port}"


async def test_an_upstream_whose_certificate_nobody_vouches_for_gets_no_key(tmp_path: Path) -> None:
    key, entry = a_key()
    async with encrypted(hello, trustme.CA()) as engine:
        models = [{"name": "small", "upstreams": ["local"], "wait_seconds": 0}]
        document = a_file(f"https://localhost:{engine.port}", entry, models=models)
        async with alone(tmp_path, document) as running:
            status, _ = await ask(running.url, key)
            assert status in {502, 503}
            assert engine.exchanges == []


async def test_two_upstreams_at_one_address_keep_their_keys_apart(tmp_path: Path) -> None:
    key, entry = a_key()
    for name in ("x", "y"):
        (tmp_path / name).write_text(f"sk-{name}")
    async with scripted_engine(hello) as engine:
        upstreams = [{"name": name, "url": at(engine), "api_key": {"file": name}} for name in ("x", "y")]
        models = [{"name": f"to-{name}", "upstreams": [name]} for name in ("x", "y")]
        async with alone(tmp_path, a_file("", entry, upstreams=upstreams, models=models)) as running:
            for name in ("x", "y", "x"):
                await ask(running.url, key, f"to-{name}")
                assert engine.exchanges[-1].headers["authorization"] == f"Bearer sk-{name}"


async def test_a_change_of_the_file_reaches_callers_and_loses_no_request(tmp_path: Path) -> None:
    key, entry = a_key()
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slow(exchange: Exchange) -> None:
        begun.set()
        await go_on.wait()
        await hello(exchange)

    async with scripted_engine(slow) as old, scripted_engine(hello) as new:
        document = a_file(at(old), entry)
        async with alone(tmp_path, document) as running:
            under_way = asyncio.create_task(ask(running.url, key))
            await begun.wait()
            await running.write(document | {"upstreams": [{"name": "local", "url": at(new)}]})
            assert (await ask(running.url, key))[0] == 200
            assert (len(old.exchanges), len(new.exchanges)) == (1, 1)
            go_on.set()
            assert (await under_way)[0] == 200, "what was under way when the file changed ends where it began"
            await running.write(document | {"projects": [{"name": "team-a"}]})
            assert (await ask(running.url, key))[0] == 401


async def test_the_file_and_the_secrets_that_it_names_are_watched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "LOOK_SECONDS", 0.02)
    key, entry = a_key()
    (tmp_path / "upstream-key").write_text("sk-old")
    async with scripted_engine(hello) as engine:
        upstream = {"name": "local", "url": at(engine), "api_key": {"file": "upstream-key"}}
        async with alone(tmp_path, a_file("", entry, upstreams=[upstream])) as running:
            await ask(running.url, key)
            fresh = tmp_path / "fresh"
            fresh.write_text("sk-new")
            fresh.rename(tmp_path / "upstream-key")
            state = running.gateway.accounting.state
            await until(lambda: state.index is not None and state.index.version == 2)
            await ask(running.url, key)
            keys = [exchange.headers["authorization"] for exchange in engine.exchanges]
            assert keys == ["Bearer sk-old", "Bearer sk-new"]


async def test_a_file_with_a_mistake_changes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    key, entry = a_key()
    async with scripted_engine(hello) as engine:
        document = a_file(at(engine), entry)
        async with alone(tmp_path, document) as running:
            await running.write(document | {"models": [{"name": "big", "upstreams": ["nowhere"]}]})
            assert (await ask(running.url, key))[0] == 200
            assert "there is no upstream 'nowhere'" in capsys.readouterr().out
            await running.write(document | {"models": [{"name": "big", "upstreams": ["local"]}]})
            assert (await ask(running.url, key, "big"))[0] == 200
            assert (await ask(running.url, key))[0] == 404


async def test_budgets_are_not_taken_up_by_a_process_that_began_as_one_of_several(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    key, entry = a_key()
    budgets = [{"name": "b", "unit": "tokens", "amount": 1, "window": "day"}]
    async with scripted_engine(hello) as engine:
        document = a_file(at(engine), entry)
        ports = document["listen"]
        async with alone(tmp_path, document | {"listen": {**ports, "workers": 1}}) as running:
            await running.write(document | {"budgets": budgets, "projects": [{"name": "team-a"}]})
            assert "budgets: this process began with listen.workers" in capsys.readouterr().out
            assert (await ask(running.url, key))[0] == 200, "and nothing else of the file is taken up"


async def test_a_hard_budget_holds_over_a_restart(tmp_path: Path) -> None:
    key, entry = a_key()
    budgets = [{"name": "b", "amount": 0.25, "window": "lifetime"}]
    async with scripted_engine(hello) as engine:
        document = a_file(at(engine), entry, budgets=budgets, prices=[{"per_request": 0.1}])
        async with alone(tmp_path, document) as running:
            assert [(await ask(running.url, key))[0] for _ in range(2)] == [200, 200]
        async with alone(tmp_path, document) as running:
            status, body = await ask(running.url, key)
            assert (status, body["error"]["code"]) == (429, "budget_exceeded")
            await running.write(document | {"budgets": [budgets[0] | {"amount": 0.35}]})
            assert (await ask(running.url, key))[0] == 200, "what a change adds can be spent at once"


async def test_a_hard_budget_that_is_lowered_is_held_at_once(tmp_path: Path) -> None:
    key, entry = a_key()
    budgets = [{"name": "b", "amount": 10_000, "window": "lifetime"}]
    async with scripted_engine(hello) as engine:
        document = a_file(at(engine), entry, budgets=budgets, prices=[{"per_request": 1}])
        async with alone(tmp_path, document) as running:
            assert [(await ask(running.url, key))[0] for _ in range(3)] == [200] * 3
            await running.write(document | {"budgets": [budgets[0] | {"amount": 4}]})
            assert [(await ask(running.url, key))[0] for _ in range(3)] == [200, 429, 429]


@pytest.mark.parametrize(
    ("engine", "caps"),
    [("OpenAI", {"max_completion_tokens": 5}), ("Other", {"max_completion_tokens": 5, "max_tokens": 5})],
)
async def test_what_was_reserved_caps_the_answer_in_the_words_of_the_upstream(
    tmp_path: Path, engine: str, caps: dict[str, int]
) -> None:
    key, entry = a_key()
    budgets = [{"name": "b", "amount": 1, "window": "day"}]
    async with scripted_engine(hello) as server:
        upstreams = [{"name": "local", "url": at(server), "engine": engine}]
        document = a_file("", entry, upstreams=upstreams, budgets=budgets, prices=[{"per_million_output_tokens": 1}])
        async with alone(tmp_path, document) as running:
            assert (await ask(running.url, key, max_tokens=5))[0] == 200
    sent = server.exchanges[-1].document
    assert {name: value for name, value in sent.items() if "tokens" in name} == caps


async def test_a_model_of_tensors_is_asked_below_its_root_with_its_key(tmp_path: Path) -> None:
    key, entry = a_key()
    (tmp_path / "upstream-key").write_text("sk-triton")
    async with scripted_engine(tensor_engine("inner")) as engine:
        upstream = {
            "name": "triton",
            "url": f"http://127.0.0.1:{engine.port}",
            "protocol": "OpenInference",
            "engine": "Triton",
            "api_key": {"file": "upstream-key"},
        }
        models = [{"name": "double", "upstreams": ["triton"], "upstream_name": "inner"}]
        async with alone(tmp_path, a_file("", entry, upstreams=[upstream], models=models)) as running:
            tensor = {"name": "x", "datatype": "FP32", "shape": [1, 2], "data": [1.5, 2.0]}
            headers = {"Authorization": f"Bearer {key.text}"}
            async with (
                aiohttp.ClientSession(headers=headers) as session,
                session.post(f"{running.url}/v2/models/double/infer", json={"inputs": [tensor]}) as answer,
            ):
                told = await answer.json()
            assert (answer.status, told["model_name"], told["outputs"][0]["data"]) == (200, "double", [3.0, 4.0])
            assert {exchange.headers["authorization"] for exchange in engine.exchanges} == {"Bearer sk-triton"}
            status, body = await ask(running.url, key, "double")
            assert (status, body["error"]["code"]) == (400, "wrong_protocol")


async def test_a_route_spreads_and_falls_back(tmp_path: Path) -> None:
    key, entry = a_key()
    async with scripted_engine(hello) as engine:
        upstreams = [{"name": "local", "url": at(engine)}, {"name": "gone", "url": "http://127.0.0.1:9/v1"}]
        document = a_file(
            "",
            entry,
            upstreams=upstreams,
            models=[
                {"name": "GPT-4.1", "upstreams": ["gone"], "wait_seconds": 0},
                {"name": "small", "upstreams": ["local"]},
            ],
            routes=[{"name": "best", "models": [{"model": "GPT-4.1"}], "fallbacks": ["small"]}],
        )
        async with alone(tmp_path, document) as running:
            assert (await ask(running.url, key, "best"))[0] == 200
            assert (await ask(running.url, key, "GPT-4.1"))[0] in {502, 503}


async def test_a_route_goes_by_headers_copies_and_leads_through_several_models(tmp_path: Path) -> None:
    key, entry = a_key()
    models = [{"name": name, "upstreams": ["local"]} for name in ("small", "big", "copy")]
    routes = [
        {
            "name": "best",
            "models": [{"model": "small"}],
            "by_header": [{"name": "x-tier", "value": "gold", "models": [{"model": "big"}]}],
            "mirrors": [{"model": "copy"}],
        },
        {"name": "both", "pipeline": [{"name": "one", "model": "big"}, {"name": "two", "model": "small"}]},
    ]
    async with scripted_engine(hello) as engine:
        document = a_file(at(engine), entry, models=models, routes=routes)
        async with alone(tmp_path, document) as running, aiohttp.ClientSession() as session:

            def asked() -> list[str]:
                return sorted(one.document["model"] for one in engine.exchanges)

            body = {"model": "best", "messages": [{"role": "user", "content": "hi"}]}
            headers = {"Authorization": f"Bearer {key.text}", "X-Tier": "gold"}
            async with session.post(f"{running.url}/v1/chat/completions", json=body, headers=headers) as answer:
                assert answer.status == 200
            await until(lambda: asked() == ["big", "copy"])
            engine.exchanges.clear()
            assert (await ask(running.url, key, "best"))[0] == 200
            await until(lambda: asked() == ["copy", "small"])
            engine.exchanges.clear()
            assert (await ask(running.url, key, "both"))[0] == 200
            assert asked() == ["big", "small"]


async def test_requests_are_spread_over_upstreams_and_leave_one_that_is_away(tmp_path: Path) -> None:
    key, entry = a_key()
    async with scripted_engine(hello) as one, scripted_engine(hello) as other:
        upstreams = [{"name": "one", "url": at(one)}, {"name": "other", "url": at(other)}]
        upstreams.append({"name": "gone", "url": "http://127.0.0.1:9/v1"})
        models = [{"name": "small", "upstreams": ["one", "other", "gone"]}]
        async with alone(tmp_path, a_file("", entry, upstreams=upstreams, models=models)) as running:
            answers = await asyncio.gather(*(ask(running.url, key) for _ in range(20)))
            assert {status for status, _ in answers} == {200}
            assert one.exchanges
            assert other.exchanges


def test_what_does_not_let_it_start_is_told_in_the_words_of_the_file() -> None:
    error = CannotStartError("MIZZEN_ADMIN_PORT: cannot listen; set MIZZEN_ADMIN_PORT to a free port.")
    assert in_words_of_the_file(str(error)) == "listen.admin_port: cannot listen; set listen.admin_port to a free port."


async def test_two_gateways_do_not_share_a_data_folder(tmp_path: Path) -> None:
    _, entry = a_key()
    async with alone(tmp_path, a_file("http://127.0.0.1:9", entry)):
        with pytest.raises(CannotStartError, match="another gateway uses the folder") as refused:
            async with alone(tmp_path, a_file("http://127.0.0.1:9", entry)):
                pass
        assert "give this user" not in str(refused.value), "no permission is missing"
