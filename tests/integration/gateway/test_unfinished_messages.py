"""Messages of gRPC that begin and do not end: their bytes are counted with bodies of HTTP, and they have a time."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from mizzen_gateway.protocols.open_inference.grpc import service, unfinished
from mizzen_gateway.protocols.open_inference.grpc.received import Received, parsed
from mizzen_gateway.protocols.open_inference.grpc.unfinished import WINDOW
from support.gateway import RunningGateway, make_key, make_snapshot, running_gateway
from support.raw_grpc import RawCaller
from support.until import until
from tritonclient.grpc import service_pb2 as pb

KEY, OTHER = make_key(), make_key()
SERVICE = "/inference.GRPCInferenceService/"
INFER, STREAM = SERVICE + "ModelInfer", SERVICE + "ModelStreamInfer"
MIB = 1 << 20
SMALL = pb.ModelInferRequest(model_name="nobody").SerializeToString()
BOUNDS = {"MIZZEN_MAX_BODY_BYTES": str(4 * MIB), "MIZZEN_RECEIVING_BYTES": str(8 * MIB)}


def metadata(key: Any) -> tuple[str, str]:
    return ("authorization", key.headers["Authorization"])


@asynccontextmanager
async def served(folder: Path, **more: str) -> AsyncIterator[tuple[RunningGateway, AsyncExitStack]]:
    environment = {"MIZZEN_GRPC_PORT": "0", **BOUNDS, **more}
    async with AsyncExitStack() as stack:
        running = await stack.enter_async_context(running_gateway(folder, make_snapshot([KEY, OTHER]), **environment))
        yield running, stack


async def begin(
    running: RunningGateway, stack: AsyncExitStack, key: Any, size: int, *, path: str = STREAM, streams: int = 1
) -> RawCaller:
    """Streams of one connection, the first of which begins a message of that size."""
    caller = RawCaller()
    await caller.connect(running.gateway.grpc_port)
    stack.callback(caller.close)
    for number in range(streams):
        caller.call(2 * number + 1, path, metadata(key))
    sending = asyncio.create_task(caller.send_all_but_one_byte(1, size))
    stack.callback(sending.cancel)
    return caller


async def refused(running: RunningGateway, code: str) -> int:
    """How often callers of gRPC were told that."""
    text = running.gateway.admin.handler._metrics().decode()  # type: ignore[attr-defined]  # what /metrics answers
    lines = [line for line in text.splitlines() if 'route="grpc ModelStreamInfer"' in line and f'code="{code}"' in line]
    return sum(int(float(line.rsplit(" ", 1)[1])) for line in lines if "_refused_total" in line)


async def test_a_message_of_a_stream_that_does_not_end_ends_its_stream_and_an_idle_one_stays(tmp_path: Path) -> None:
    async with served(tmp_path, MIZZEN_BODY_TIMEOUT_SECONDS="0.3") as (running, stack):
        held = running.gateway.server.receiving
        channel = await stack.enter_async_context(grpc.aio.insecure_channel(f"127.0.0.1:{running.gateway.grpc_port}"))
        idle: Any = channel.stream_stream(STREAM)(metadata=(metadata(OTHER),), timeout=60)
        await idle.write(SMALL)
        await idle.read()
        stuck = await begin(running, stack, KEY, 2 * MIB)
        await until(lambda: held.held > MIB, 20)
        await until(lambda: 1 in stuck.ended and held.held == 0, 20)
        assert await refused(running, "request_timeout") == 1
        await idle.write(SMALL)
        assert pb.ModelStreamInferResponse.FromString(await idle.read()).error_message


async def test_bytes_of_messages_are_counted_with_bodies_of_http_in_all_and_of_each_key(tmp_path: Path) -> None:
    async with served(tmp_path) as (running, stack):
        held = running.gateway.server.receiving
        first = await begin(running, stack, KEY, 3 * MIB)
        await until(lambda: held.held > 3 * MIB - WINDOW, 20)
        second = await begin(running, stack, KEY, 3 * MIB)
        await until(lambda: 1 in second.ended, 20)
        assert (first.ended, await refused(running, "overloaded")) == (set(), 1), "the key has its share"
        by_http, to_http = await asyncio.open_connection("127.0.0.1", running.gateway.port)
        stack.callback(to_http.close)
        to_http.write(http_body(KEY, 2 * MIB))
        assert (await by_http.readuntil(b"\r\n\r\n"))[9:12] == b"503", "over HTTP, too"
        unary = await begin(running, stack, OTHER, 3 * MIB, path=INFER)
        await until(lambda: held.held > 6 * MIB - 2 * WINDOW, 20)
        first.close()
        unary.close()
        await until(lambda: held.held == 0, 20)


async def test_of_several_streams_on_a_connection_the_last_one_goes_and_the_connection_counts_once(
    tmp_path: Path,
) -> None:
    async with served(tmp_path, MIZZEN_BODY_TIMEOUT_SECONDS="1.5") as (running, stack):
        held = running.gateway.server.receiving
        caller = await begin(running, stack, KEY, 2 * MIB, streams=3)
        await until(lambda: held.held > MIB, 20)
        assert held.held <= 2 * MIB + WINDOW
        await until(lambda: bool(caller.ended), 30)
        assert caller.ended == {5}


async def test_a_caller_that_takes_nothing_is_hung_up_on_where_its_last_word_does_not_get_through(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "LAST_WORD_SECONDS", 0.2)
    async with served(tmp_path, MIZZEN_BODY_TIMEOUT_SECONDS="0.3") as (running, stack):
        held = running.gateway.server.receiving
        caller = RawCaller()
        await caller.connect(running.gateway.grpc_port, takes=0)
        stack.callback(caller.close)
        caller.call(1, STREAM, metadata(KEY))
        sending = asyncio.create_task(caller.send_all_but_one_byte(1, 2 * MIB, before=[SMALL]))
        stack.callback(sending.cancel)
        await until(lambda: held.held > MIB, 20)
        await until(caller.closed.is_set, 20)
        await until(lambda: held.held == 0, 20)


async def test_large_messages_one_after_the_other_are_never_taken_for_one_that_does_not_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unfinished, "LOOK_SECONDS", 0.002)
    large = pb.ModelInferRequest(model_name="nobody", raw_input_contents=[bytes(MIB)]).SerializeToString()
    async with served(tmp_path) as (running, stack):
        channel = await stack.enter_async_context(grpc.aio.insecure_channel(f"127.0.0.1:{running.gateway.grpc_port}"))
        streams: list[Any] = [channel.stream_stream(STREAM)(metadata=(metadata(KEY),), timeout=60) for _ in range(2)]
        for _ in range(20):
            await asyncio.gather(*(one.write(large) for one in streams))
            assert all([await one.read() for one in streams])
        await until(lambda: running.gateway.server.receiving.held == 0, 20)


def http_body(key: Any, size: int) -> bytes:
    """A request whose body lacks a byte."""
    head = f"POST /v2/models/m/infer HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key.text}\r\n"
    return f"{head}Content-Length: {size + 1}\r\n\r\n".encode() + bytes(size)


def test_what_a_connection_has_received_is_told_over_both_families_and_of_none_that_is_gone() -> None:
    four, six = socket.AF_INET, socket.AF_INET6
    hosts = ((four, "127.0.0.1", "127.0.0.1"), (six, "::1", "::1"), (six, "::", "127.0.0.2"))
    for family, host, target in hosts:
        with socket.create_server((host, 0), family=family, dualstack_ipv6=host == "::") as listener:
            received = Received()
            received.port = listener.getsockname()[1]
            with socket.create_connection((target, received.port)) as caller, listener.accept()[0] as accepted:
                caller.sendall(bytes(12_345))
                accepted.recv(1)
                own, port = caller.getsockname()[:2]
                peer = f"ipv6:%5B{own}%5D:{port}" if ":" in own else f"ipv4:{own}:{port}"
                assert [received.of(peer) for _ in range(2)] == [12_345, 12_345]
            assert received.of(f"ipv4:127.0.0.1:{port}") is None
            received.close()
            assert received.of(peer) is None


def test_peers_that_are_no_addresses_are_nobodys() -> None:
    assert parsed("ipv6:%5Bfe80::1%25eth0%5D:5") == (socket.AF_INET6, "fe80::1", 5)
    assert [parsed(one) for one in ("unix:/tmp/x", "ipv4:x:1", "ipv4:1.2.3.4", "")] == [None] * 4
