"""A form whose file comes before its model is held: how much of them in all, and for how long?"""

import asyncio
import gc
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest
from aiohttp import web
from mizzen_gateway.pipeline import Pipeline
from mizzen_gateway.protocols.openai import held_file
from mizzen_gateway.protocols.openai.held_file import HeldFiles
from support.gateway import Key, RunningGateway, endpoint_set, make_key, make_snapshot, running_gateway
from support.simulated_behind import caller
from support.until import until

MIB = 1 << 20
KEYS = [make_key() for _ in range(3)]
FILE = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.mp3"\r\n\r\n'
FIELD = b'\r\n--b\r\nContent-Disposition: form-data; name="%b"\r\n\r\n%b'
PATH = "/v1/audio/transcriptions"


def held_files(running: RunningGateway) -> HeldFiles:
    handler = running.gateway.server.handler
    assert isinstance(handler, Pipeline)
    return handler.held_files


def held_on_disk() -> int:
    """Files of this process that have no name."""
    found = 0
    for link in Path("/proc/self/fd").iterdir():
        try:
            found += "(deleted)" in str(link.readlink())
        except OSError:
            continue
    return found


def upload(key: Key, body: bytes, missing: int = 0) -> bytes:
    head = (
        f"POST {PATH} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key.text}\r\n"
        f"Content-Type: multipart/form-data; boundary=b\r\nContent-Length: {len(body) + missing}\r\n\r\n"
    )
    return head.encode() + body


async def answer_of(reader: asyncio.StreamReader) -> tuple[int, dict[str, Any]]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    length = int(head.partition("content-length: ")[2].partition("\r\n")[0])
    return int(head.split()[1]), orjson.loads(await reader.readexactly(length))["error"]


def route(name: str, **rule: Any) -> dict[str, Any]:
    return {
        "kind": "ModelRoute",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"rules": [{"name": "all", "backends": [{"deployment": "m"}], **rule}]},
        "status": {"project": "default"},
    }


async def test_held_files_are_bounded_over_all_forms_and_for_each_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(held_file, "HELD_BYTES", 4 * MIB)
    async with running_gateway(tmp_path, make_snapshot(KEYS)) as running:
        files, before = held_files(running), held_on_disk()
        writers: list[asyncio.StreamWriter] = []

        async def begins(key: Key) -> asyncio.StreamReader:
            reader, writer = await asyncio.open_connection("127.0.0.1", running.gateway.port)
            writer.write(upload(key, FILE + b"s" * (3 * MIB // 2), missing=MIB))
            writers.append(writer)
            return reader

        def more_than(count: int) -> bool:
            return files.held > count

        most = 0
        for key, holds in ((KEYS[0], 1), (KEYS[0], 0), (KEYS[1], 1), (KEYS[2], 0)):
            most += holds * 5 * MIB // 4
            reader = await begins(key)
            if holds:
                await until(partial(more_than, most))
                continue
            status, error = await answer_of(reader)
            assert (status, error["code"], error["param"]) == (503, "overloaded", "file")
            assert "send `model` before `file`" in error["message"]
        assert held_on_disk() == before + 2
        # Whoever leaves makes room.
        writers[0].transport.abort()
        await until(lambda: files.held < 2 * MIB)
        await begins(KEYS[2])
        await until(lambda: files.held > 5 * MIB // 2)
        for writer in writers:
            writer.transport.abort()
        await until(lambda: files.held == 0)
        assert held_on_disk() == before


hanging: list[web.Request] = []
"""Requests that an engine works at."""


async def engine(request: web.Request) -> web.Response:
    """Does what the field `language` says."""
    form = await request.post()
    if form["language"] == "hangs":
        hanging.append(request)
        await asyncio.Event().wait()
    if form["language"] == "fails":
        assert request.transport is not None
        request.transport.abort()
    return web.json_response({"text": "hello"})


async def test_a_held_file_is_closed_when_its_request_ends_however_it_does(tmp_path: Path) -> None:
    """At once, and not when the garbage collector comes by."""
    application = web.Application(client_max_size=4 * MIB)
    application.router.add_post(PATH, engine)
    async with caller(tmp_path, application) as asks:
        files, port = held_files(asks.running), asks.running.gateway.port

        async def ends(language: str, model: str = "m", field: str = "prompt") -> int:
            form = aiohttp.FormData()
            form.add_field("file", b"s" * MIB, filename="a.mp3")
            for name, value in (("language", language), (field, "x"), ("model", model)):
                form.add_field(name, value)
            return (await asks.send(PATH, form))[0]

        async def leaves(missing: int) -> None:
            whole = FILE + b"s" * MIB + FIELD % (b"language", b"hangs") + FIELD % (b"model", b"m") + b"\r\n--b--\r\n"
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(upload(asks.key, whole[: len(whole) - missing], missing))
            await until(lambda: files.held and (missing or hanging))
            writer.transport.abort()

        before = held_on_disk()
        gc.collect()
        gc.disable()
        try:
            assert [await ends("well"), files.held, held_on_disk()] == [200, 0, before]
            assert [await ends("well", "nobody"), files.held, held_on_disk()] == [404, 0, before]
            assert [await ends("well", field="unknown"), files.held, held_on_disk()] == [400, 0, before]
            for missing in (0, 1000):
                await leaves(missing)
                await until(lambda: (files.held, held_on_disk()) == (0, before), seconds=5)
            assert [await ends("fails"), files.held, held_on_disk()] == [502, 0, before]
        finally:
            gc.enable()


@pytest.mark.parametrize(
    "rule", [{"mirrors": [{"deployment": "m"}]}, {"hedge": {"after": "Delay", "delayMilliseconds": 10}}]
)
@pytest.mark.parametrize("model_first", [True, False])
async def test_a_sound_goes_whole_to_one_engine_whatever_its_route_says(
    tmp_path: Path, rule: dict[str, Any], model_first: bool
) -> None:
    got: list[bytes] = []

    async def hears(request: web.Request) -> web.Response:
        got.append(await request.read())
        await asyncio.sleep(0.1)  # longer than a hedge waits
        return web.json_response({"text": "hello"})

    sound = bytes(range(256)) * 4096
    application = web.Application(client_max_size=4 * MIB)
    application.router.add_post(PATH, hears)
    async with caller(tmp_path, application) as asks:
        [first] = asks.running.gateway.table.target(("default", "m")).endpoints()
        twice = endpoint_set("m", first.address, ("localhost", first.facts.port), model_name="inner")
        twice["spec"]["endpoints"][1]["pod"] = "m-2"
        asks.running.put(twice, route("heard", **rule))
        form = aiohttp.FormData()
        if model_first:
            form.add_field("model", "heard")
        form.add_field("file", sound, filename="a.mp3")
        if not model_first:
            form.add_field("model", "heard")
        assert (await asks.send(PATH, form))[0] == 200
    [body] = got
    assert sound in body
