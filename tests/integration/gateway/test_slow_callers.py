"""Callers that are slow, stuck or half open: what they hold is bounded, and others are served."""

import asyncio
import ssl
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp
import orjson
import pytest
import trustme
from mizzen_gateway.wire import server as server_module
from support.gateway import (
    Key,
    endpoint_set,
    gateway_process,
    make_key,
    make_snapshot,
    model_deployment,
    running_gateway,
)
from support.scripted_engine import Exchange, completion, scripted_engine
from support.tls_pair import write_pair
from support.until import until

KEY = make_key()
SNAPSHOT = make_snapshot([KEY])
CHAT = "/v1/chat/completions"
STUCK_READER_BYTES = 256 * 1024
STUCK = 3
HALF_OPEN = 500


def request(text: str, **more: object) -> bytes:
    """A chat request as bytes."""
    body = orjson.dumps({"model": "chat", "messages": [{"role": "user", "content": text}], **more})
    head = f"POST {CHAT} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY.text}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


async def floods(exchange: Exchange) -> None:
    """As fast as it can, in large pieces."""
    await exchange.start_events()
    while True:
        data = b'data: {"id":"c","object":"chat.completion.chunk","choices":[]}\n\n' * 8000
        exchange.writer.write(b"%x\r\n%b\r\n" % (len(data), data))
        await exchange.writer.drain()


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
async def test_a_stuck_reader_holds_no_more_than_its_share(tmp_path: Path, tls: bool) -> None:
    authority, pair = trustme.CA(), tmp_path / "tls"
    write_pair(authority, pair)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    spoken = {"MIZZEN_TLS_DIR": str(pair)} if tls else {}
    async with scripted_engine(floods) as engine, AsyncExitStack() as stack:
        objects = [model_deployment("chat"), endpoint_set("chat", engine.address)]
        running = await stack.enter_async_context(running_gateway(tmp_path, SNAPSHOT, *objects, **spoken))
        server, port = running.gateway.server, running.gateway.port
        for _ in range(STUCK):
            _, writer = await asyncio.open_connection("127.0.0.1", port, limit=1, ssl=trusting if tls else None)
            stack.callback(writer.close)
            writer.write(request("flood", stream=True))
        await until(lambda: sum(one.stuck for one in server.connections) == STUCK, 20)
        held = [connection.held_bytes for connection in server.connections]
        print(f"held by stuck readers: {sorted(held)}")
        assert max(held) <= STUCK_READER_BYTES


async def well(exchange: Exchange) -> None:
    """A whole answer."""
    await exchange.send_json(completion("chat"))


async def half_open(port: int, number: int) -> asyncio.StreamWriter:
    """A connection that never becomes a request: nothing, half a header, half a body, or half of a second request."""
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    whole = request(f"half {number}")
    ways = (b"", b"POST /v1/cha", whole[: whole.index(b"\r\n\r\n")], whole[:-5], whole + whole[:9])
    writer.write(ways[number % len(ways)])
    return writer


async def test_many_half_open_connections_leave_others_alone_and_each_has_a_deadline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_module, "SWEEP_SECONDS", 0.05)
    async with scripted_engine(well) as engine, AsyncExitStack() as stack:
        objects = [model_deployment("chat"), endpoint_set("chat", engine.address)]
        long = {f"MIZZEN_{name}_SECONDS": "600" for name in ("HEADER_TIMEOUT", "BODY_TIMEOUT", "KEEP_ALIVE")}
        running = await stack.enter_async_context(running_gateway(tmp_path, SNAPSHOT, *objects, **long))
        server = running.gateway.server
        writers = await asyncio.gather(*(half_open(running.gateway.port, number) for number in range(HALF_OPEN)))
        for writer in writers:
            stack.callback(writer.close)
        await until(lambda: server.connection_count == HALF_OPEN, 20)
        session = await stack.enter_async_context(aiohttp.ClientSession(headers=KEY.headers))
        body = {"model": "chat", "messages": [{"role": "user", "content": "healthy"}]}
        for _ in range(50):
            async with session.post(running.url + CHAT, json=body) as answer:
                assert answer.status == 200
        await until(lambda: all(connection.idle for connection in server.connections), 20)
        assert all(connection.deadline < asyncio.get_running_loop().time() + 601 for connection in server.connections)
        for connection in server.connections:
            connection.deadline = 0.0  # ten minutes later
        await until(lambda: server.connection_count == 0, 20)
        assert server.evicted == 0


async def test_many_connections_at_once_leave_room_for_the_next(tmp_path: Path) -> None:
    """The process may open so few files that half-open connections alone would take them all."""
    async with scripted_engine(well) as engine, AsyncExitStack() as stack:
        objects = [model_deployment("chat"), endpoint_set("chat", engine.address)]
        url = stack.enter_context(
            gateway_process(tmp_path, SNAPSHOT, *objects, open_files=200, MIZZEN_HEADER_TIMEOUT_SECONDS="60")
        )
        port = int(url.rpartition(":")[2])
        session = await stack.enter_async_context(aiohttp.ClientSession(headers=KEY.headers | {"Connection": "close"}))
        body = {"model": "chat", "messages": [{"role": "user", "content": "healthy"}]}
        for start in range(0, 300, 100):
            for number in range(start, start + 100):
                stack.callback((await half_open(port, number)).close)
            async with session.post(url + CHAT, json=body) as answer:
                assert answer.status == 200


BODY = 1 << 20


async def part_of_a_body(
    port: int, key: Key, size: int, of: int = 2 * BODY
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A request whose body does not come whole."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = f"POST {CHAT} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key.text}\r\nContent-Length: {of}\r\n\r\n"
    writer.write(head.encode() + bytes(size))
    await writer.drain()
    return reader, writer


async def test_bodies_on_their_way_are_bounded_in_all_and_of_each_key(tmp_path: Path) -> None:
    other, third = make_key(), make_key()
    keys = make_snapshot([KEY, other, third])
    bounds = {"MIZZEN_MAX_BODY_BYTES": str(2 * BODY), "MIZZEN_RECEIVING_BYTES": str(4 * BODY)}
    async with scripted_engine(well) as engine, AsyncExitStack() as stack:
        objects = [model_deployment("chat"), endpoint_set("chat", engine.address)]
        running = await stack.enter_async_context(running_gateway(tmp_path, keys, *objects, **bounds))
        server, port = running.gateway.server, running.gateway.port

        async def send(key: Key, size: int) -> asyncio.StreamReader:
            reader, writer = await part_of_a_body(port, key, size)
            stack.callback(writer.close)
            return reader

        await send(KEY, 2 * BODY - 1)
        await until(lambda: server.receiving.held > BODY, 20)
        refused = await (await send(KEY, BODY)).readuntil(b"\r\n\r\n")
        assert (refused[9:12], b"retry-after: 1" in refused) == (b"503", True), "the key has its share"
        await send(other, 2 * BODY - 1)
        await until(lambda: server.receiving.held > 3 * BODY, 20)
        refused = await (await send(third, BODY)).readuntil(b"\r\n\r\n")
        assert refused[9:12] == b"503", "all of it is taken"
        session = await stack.enter_async_context(aiohttp.ClientSession(headers=third.headers))
        body = {"model": "chat", "messages": [{"role": "user", "content": "small"}]}
        async with session.post(running.url + CHAT, json=body) as answer:
            assert answer.status == 200, "what comes in one piece is always taken"
        for connection in list(server.connections):
            connection.abort()
        await until(lambda: server.receiving.held == 0, 20)
        body["messages"][0]["content"] = "x" * BODY
        async with session.post(running.url + CHAT, json=body) as answer:
            assert answer.status == 200
        assert server.receiving.held == 0


async def test_a_body_that_stops_has_no_more_time_for_what_came_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_module, "SWEEP_SECONDS", 0.05)
    async with AsyncExitStack() as stack:
        running = await stack.enter_async_context(running_gateway(tmp_path, SNAPSHOT, MIZZEN_BODY_TIMEOUT_SECONDS="1"))
        reader, writer = await part_of_a_body(running.gateway.port, KEY, 20 * BODY, 21 * BODY)
        stack.callback(writer.close)
        async with asyncio.timeout(20):  # 320 s at 64 KiB a second
            assert (await reader.readuntil(b"\r\n\r\n"))[9:12] == b"408"
        assert running.gateway.server.receiving.held == 0
