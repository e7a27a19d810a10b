"""An engine that speaks both ports of Triton and does over gRPC what a test says; its model is decoupled.

It follows what Triton publishes of ModelStreamInfer, for what no real Triton does on command: to fail at a given
message, to write until nobody reads, to be gone.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
import trustme
from support.scripted_engine import Exchange, scripted_engine
from support.tensor_engine import CONFIG, tensor_engine
from tritonclient.grpc import service_pb2 as pb

METHOD = "/inference.GRPCInferenceService/ModelStreamInfer"
Context = Any
Streams = Callable[[Any, Context], Awaitable[None]]
"""What is done with a ModelInferRequest; the context writes."""


@dataclass
class StreamingEngine:
    """One that listens."""

    address: tuple[str, int]
    grpc_port: int
    server: grpc.aio.Server
    asked: int = 0
    """Calls that have come."""
    metadata: dict[str, str] = field(default_factory=dict)
    """Of the last one."""
    ended: int = 0
    """Of those, the ones that are over, however they ended."""


def response(number: int, size: int = 1, **fields: Any) -> bytes:
    """A ModelStreamInferResponse that holds a number."""
    made = pb.ModelInferResponse(model_name="inner", model_version="1", **fields)
    made.parameters["triton_final_response"].bool_param = False
    made.outputs.add(name="y", datatype="INT32", shape=[size])
    made.raw_output_contents.append(number.to_bytes(4, "little") * size)
    raw: bytes = pb.ModelStreamInferResponse(infer_response=made).SerializeToString()
    return raw


def number_of(answer: Any) -> int:
    """The number that it holds."""
    return int.from_bytes(answer.infer_response.raw_output_contents[0][:4], "little")


async def decoupled(exchange: Exchange) -> None:
    """What the port of HTTP answers."""
    if exchange.path.endswith("/config"):
        await exchange.send_json({**CONFIG, "model_transaction_policy": {"decoupled": True}})
    else:
        await tensor_engine("inner")(exchange)


@asynccontextmanager
async def streaming_engine(
    streams: Streams, tells: Any = decoupled, certificate: trustme.LeafCert | None = None
) -> AsyncIterator[StreamingEngine]:
    """Start one; with a certificate its port for gRPC speaks TLS."""
    server = grpc.aio.server()
    async with scripted_engine(tells) as http:
        engine = StreamingEngine(http.address, 0, server)

        async def stream(messages: AsyncIterator[bytes], context: Context) -> None:
            engine.asked += 1
            engine.metadata = dict(context.invocation_metadata())
            try:
                async for message in messages:
                    await streams(pb.ModelInferRequest.FromString(message), context)
            finally:
                engine.ended += 1

        method = grpc.stream_stream_rpc_method_handler(stream)
        name = METHOD.rpartition("/")
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(name[0].strip("/"), {name[2]: method}),))
        if certificate is None:
            engine.grpc_port = server.add_insecure_port("127.0.0.1:0")
        else:
            pair = (certificate.private_key_pem.bytes(), certificate.cert_chain_pems[0].bytes())
            engine.grpc_port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([pair]))
        await server.start()
        try:
            yield engine
        finally:
            await server.stop(0)
