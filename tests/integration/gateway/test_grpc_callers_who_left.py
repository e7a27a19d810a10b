"""What a caller over gRPC sent is gone as soon as its call has ended: nothing of it waits for the garbage collector."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any

import grpc
import orjson
from grpc._cython import cygrpc
from mizzen_gateway.engine.grpc_lines import GrpcExchange
from mizzen_gateway.protocols.open_inference.call import InferCall
from mizzen_gateway.protocols.open_inference.grpc.call import GrpcAnswer
from mizzen_gateway.protocols.open_inference.grpc.held import HeldResponder
from mizzen_gateway.protocols.open_inference.grpc.intake import Awaited
from mizzen_gateway.protocols.open_inference.grpc.outbox import Outbox
from mizzen_gateway.protocols.open_inference.grpc.stream_call import SeveralAnswer
from mizzen_gateway.protocols.open_inference.grpc.turns import Turns
from mizzen_gateway.protocols.open_inference.grpc.unfinished import Reader
from mizzen_gateway.under_way import Run
from mizzen_gateway.wire.request import Request
from support.gateway import endpoint_set, make_key, make_snapshot, model_deployment, running_gateway
from support.scripted_engine import Exchange, scripted_engine
from support.streaming_engine import Context, response, streaming_engine
from support.tensor_engine import tensor_engine
from support.until import until
from support.what_is_left import left, without_collector
from tritonclient.grpc import service_pb2 as pb

KEY = make_key()
METADATA = (("authorization", KEY.headers["Authorization"]),)
SERVICE = "/inference.GRPCInferenceService/"
OF_CALLS = (
    Awaited, GrpcAnswer, GrpcExchange, HeldResponder, InferCall, Outbox, Reader, Request, Run, SeveralAnswer, Turns,
)  # fmt: skip
LIBRARYS = (cygrpc._ServicerContext, cygrpc._MessageReceiver)  # which hold ours
tells = tensor_engine("inner")


async def behaves(exchange: Exchange) -> None:
    """Answers some; the others hear nothing."""
    if exchange.path.endswith("/infer"):
        length = int(exchange.headers["inference-header-content-length"])
        if orjson.loads(exchange.body[:length]).get("id") != "answered":
            await asyncio.Event().wait()
    await tells(exchange)


async def several(request: Any, context: Context) -> None:
    """One answer, and more that do not come."""
    await context.write(response(1, id=request.id))
    await asyncio.Event().wait()


def message(name: str = "", model: str = "m", **parameters: int) -> bytes:
    made = pb.ModelInferRequest(model_name=model, id=name, raw_input_contents=[b"\x00" * 32])
    made.inputs.add(name="x", datatype="FP32", shape=[4, 2])
    for parameter, value in parameters.items():
        made.parameters[parameter].int64_param = value
    raw: bytes = made.SerializeToString()
    return raw


async def never() -> AsyncIterator[bytes]:
    """A message that does not come."""
    await asyncio.Event().wait()
    yield b""


class Caller:
    """One connection, and how far its calls have got."""

    def __init__(self, channel: grpc.aio.Channel, reached: Callable[[int], Awaitable[None]]) -> None:
        self.channel = channel
        self.reached = reached

    def infer(self, raw: bytes, seconds: float | None = None, metadata: Any = METADATA) -> Any:
        return self.channel.unary_unary(SERVICE + "ModelInfer")(raw, metadata=metadata, timeout=seconds)

    async def stream(self, *messages: bytes) -> Any:
        call = self.channel.stream_stream(SERVICE + "ModelStreamInfer")(metadata=METADATA)
        for one in messages:
            await call.write(one)
        return call


async def leaves_an_engine(caller: Caller) -> None:
    call = caller.infer(message())
    await caller.reached(1)
    call.cancel()


async def hangs_up(caller: Caller) -> None:
    call = caller.infer(message())
    await caller.reached(1)
    await caller.channel.close()
    del call


async def waits_no_longer(caller: Caller) -> None:
    with suppress(grpc.aio.AioRpcError):
        await caller.infer(message(), seconds=0.2)


async def is_answered(caller: Caller) -> None:
    assert await caller.infer(message("answered"))


async def is_refused(caller: Caller) -> None:
    with suppress(grpc.aio.AioRpcError):
        await caller.infer(message(model="nobody"))


async def has_no_key(caller: Caller) -> None:
    with suppress(grpc.aio.AioRpcError):
        await caller.infer(message(), metadata=())


async def is_parked(caller: Caller) -> None:
    with suppress(grpc.aio.AioRpcError):
        await caller.infer(message(model="parked"), seconds=0.2)


async def sends_nothing(caller: Caller) -> None:
    call = caller.channel.stream_unary(SERVICE + "ModelInfer")(never(), metadata=METADATA, timeout=0.2)
    with suppress(grpc.aio.AioRpcError):
        await call


async def opens_a_stream(caller: Caller) -> None:
    call = await caller.stream(message(model="nobody"))
    await call.read()
    call.cancel()


async def leaves_a_stream(caller: Caller) -> None:
    call = await caller.stream(message("answered"), message(), message(), message())
    assert await call.read()
    await caller.reached(4)
    call.cancel()


async def leaves_a_full_stream(caller: Caller) -> None:
    call = await caller.stream(*[message()] * 12)
    await caller.reached(8)
    call.cancel()


async def leaves_a_sequence(caller: Caller) -> None:
    call = await caller.stream(*[message(sequence_id=7)] * 3)
    await caller.reached(1)
    call.cancel()


async def hangs_up_on_a_stream(caller: Caller) -> None:
    call = await caller.stream(message())
    await caller.reached(1)
    await caller.channel.close()
    del call


async def ends_a_stream(caller: Caller) -> None:
    call = await caller.stream(message("answered"), message("answered"))
    await call.done_writing()
    while await call.read() is not grpc.aio.EOF:
        pass


async def leaves_several_answers(caller: Caller) -> None:
    call = await caller.stream(message(model="several"), message(model="several"))
    assert await call.read()
    assert await call.read()
    call.cancel()


LEAVING = (
    leaves_an_engine, hangs_up, waits_no_longer, is_answered, is_refused, has_no_key, is_parked, sends_nothing,
    opens_a_stream, leaves_a_stream, leaves_a_full_stream, leaves_a_sequence, hangs_up_on_a_stream, ends_a_stream,
    leaves_several_answers,
)  # fmt: skip


async def test_nothing_is_left_of_calls_that_have_ended(tmp_path: Path) -> None:
    found: dict[str, dict[str, int]] = {}
    async with AsyncExitStack() as stack:
        engine = await stack.enter_async_context(scripted_engine(behaves))
        streaming = await stack.enter_async_context(streaming_engine(several))
        tensors = {"protocol": "OpenInference", "engine": "Triton", "model_name": "inner"}
        more = endpoint_set("several", streaming.address, **tensors)
        more["spec"]["endpoints"][0].setdefault("grpcPort", streaming.grpc_port)
        objects = [
            *map(model_deployment, ("m", "several", "parked")),
            endpoint_set("m", engine.address, **tensors),
            more,
            endpoint_set("parked", **tensors),
        ]

        def asked() -> int:
            return sum(one.path.endswith("/infer") for one in engine.exchanges)

        running = await stack.enter_async_context(
            running_gateway(tmp_path, make_snapshot([KEY]), *objects, MIZZEN_GRPC_PORT="0")
        )
        stack.enter_context(without_collector())
        for leaving in LEAVING:
            before = asked()

            async def reached(count: int, before: int = before) -> None:
                await until(lambda: asked() >= before + count, 20)

            async with grpc.aio.insecure_channel(f"127.0.0.1:{running.gateway.grpc_port}") as channel:
                await leaving(Caller(channel, reached))
            # An engine in this process that is asked over gRPC has calls of the library's own.
            kinds = OF_CALLS if leaving is leaves_several_answers else (*OF_CALLS, *LIBRARYS)

            def nothing_is_left(kinds: tuple[type, ...] = kinds) -> bool:
                return not left(*kinds)

            with suppress(TimeoutError):
                await until(nothing_is_left, seconds=5, every=0.05)
            found[leaving.__name__] = left(*kinds)
    assert found == {leaving.__name__: {} for leaving in LEAVING}
