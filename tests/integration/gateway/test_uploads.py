"""Sound goes through as it comes, pictures come back as they are made; neither is kept whole."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from mizzen_engines.simulated.settings import Settings
from support.access_snapshots import a_budget, a_price
from support.simulated_behind import FAST, caller
from support.until import until

PATH = "/v1/audio/transcriptions"
SOUND = bytes(range(256)) * 4000
PRICED = {"budgets": [a_budget(10**15, scope_id="prj_default")], "prices": [a_price(pico_per_request=1)]}


def form(*fields: tuple[str, str], sound: Any = SOUND, after: tuple[tuple[str, str], ...] = ()) -> aiohttp.FormData:
    made = aiohttp.FormData()
    for name, value in fields:
        made.add_field(name, value)
    made.add_field("file", sound, filename="a.wav", content_type="audio/wav")
    for name, value in after:
        made.add_field(name, value)
    return made


MODEL = ("model", "m")


def error_of(text: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(text)["error"]
    return found


async def test_a_sound_becomes_a_text_and_is_metered(tmp_path: Path) -> None:
    async with caller(tmp_path) as asks:
        status, text, _ = await asks.send(PATH, form(MODEL, ("language", "en"), after=(("temperature", "0"),)))
        assert status == 200, text
        answer = json.loads(text)
        assert answer["text"].startswith("This is a simulated answer")
        assert answer["usage"]["seconds"] == -(-len(SOUND) // 16_000)
        status, plain, headers = await asks.send(PATH, form(MODEL, ("response_format", "text")))
        assert (status, plain) == (200, answer["text"])
        assert headers["content-type"].startswith("text/plain")
        rows = asks.running.rows()
    assert [(row["operation"], row["status"], row["estimated"]) for row in rows] == [
        ("audio.transcriptions", 200, True)
    ] * 2


@pytest.mark.parametrize("size", [1000, 1_000_000])
async def test_a_file_may_come_before_its_model_and_other_fields(tmp_path: Path, size: int) -> None:
    """As in the examples of OpenAI for `curl`. It is kept in memory, or on disk."""
    sound = SOUND[:size]
    async with caller(tmp_path) as asks:
        _, usual, _ = await asks.send(PATH, form(MODEL, ("language", "en"), sound=sound))
        status, text, _ = await asks.send(PATH, form(after=(("language", "en"), MODEL), sound=sound))
        _, streamed, headers = await asks.send(PATH, form(after=(MODEL, ("stream", "true")), sound=sound))
    assert status == 200, text
    assert json.loads(text) == json.loads(usual)
    assert json.loads(text)["usage"]["seconds"] == -(-size // 16_000)
    assert headers["content-type"].startswith("text/event-stream"), streamed


@pytest.mark.parametrize("wanted", [True, False])
async def test_a_text_is_streamed_with_usage_for_those_who_ask(tmp_path: Path, wanted: bool) -> None:
    more = (("stream_include_usage", "true"),) if wanted else ()
    async with caller(tmp_path) as asks:
        status, text, headers = await asks.send(PATH, form(MODEL, ("stream", "true"), *more))
        (row,) = asks.running.rows()
    assert status == 200, text
    assert headers["content-type"].startswith("text/event-stream")
    events = [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: {")]
    assert {one["model"] for one in events} == {"m"}
    assert any("usage" in one for one in events) is wanted
    assert (row["output_tokens"], row["estimated"]) == (12, False)


@pytest.mark.parametrize(
    ("made", "status", "param"),
    [
        (lambda: form(after=(MODEL, MODEL)), 400, "model"),
        (lambda: form(), 400, "model"),
        (lambda: form(("model", "nobody")), 404, "model"),
        (lambda: form(MODEL, MODEL), 400, "model"),
        (lambda: form(MODEL, ("vllm_xargs", "{}")), 400, "vllm_xargs"),
        (lambda: form(MODEL, ("use_beam_search", "true")), 400, "use_beam_search"),
        (lambda: form(MODEL, ("stream", "yes")), 400, "stream"),
        (lambda: form(MODEL, ("response_format", "exe")), 400, "response_format"),
        (lambda: form(MODEL, ("prompt", "x" * 70_000)), 400, "prompt"),
        (lambda: aiohttp.FormData({"model": "m", "language": "en"}), 415, None),
    ],
)
async def test_what_is_wrong_with_a_form_is_told_before_anything_is_reserved(
    tmp_path: Path, made: Any, status: int, param: str | None
) -> None:
    async with caller(tmp_path) as asks:
        found, text, _ = await asks.send(PATH, made())
        assert (found, error_of(text)["param"]) == (status, param), text
        assert asks.running.rows() == []
        # The connection is fit for another request.
        assert (await asks.send(PATH, form(MODEL)))[0] == 200


@pytest.mark.parametrize("field", [MODEL, ("stream", "true"), ("vllm_xargs", "{}"), ("language", "x" * 70_000)])
async def test_what_is_wrong_after_the_file_ends_the_request_at_the_engine_too(
    tmp_path: Path, field: tuple[str, str]
) -> None:
    async with caller(tmp_path) as asks:
        status, text, _ = await asks.send(PATH, form(MODEL, after=(field,)))
        assert (status, error_of(text)["param"]) == (400, field[0]), text
        (row,) = asks.running.rows()
        assert (row["status"], row.get("output_tokens", 0)) == (400, 0)
        assert (await asks.send(PATH, form(MODEL)))[0] == 200


async def test_a_hard_budget_takes_no_sound_and_no_picture(tmp_path: Path) -> None:
    async with caller(tmp_path, snapshot=PRICED) as asks:
        status, text, _ = await asks.send(PATH, form(MODEL))
        assert (status, error_of(text)["code"]) == (400, "unbounded_input"), text
        refused, answer = await asks.post("/v1/images/generations", prompt="a dot")
        assert (refused, answer["error"]["code"]) == (400, "unbounded_input")


async def test_pictures_come_back(tmp_path: Path) -> None:
    async with caller(tmp_path) as asks:
        status, answer = await asks.post("/v1/images/generations", prompt="a dot", n=2)
        assert status == 200, answer
        assert [base64.b64decode(one["b64_json"])[:4] for one in answer["data"]] == [b"\x89PNG"] * 2
        refused, no = await asks.post("/v1/images/generations", prompt="a dot", response_format="url")
        assert (refused, no["error"]["param"]) == (400, "response_format")
        assert [row["operation"] for row in asks.running.rows()] == ["images.generations"]


async def test_an_engine_without_the_endpoint_is_a_404_before_the_file_is_sent(tmp_path: Path) -> None:
    async with caller(tmp_path, Settings(lacks=PATH)) as asks:
        status, text, _ = await asks.send(PATH, form(MODEL))
        assert (status, error_of(text)["code"]) == (404, "endpoint_not_available")
        assert asks.running.rows() == []


async def pieces(count: int, sent: list[int]) -> AsyncIterator[bytes]:
    for _ in range(count):
        sent.append(65_536)
        yield b"x" * 65_536


async def test_a_file_is_never_kept_whole_while_the_engine_does_not_read(tmp_path: Path) -> None:
    go, sent = asyncio.Event(), []

    async def slow(request: web.Request) -> web.Response:
        await go.wait()
        size = 0
        async for chunk in request.content.iter_any():
            size += len(chunk)
        return web.json_response({"text": str(size)})

    app = web.Application(client_max_size=1 << 30)
    app.router.add_post(PATH, slow)
    async with caller(tmp_path, app, MIZZEN_MAX_BODY_BYTES=str(1 << 30)) as asks:
        asking = asyncio.create_task(asks.send(PATH, form(MODEL, sound=pieces(1000, sent))))
        await until(lambda: sum(sent) > 1 << 20)
        before = -1
        while before != sum(sent):  # until nothing more is taken: nobody signals that
            before = sum(sent)
            await asyncio.sleep(0.3)
        go.set()
        status, text, _ = await asking
        # What the sockets and the program hold together; the file has 64 MB.
        assert before < 24 << 20
        assert status == 200, text
        assert int(json.loads(text)["text"]) > 1000 * 65_536


async def test_an_engine_that_refuses_early_is_heard(tmp_path: Path) -> None:
    async def early(request: web.Request) -> web.Response:
        await request.content.readany()
        return web.json_response({"error": {"message": "SECRET"}}, status=400)

    app = web.Application()
    app.router.add_post(PATH, early)
    async with caller(tmp_path, app) as asks:
        status, text, _ = await asks.send(PATH, form(MODEL, sound=b"x" * (1 << 22)))
    assert status == 400, text
    assert "SECRET" not in text


async def test_an_upload_goes_out_on_a_connection_of_its_own(tmp_path: Path) -> None:
    """A kept one may be closed at any moment, and a file cannot be sent twice."""
    ports: list[int] = []

    async def hears(request: web.Request) -> web.Response:
        assert request.transport is not None
        ports.append(request.transport.get_extra_info("peername")[1])
        await request.read()
        return web.json_response({"text": "", "usage": {"prompt_tokens": 1}, "data": []})

    app = web.Application(client_max_size=1 << 30)
    app.router.add_post(PATH, hears)
    app.router.add_post("/v1/embeddings", hears)
    async with caller(tmp_path, app) as asks:
        assert (await asks.post("/v1/embeddings", input="a"))[0] == 200
        assert (await asks.post("/v1/embeddings", input="a"))[0] == 200
        assert (await asks.send(PATH, form(MODEL)))[0] == 200
    assert ports[0] == ports[1]
    assert ports[2] != ports[0]


async def test_a_caller_that_stops_in_the_middle_is_told_and_its_engine_let_go(tmp_path: Path) -> None:
    left = asyncio.Event()

    async def waits(request: web.Request) -> web.Response:
        try:
            await request.read()
        finally:
            left.set()
        return web.json_response({"text": ""})

    app = web.Application()
    app.router.add_post(PATH, waits)
    async with caller(tmp_path, app, MIZZEN_BODY_TIMEOUT_SECONDS="1") as asks:
        reader, writer = await asyncio.open_connection("127.0.0.1", asks.running.gateway.port)
        head = b'--b\r\nContent-Disposition: form-data; name="%b"%b\r\n\r\n'
        body = head % (b"model", b"") + b"m\r\n" + head % (b"file", b'; filename="a"') + b"x" * 1000
        authorization = asks.key.headers["Authorization"].encode()
        writer.write(
            b"POST %b HTTP/1.1\r\nHost: a\r\nAuthorization: %b\r\nContent-Length: 100000\r\n"
            b"Content-Type: multipart/form-data; boundary=b\r\n\r\n" % (PATH.encode(), authorization) + body
        )
        answer = await asyncio.wait_for(reader.read(), 10)
        writer.close()
        assert b" 408 " in answer.split(b"\r\n")[0], answer
        await asyncio.wait_for(left.wait(), 5)


async def test_requests_after_an_upload_on_one_connection_are_answered_in_order(tmp_path: Path) -> None:
    async with caller(tmp_path, FAST) as asks:
        reader, writer = await asyncio.open_connection("127.0.0.1", asks.running.gateway.port)
        head = b'--b\r\nContent-Disposition: form-data; name="%b"%b\r\n\r\n'
        body = head % (b"model", b"") + b"m\r\n" + head % (b"file", b'; filename="a"') + b"x" * 1000 + b"\r\n--b--\r\n"
        key = asks.key.headers["Authorization"].encode()
        upload = (
            b"POST %b HTTP/1.1\r\nHost: a\r\nAuthorization: %b\r\nContent-Length: %d\r\nExpect: 100-continue\r\n"
            b"Content-Type: multipart/form-data; boundary=b\r\n\r\n" % (PATH.encode(), key, len(body)) + body
        )
        models = b"GET /v1/models HTTP/1.1\r\nHost: a\r\nAuthorization: %b\r\n" % key
        writer.write(upload + models + b"\r\n" + upload + models + b"Connection: close\r\n\r\n")
        answer = await asyncio.wait_for(reader.read(), 10)
        writer.close()
    places = [answer.find(b"This is a simulated"), answer.find(b'"object":"list"')]
    places += [answer.find(b"This is a simulated", places[1]), answer.find(b'"object":"list"', places[1] + 1)]
    assert places == sorted(places)
    assert -1 not in places
    assert answer.count(b" 200 OK\r\n") == 4
