"""An upstream that fails leaves one warning that says which, why and what to do, and nothing of what was asked."""

import asyncio
import ssl
from pathlib import Path

import aiohttp
import pytest
import trustme
from support.alone import a_file, a_key, alone, ask
from support.free_ports import free_port
from support.gateway import endpoint_set, make_key, make_snapshot, model_deployment, running_gateway
from support.scripted_engine import Behaviour, Exchange, ScriptedEngine, scripted_engine

SECRET = "sk-SECRET said the engine"


def answers(status: int) -> Behaviour:
    async def behave(exchange: Exchange) -> None:
        await exchange.send_json({"error": {"message": SECRET}}, status)

    return behave


def warnings(capsys: pytest.CaptureFixture[str], event: str) -> list[str]:
    printed = capsys.readouterr()
    return [line for line in (printed.out + printed.err).splitlines() if event in line]


@pytest.mark.parametrize(
    ("status", "told", "remedy"),
    [
        (401, 502, "upstreams[local].api_key"),
        (403, 502, "upstreams[local].api_key"),
        (404, 502, "models[small].upstream_name"),
        (405, 404, "upstreams[local].url"),
        (429, 503, "another upstream"),
        (500, 502, "own log"),
        (503, 502, "own log"),
        (200, 502, "own log"),
    ],
)
async def test_a_status_that_callers_are_not_shown_is_told_once_with_the_field_to_look_at(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], status: int, told: int, remedy: str
) -> None:
    key, entry = a_key()
    async with scripted_engine(answers(status)) as engine:
        upstreams = [{"name": "local", "url": f"http://127.0.0.1:{engine.port}/v1", "api_key": {"file": "k"}}]
        (tmp_path / "k").write_text("sk-SECRET")
        async with alone(tmp_path, a_file("", entry, upstreams=upstreams)) as running:
            for _ in range(3):
                assert (await ask(running.url, key, user="SECRET"))[0] == told
    [line] = warnings(capsys, "upstream failed")
    assert str(status) in line or status == 200
    assert f"http://127.0.0.1:{engine.port}" in line
    assert remedy in line
    assert "SECRET" not in line


async def test_an_upstream_that_takes_no_more_is_told_to_callers_with_when_to_come_again(tmp_path: Path) -> None:
    key, entry = a_key()
    body = {"model": "small", "messages": [{"role": "user", "content": "hi"}]}
    async with (
        scripted_engine(answers(429)) as engine,
        alone(tmp_path, a_file(f"http://127.0.0.1:{engine.port}/v1", entry)) as running,
        aiohttp.ClientSession(headers={"Authorization": f"Bearer {key.text}"}) as session,
        session.post(f"{running.url}/v1/chat/completions", json=body) as answer,
    ):
        assert (answer.status, (await answer.json())["error"]["code"]) == (503, "overloaded")
        assert int(answer.headers["retry-after"]) > 0


async def test_a_model_of_tensors_that_the_upstream_does_not_know_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    key, entry = a_key()
    async with scripted_engine(answers(404)) as engine:
        upstreams = [{"name": "triton", "url": f"http://127.0.0.1:{engine.port}", "protocol": "OpenInference"}]
        models = [{"name": "double", "upstreams": ["triton"]}]
        tensor = {"name": "x", "datatype": "FP32", "shape": [1, 2], "data": [1.5, 2.0]}
        async with (
            alone(tmp_path, a_file("", entry, upstreams=upstreams, models=models)) as running,
            aiohttp.ClientSession(headers={"Authorization": f"Bearer {key.text}"}) as session,
            session.post(f"{running.url}/v2/models/double/infer", json={"inputs": [tensor]}) as answer,
        ):
            assert answer.status == 502
    [line] = warnings(capsys, "upstream failed")
    assert "models[double].upstream_name" in line


async def test_what_cannot_be_reached_and_a_certificate_that_nobody_vouches_for_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    key, entry = a_key()
    models = [{"name": "small", "upstreams": ["local"], "wait_seconds": 0}]
    async with alone(tmp_path, a_file(f"http://127.0.0.1:{free_port()}/v1", entry, models=models)) as running:
        assert (await ask(running.url, key))[0] in {502, 503}
    [line] = warnings(capsys, "upstream failed")
    assert "upstreams[local].url" in line
    assert "Connection refused" in line or "Connect call failed" in line

    engine, context = ScriptedEngine(answers(200)), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("localhost").configure_cert(context)
    server = await asyncio.start_server(engine.serve, "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    try:
        async with alone(tmp_path, a_file(f"https://localhost:{port}", entry, models=models)) as running:
            assert (await ask(running.url, key))[0] in {502, 503}
    finally:
        server.close()
        await engine.stop()
    [line] = warnings(capsys, "upstream failed")
    assert "upstreams[local].ca_file" in line
    assert f"https://localhost:{port}" in line


async def test_an_engine_of_a_deployment_is_named_with_its_revision_and_pod(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    key = make_key()
    body = {"model": "m", "messages": [{"role": "user", "content": "SECRET"}]}
    async with scripted_engine(answers(500)) as engine:
        objects = (model_deployment("m"), endpoint_set("m", engine.address))
        async with (
            running_gateway(tmp_path, make_snapshot([key]), *objects) as running,
            aiohttp.ClientSession(headers=key.headers) as session,
            session.post(f"{running.url}/v1/chat/completions", json=body) as answer,
        ):
            assert answer.status == 502, await answer.text()
    [line] = warnings(capsys, "engine failed")
    assert "default/m" in line
    assert f"m-{engine.port}" in line
    assert "revision=r1" in line
    assert f"127.0.0.1:{engine.port}" in line
    assert "SECRET" not in line


async def test_a_project_whose_requests_make_an_upstream_fail_takes_it_from_no_other(tmp_path: Path) -> None:
    (one, first), (two, second) = a_key(), a_key()
    projects = [{"name": "one", "keys": [first]}, {"name": "two", "keys": [second]}]

    async def fails_at_one(exchange: Exchange) -> None:
        await exchange.send_json({"error": {}}, 500 if exchange.document.get("user") == "one" else 400)

    async with scripted_engine(fails_at_one) as engine:
        document = a_file(f"http://127.0.0.1:{engine.port}/v1", projects=projects)
        async with alone(tmp_path, document) as running:
            assert (await ask(running.url, two, user="two"))[0] == 400
            assert {(await ask(running.url, one, user="one"))[0] for _ in range(12)} == {502}
            ((*_, endpoint),) = running.gateway.book.places()
            assert endpoint.ejected_until == 0.0
            assert (await ask(running.url, two, user="two"))[0] == 400


@pytest.mark.parametrize(("status", "told"), [(400, 400), (500, 502), (503, 502)])
async def test_an_answer_that_an_engine_refused_names_its_row(tmp_path: Path, status: int, told: int) -> None:
    key = make_key()
    body = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
    async with scripted_engine(answers(status)) as engine:
        objects = (model_deployment("m"), endpoint_set("m", engine.address))
        async with (
            running_gateway(tmp_path, make_snapshot([key]), *objects) as running,
            aiohttp.ClientSession(headers=key.headers) as session,
            session.post(f"{running.url}/v1/chat/completions", json=body) as answer,
        ):
            await answer.read()
            (row,) = running.rows()
    assert (answer.status, answer.headers["x-request-id"]) == (told, row["request_id"])


async def test_a_model_whose_upstream_cannot_be_reached_is_not_said_to_be_ready(tmp_path: Path) -> None:
    key, entry = a_key()
    async with scripted_engine(answers(404)) as engine:
        places = {"there": engine.port, "away": free_port()}
        upstreams = [{"name": name, "url": f"http://127.0.0.1:{port}/v1"} for name, port in places.items()]
        models = [{"name": name, "upstreams": [name]} for name in places] + [{"name": "both", "upstreams": [*places]}]
        async with (
            alone(tmp_path, a_file("", entry, upstreams=upstreams, models=models)) as running,
            aiohttp.ClientSession(headers={"Authorization": f"Bearer {key.text}"}) as session,
        ):
            async with session.get(f"{running.url}/v1/models") as listed:
                found = {one["id"]: one["ready"] for one in (await listed.json())["data"]}
            assert found == {"there": True, "away": False, "both": True}
            async with session.get(f"{running.url}/v1/models/away") as one:
                assert (await one.json())["ready"] is False
