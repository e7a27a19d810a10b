"""What does gRPC itself cost? A bare proxy of grpcio with parsed messages, and an engine for it that answers at once.

    python -m grpc_peer engine PORT TENSOR_FILE      python -m grpc_peer proxy PORT ENGINE_PORT

The proxy is as small as grpcio lets one be: its classes of the protocol's messages, one channel, uvloop.
"""

import asyncio
import signal
import sys
from pathlib import Path

import grpc
import uvloop
from tritonclient.grpc import service_pb2 as pb  # type: ignore[import-untyped]  # it brings no types
from tritonclient.grpc import service_pb2_grpc

BYTES = 256
"""Of the tensor in, and of the one out."""
INFER = "/inference.GRPCInferenceService/ModelInfer"


MODEL = f"t{BYTES}"


def infer_request() -> bytes:
    """A ModelInferRequest."""
    made = pb.ModelInferRequest(model_name=MODEL, raw_input_contents=[bytes(BYTES)])
    made.inputs.add(name="x", datatype="UINT8", shape=[BYTES])
    return bytes(made.SerializeToString())


def infer_response(tensor: bytes) -> bytes:
    """What the engine answers."""
    made = pb.ModelInferResponse(model_name=MODEL, model_version="1", raw_output_contents=[tensor])
    made.outputs.add(name="y", datatype="UINT8", shape=[BYTES])
    return bytes(made.SerializeToString())


def is_right(response: bytes, tensor: bytes) -> bool:
    """Whether an answer has the tensor that every way to an engine must give."""
    found = pb.ModelInferResponse.FromString(response)
    described = [(one.name, one.datatype, list(one.shape)) for one in found.outputs]
    return described == [("y", "UINT8", [BYTES])] and list(found.raw_output_contents) == [tensor]


class Engine(grpc.GenericRpcHandler):
    """One answer, made beforehand; nothing is read."""

    def __init__(self, tensor: bytes) -> None:
        answer = infer_response(tensor)

        async def infer(_message: bytes, _context: object) -> bytes:
            return answer

        self._method: grpc.RpcMethodHandler[bytes, bytes] = grpc.unary_unary_rpc_method_handler(infer)

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> "grpc.RpcMethodHandler[bytes, bytes] | None":
        """For grpc."""
        return self._method if handler_call_details.method == INFER else None


class Proxy(service_pb2_grpc.GRPCInferenceServiceServicer):  # type: ignore[misc]  # generated, without types
    """Asks and passes on."""

    def __init__(self, stub: service_pb2_grpc.GRPCInferenceServiceStub) -> None:
        self._stub = stub

    async def ModelInfer(self, request: pb.ModelInferRequest, _context: object) -> pb.ModelInferResponse:  # noqa: N802  # as the protocol calls it
        """One call."""
        return await self._stub.ModelInfer(request)


async def serve(role: str, port: int, behind: str, tensor: bytes) -> None:
    """Until SIGTERM."""
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    if role == "engine":
        server = grpc.aio.server(handlers=(Engine(tensor),))
    else:
        server = grpc.aio.server()
        stub = service_pb2_grpc.GRPCInferenceServiceStub(grpc.aio.insecure_channel(f"127.0.0.1:{behind}"))
        service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(Proxy(stub), server)
    server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    await stopped.wait()
    await server.stop(0)


if __name__ == "__main__":
    role, port, behind = sys.argv[1:]
    uvloop.run(serve(role, int(port), behind, Path(behind).read_bytes() if role == "engine" else b""))
