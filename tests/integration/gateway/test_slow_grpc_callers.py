"""Callers of gRPC that are slow, stuck or have no key: what they hold is bounded, and others are served."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import grpc
import pytest
from mizzen_gateway.protocols.open_inference.grpc import intake
from support.free_ports import free_port
from support.gateway import (
    RunningGateway,
    endpoint_set,
    gateway_process,
    make_key,
    make_snapshot,
    model_deployment,
    running_gateway,
)
from support.raw_grpc import RawCaller
from support.scripted_engine import scripted_engine
from support.tensor_engine import tensor_engine
from support.until import until
from tritonclient.grpc import service_pb2 as pb

KEY, OTHER = make_key(), make_key()
SERVICE = "/inference.GRPCInferenceService/"
INFER, STREAM = SERVICE + "ModelInfer", SERVICE + "ModelStreamInfer"
METHODS = ("ModelInfer", "ModelReady", "ModelMetadata", "ServerMetadata", "ModelStreamInfer", "RepositoryIndex")
MIB = 1 << 20
UNREAD = 128 * 1024
"""More than the window of a stream, less than any message here."""


def metadata(key: Any) -> tuple[tuple[str, str], ...]:
    return (("authorization", key.headers["Authorization"]),)


@asynccontextmanager
async def served(folder: Path, **environment: str) -> AsyncIterator[tuple[RunningGateway, int]]:
    async with scripted_engine(tensor_engine("inner")) as engine:
        endpoints = endpoint_set("m", engine.address, protocol="OpenInference", engine="Triton", model_name="inner")
        snapshot = make_snapshot([KEY, OTHER])
        async with running_gateway(
            folder, snapshot, model_deployment("m"), endpoints, MIZZEN_GRPC_PORT="0", **environment
        ) as running:
            yield running, running.gateway.grpc_port


async def infer(port: int, key: Any) -> None:
    """A good call."""
    made = pb.ModelInferRequest(model_name="m", raw_input_contents=[b"\x00" * 8])
    made.inputs.add(name="x", datatype="FP32", shape=[1, 2])
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        await channel.unary_unary(INFER)(made.SerializeToString(), metadata=metadata(key), timeout=20)


async def never() -> AsyncIterator[bytes]:
    """A message that does not come."""
    await asyncio.Event().wait()
    yield b""


@pytest.mark.parametrize("method", METHODS)
async def test_without_a_key_no_message_is_waited_for(tmp_path: Path, method: str) -> None:
    async with served(tmp_path) as (_, port), grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        ways = channel.stream_stream if method == "ModelStreamInfer" else channel.stream_unary
        called = ways(SERVICE + method)(never(), timeout=20)
        answer = called.read() if method == "ModelStreamInfer" else called
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await answer
        assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED


async def test_without_a_key_no_more_than_a_window_is_taken(tmp_path: Path) -> None:
    paths = [INFER, SERVICE + "ServerLive", "/grpc.health.v1.Health/Check", STREAM] * 4
    async with served(tmp_path) as (_, port), AsyncExitStack() as stack:
        caller = RawCaller()
        await caller.connect(port)
        stack.callback(caller.close)
        for number, path in enumerate(paths):
            caller.call(2 * number + 1, path)
        sending = asyncio.gather(*(caller.send_all_but_one_byte(one, 8 * MIB) for one in caller.sent))
        async with asyncio.timeout(30):
            await until(lambda: len(caller.ended) == len(paths), 30)
            await sending
        print(f"bytes taken of calls without a key: {sorted(caller.sent.values())}")
        assert max(caller.sent.values()) <= UNREAD


async def test_a_message_that_does_not_come_ends_its_call(tmp_path: Path) -> None:
    quick = {"MIZZEN_BODY_TIMEOUT_SECONDS": "0.2", "MIZZEN_MAX_BODY_BYTES": "100000"}
    async with served(tmp_path, **quick) as (running, port), AsyncExitStack() as stack:
        caller = RawCaller()
        await caller.connect(port)
        stack.callback(caller.close)
        caller.call(1, INFER, *metadata(KEY))
        await caller.send_all_but_one_byte(1, 50_000)
        await until(lambda: 1 in caller.ended, 20)
        channel = await stack.enter_async_context(grpc.aio.insecure_channel(f"127.0.0.1:{port}"))
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await channel.stream_unary(INFER)(never(), metadata=metadata(KEY), timeout=20)
        assert dict(refused.value.trailing_metadata() or ())["x-error-code"] == "request_timeout"
        await infer(port, KEY)
        assert len(running.rows()) == 1


async def test_the_slow_messages_of_one_key_are_few_at_once_and_leave_room_for_others(tmp_path: Path) -> None:
    environment = {"MIZZEN_MAX_BODY_BYTES": str(MIB), "MIZZEN_RECEIVING_BYTES": "1"}
    share = int(intake.FEWEST * intake.SHARE)
    async with served(tmp_path, **environment) as (_, port), AsyncExitStack() as stack:
        caller = RawCaller()
        await caller.connect(port)
        stack.callback(caller.close)
        for number in range(10):
            caller.call(2 * number + 1, INFER, *metadata(KEY))
        sending = asyncio.gather(*(caller.send_all_but_one_byte(one, MIB - 1) for one in caller.sent))
        stack.callback(sending.cancel)
        await until(lambda: sum(sent >= MIB for sent in caller.sent.values()) == share, 30)
        await infer(port, OTHER)
        assert sorted(caller.sent.values())[-share - 1] <= UNREAD


async def test_a_key_may_open_so_many_streams_and_closed_ones_make_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "STREAMS_OF_KEY", 2)
    async with served(tmp_path) as (_, port), grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        streams = channel.stream_stream(STREAM)
        held = [await answered(streams, KEY) for _ in range(2)]
        with pytest.raises(grpc.aio.AioRpcError, match="of one key"):
            await answered(streams, KEY)
        await answered(streams, OTHER)
        for one in held:
            one.cancel()
        async with asyncio.timeout(20):
            while not await has_room(streams, KEY):
                pass


async def answered(streams: Any, key: Any) -> Any:
    """A stream that stays open behind its first answer."""
    stream = streams(metadata=metadata(key), timeout=60)
    await stream.write(pb.ModelInferRequest(model_name="nobody").SerializeToString())
    assert pb.ModelStreamInferResponse.FromString(await stream.read()).error_message
    return stream


async def has_room(streams: Any, key: Any) -> bool:
    """For one more."""
    try:
        (await answered(streams, key)).cancel()
    except grpc.aio.AioRpcError:
        return False
    return True


async def test_connections_that_say_nothing_leave_open_files_for_http_and_go_after_a_while(tmp_path: Path) -> None:
    """The process may open so few files that connections to the port of gRPC alone would take them all."""
    grpc_port = free_port()
    with gateway_process(
        tmp_path, make_snapshot([KEY]), open_files=200, MIZZEN_GRPC_PORT=str(grpc_port), MIZZEN_KEEP_ALIVE_SECONDS="1"
    ) as url:
        async with AsyncExitStack() as stack:
            callers = [RawCaller() for _ in range(250)]
            for caller in callers:
                await caller.connect(grpc_port)
                stack.callback(caller.close)
            session = await stack.enter_async_context(aiohttp.ClientSession(headers={"Connection": "close"}))
            for _ in range(20):
                async with session.get(url + "/v2/health/ready") as answer:
                    assert answer.status == 200
            await until(lambda: all(caller.closed.is_set() for caller in callers), 30)
            channel = await stack.enter_async_context(grpc.aio.insecure_channel(f"127.0.0.1:{grpc_port}"))
            await channel.unary_unary(SERVICE + "ServerLive")(b"", timeout=20)
