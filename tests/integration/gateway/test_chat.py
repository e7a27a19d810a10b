"""Chat completions through a real gateway, to an engine that does what each test says."""

import asyncio
from pathlib import Path

import aiohttp
import orjson
import pytest
from support.gateway import endpoint_set, make_key, make_snapshot, model_deployment, running_gateway
from support.scripted_engine import Exchange, chunk, completion, scripted_engine
from support.until import until

CHAT = "/v1/chat/completions"
KEY = make_key()
SNAPSHOT = make_snapshot([KEY])


def ask(model: str = "chat", **more: object) -> dict[str, object]:
    return {"model": model, "messages": [{"role": "user", "content": "hi"}], **more}


async def well(exchange: Exchange) -> None:
    await exchange.send_json(completion(exchange.document["model"]))


async def streams_well(exchange: Exchange) -> None:
    model = exchange.document["model"]
    await exchange.start_events()
    for text in ("one", "two", "three"):
        await exchange.event(chunk(model, text))
    await exchange.event(chunk(model, None))
    await exchange.event(b"[DONE]")
    await exchange.end_events()


async def test_an_answer_comes_through_and_is_metered(tmp_path: Path) -> None:
    async with scripted_engine(well) as engine:
        objects = [model_deployment("chat"), endpoint_set("chat", engine.address)]
        async with running_gateway(tmp_path, SNAPSHOT, *objects) as running, aiohttp.ClientSession() as session:
            async with session.post(running.url + CHAT, json=ask(), headers=KEY.headers) as response:
                assert response.status == 200, await response.text()
                document = await response.json()
                request_id = response.headers["x-request-id"]
            assert document["choices"][0]["message"]["content"] == "hello"
            (row,) = running.rows()
            assert (row["request_id"], row["input_tokens"], row["output_tokens"]) == (request_id, 7, 3)
            assert row["answered"] is True
            assert row["estimated"] is False
            assert "authorization" not in engine.exchanges[0].headers


async def test_of_a_field_that_comes_twice_the_engine_sees_what_was_checked(tmp_path: Path) -> None:
    twice = (
        b'{"model":"other","stream":true,"max_tokens":9,"max_tokens":99999999,"cache_salt":"x","n":500,'
        b'"messages":[{"role":"user","content":"hi"}],"model":"chat","stream":false,"\\u006dax_tokens":5,"n":1}'
    )
    async with scripted_engine(well) as engine:
        objects = [model_deployment("chat"), endpoint_set("chat", engine.address)]
        async with (
            running_gateway(tmp_path, SNAPSHOT, *objects) as running,
            aiohttp.ClientSession(headers=KEY.headers) as session,
            session.post(running.url + CHAT, data=twice) as response,
        ):
            assert response.status == 200, await response.text()
        sent = engine.exchanges[0].body
    document = orjson.loads(sent)
    assert (document["model"], document["stream"], document["max_tokens"], document["n"]) == ("chat", False, 5, 1)
    assert all(sent.count(b'"%b"' % field) == 1 for field in (b"model", b"stream", b"max_tokens", b"n"))
    assert b"cache_salt" not in sent


async def test_an_alias_is_replaced_by_the_engines_name_and_back(tmp_path: Path) -> None:
    async with scripted_engine(well) as engine:
        objects = [model_deployment("chat", aliases=["gpt"]), endpoint_set("chat", engine.address, model_name="inner")]
        async with running_gateway(tmp_path, SNAPSHOT, *objects) as running, aiohttp.ClientSession() as session:
            async with session.post(running.url + CHAT, json=ask("gpt"), headers=KEY.headers) as response:
                assert (await response.json())["model"] == "gpt"
            assert engine.exchanges[0].document["model"] == "inner"
            assert running.rows()[0]["model"] == "chat"


@pytest.mark.parametrize("name", ["polite", "default/polite"])
async def test_an_adapter_is_called_by_the_name_that_the_engine_knows(tmp_path: Path, name: str) -> None:
    async with scripted_engine(well) as engine:
        adapters = [{"name": one, "uri": f"hf://org/{one}@main"} for one in ("polite", "coming")]
        serving = model_deployment("chat", adapters=adapters)
        serving["status"] = {"revisions": [{"name": "chat-1", "trafficPercent": 100, "adapters": ["polite"]}]}
        objects = [
            serving,
            endpoint_set("chat", engine.address, model_name="inner"),
        ]
        async with (
            running_gateway(tmp_path, SNAPSHOT, *objects) as running,
            aiohttp.ClientSession(headers=KEY.headers) as session,
        ):
            async with session.get(running.url + "/v1/models") as listed:
                assert {one["id"] for one in (await listed.json())["data"]} == {"chat", "polite"}
            async with session.post(running.url + CHAT, json=ask("coming")) as response:
                assert response.status == 404, "the revision that serves does not have it yet"
            async with session.post(running.url + CHAT, json=ask(name)) as response:
                assert (await response.json())["model"] == name
            assert engine.exchanges[0].document["model"] == "polite"
            assert running.rows()[0]["model"] == "chat", "limits and prices are the deployment's"


@pytest.mark.parametrize("wanted", [False, True])
async def test_the_usage_chunk_reaches_only_those_who_asked_for_it(tmp_path: Path, wanted: bool) -> None:
    async with scripted_engine(streams_well) as engine:
        objects = [model_deployment("chat"), endpoint_set("chat", engine.address)]
        body = ask(stream=True, **({"stream_options": {"include_usage": True}} if wanted else {}))
        async with running_gateway(tmp_path, SNAPSHOT, *objects) as running, aiohttp.ClientSession() as session:
            async with session.post(running.url + CHAT, json=body, headers=KEY.headers) as response:
                text = await response.text()
            assert text.endswith("data: [DONE]\n\n")
            assert ('"usage"' in text) is wanted
            assert engine.exchanges[0].document["stream_options"] == {"include_usage": True}
            (row,) = running.rows()
            assert (row["input_tokens"], row["output_tokens"], row["estimated"]) == (7, 3, False)


async def test_a_streamed_alias_is_renamed_in_each_chunk(tmp_path: Path) -> None:
    async with scripted_engine(streams_well) as engine:
        objects = [model_deployment("chat"), endpoint_set("chat", engine.address, model_name="inner")]
        async with (
            running_gateway(tmp_path, SNAPSHOT, *objects) as running,
            aiohttp.ClientSession() as session,
            session.post(running.url + CHAT, json=ask(stream=True), headers=KEY.headers) as response,
        ):
            text = await response.text()
    assert text.count('"model":"chat"') == 3
    assert "inner" not in text


async def test_an_engine_that_dies_mid_stream_ends_in_one_error_event(tmp_path: Path) -> None:
    async def dies(exchange: Exchange) -> None:
        await exchange.start_events()
        await exchange.event(chunk("chat", "one"))
        exchange.cut()

    async with scripted_engine(dies) as engine:
        objects = [model_deployment("chat"), endpoint_set("chat", engine.address)]
        async with running_gateway(tmp_path, SNAPSHOT, *objects) as running, aiohttp.ClientSession() as session:
            async with session.post(running.url + CHAT, json=ask(stream=True), headers=KEY.headers) as response:
                events = (await response.text()).strip().split("\n\n")
            assert len(events) == 2
            error = orjson.loads(events[1].removeprefix("data: "))["error"]
            assert set(error) == {"message", "type", "param", "code"}
            assert error["code"] == "upstream_error"
            (row,) = running.rows()
            assert (row["answered"], row["estimated"], row["output_tokens"]) == (True, True, 1)
        assert len(engine.exchanges) == 1


async def test_an_engines_own_error_text_never_reaches_a_caller(tmp_path: Path) -> None:
    async def refuses(exchange: Exchange) -> None:
        await exchange.send_json({"error": {"message": "SECRET /opt/engine/path"}}, 400)

    async def fails_in_stream(exchange: Exchange) -> None:
        await exchange.start_events()
        await exchange.event({"error": {"message": "SECRET trace"}})
        await exchange.end_events()

    for behaviour, stream, status in ((refuses, False, 400), (refuses, True, 400), (fails_in_stream, True, 200)):
        async with scripted_engine(behaviour) as engine:
            objects = [model_deployment("chat"), endpoint_set("chat", engine.address)]
            async with (
                running_gateway(tmp_path / f"{behaviour.__name__}-{stream}", SNAPSHOT, *objects) as running,
                aiohttp.ClientSession() as session,
                session.post(running.url + CHAT, json=ask(stream=stream), headers=KEY.headers) as response,
            ):
                text = await response.text()
                assert response.status == status
                assert "SECRET" not in text
                assert '"error"' in text


async def test_a_request_moves_to_another_replica_when_one_breaks_before_the_first_byte(tmp_path: Path) -> None:
    async def cuts(exchange: Exchange) -> None:
        exchange.cut()

    async with scripted_engine(cuts) as bad, scripted_engine(well) as good:
        objects = [model_deployment("chat"), endpoint_set("chat", bad.address, good.address)]
        async with running_gateway(tmp_path, SNAPSHOT, *objects) as running, aiohttp.ClientSession() as session:
            for _ in range(4):
                async with session.post(running.url + CHAT, json=ask(), headers=KEY.headers) as response:
                    assert response.status == 200, await response.text()
            outcomes = [[one["outcome"] for one in row["attempts"]] for row in running.rows()]
        assert ["broken", "ok"] in outcomes
        assert len(bad.exchanges) <= 2, "a replica that breaks is left alone for a while"


async def test_a_caller_that_leaves_closes_the_engines_request_within_a_second(tmp_path: Path) -> None:
    async def hangs(exchange: Exchange) -> None:
        if exchange.document.get("stream"):
            await exchange.start_events()
            await exchange.event(chunk("chat", "one"))
        await asyncio.Event().wait()

    for stream in (False, True):
        async with scripted_engine(hangs) as engine:
            objects = [model_deployment("chat"), endpoint_set("chat", engine.address)]
            async with running_gateway(tmp_path / str(stream), SNAPSHOT, *objects) as running:
                reader, writer = await asyncio.open_connection("127.0.0.1", running.gateway.port)
                body = orjson.dumps(ask(stream=stream))
                head = f"POST {CHAT} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY.text}\r\n"
                writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
                if stream:
                    await reader.readuntil(b"one")
                await until(lambda: engine.exchanges)
                writer.close()
                async with asyncio.timeout(1):
                    await engine.gone.wait()
                    await until(running.rows)
                (row,) = running.rows()
                assert row["answered"] is stream
                assert row["estimated"] is True
                assert row["input_tokens"] > 0, "the engine had it to read"
                assert row["output_tokens"] == (1 if stream else 0)


async def test_requests_wait_while_no_replica_is_ready_and_go_on_when_one_is(tmp_path: Path) -> None:
    async with (
        scripted_engine(well) as engine,
        running_gateway(tmp_path, SNAPSHOT, model_deployment("chat")) as running,
        aiohttp.ClientSession() as session,
    ):
        running.put(endpoint_set("chat", engine.address, ready=False))
        asking = [asyncio.create_task(_status(session, running.url + CHAT)) for _ in range(5)]
        await until(lambda: sum(one.parked for one in running.gateway.book.revisions()) == 5)
        assert not any(one.done() for one in asking)
        running.put(endpoint_set("chat", engine.address))
        assert await asyncio.gather(*asking) == [200] * 5


async def _status(session: aiohttp.ClientSession, url: str) -> int:
    async with session.post(url, json=ask(), headers=KEY.headers) as response:
        await response.read()
        return response.status


@pytest.mark.parametrize(
    "spec",
    [
        {"lifecycle": {"state": "Stopped"}},
        {"replicas": 0},
        {"autoscaling": {"maxReplicas": 2, "minReplicas": 0, "coldStart": {"queueLimit": 0}}},
        {"autoscaling": {"maxReplicas": 2, "minReplicas": 0, "coldStart": {"holdSeconds": 0}}},
    ],
)
async def test_a_model_that_will_not_come_soon_is_refused_with_retry_after(tmp_path: Path, spec: dict) -> None:
    objects = [model_deployment("chat", **spec), endpoint_set("chat")]
    async with (
        running_gateway(tmp_path, SNAPSHOT, *objects) as running,
        aiohttp.ClientSession() as session,
        session.post(running.url + CHAT, json=ask(), headers=KEY.headers) as response,
    ):
        assert response.status == 503
        assert int(response.headers["retry-after"]) >= 1
        error = (await response.json())["error"]
    assert error["code"] == "model_not_ready"


async def test_a_kept_connection_that_the_engine_closed_costs_no_retry(tmp_path: Path) -> None:
    async def once(exchange: Exchange) -> None:
        await exchange.send_json(completion("chat"))
        kept.append(exchange)

    kept: list[Exchange] = []
    async with scripted_engine(once) as engine:
        objects = [model_deployment("chat"), endpoint_set("chat", engine.address)]
        async with running_gateway(tmp_path, SNAPSHOT, *objects) as running, aiohttp.ClientSession() as session:
            for _ in range(5):
                assert await _status(session, running.url + CHAT) == 200
                kept.pop().cut()
            assert [len(row["attempts"]) for row in running.rows()] == [1] * 5


async def test_a_reader_that_does_not_read_stops_the_engine_instead_of_filling_memory(tmp_path: Path) -> None:
    written = 0

    async def floods(exchange: Exchange) -> None:
        nonlocal written
        await exchange.start_events()
        exchange.writer.transport.set_write_buffer_limits(0)
        while True:
            await exchange.event(chunk("chat", "x" * 50_000))
            written += 1

    async with scripted_engine(floods) as engine:
        objects = [model_deployment("chat"), endpoint_set("chat", engine.address)]
        async with running_gateway(tmp_path, SNAPSHOT, *objects) as running:
            reader, writer = await asyncio.open_connection("127.0.0.1", running.gateway.port, limit=1)
            body = orjson.dumps(ask(stream=True))
            head = f"POST {CHAT} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY.text}\r\n"
            writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
            await until(lambda: written > 10)
            seen = -1
            async with asyncio.timeout(20):
                while seen != written:
                    seen = written
                    await asyncio.sleep(0.3)  # the engine has stood still for so long
            assert written < 1000, "50 MB would be in memory"
            while written == seen:
                assert await reader.read(65536)
            writer.close()


@pytest.mark.parametrize("path", ["/v2/models/chat", "/v2/models/chat/versions/1"])
async def test_a_model_that_speaks_openai_says_so_to_a_caller_of_open_inference(tmp_path: Path, path: str) -> None:
    async with scripted_engine(well) as engine:
        objects = [model_deployment("chat"), endpoint_set("chat", engine.address)]
        async with (
            running_gateway(tmp_path, SNAPSHOT, *objects) as running,
            aiohttp.ClientSession(headers=KEY.headers) as session,
            session.get(running.url + path) as response,
        ):
            assert response.status == 400
            told = (await response.json())["error"]
        assert engine.exchanges == []
    assert "does not speak the Open Inference Protocol (/v2); call it at /v1/chat/completions" in told
