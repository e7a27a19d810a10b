"""What fuzzing calls for messages of gRPC and bodies with parts; see `fuzz_targets`."""

import asyncio
from collections.abc import Iterator

import orjson
from google.protobuf.message import DecodeError
from mizzen_gateway.protocols.open_inference.call import STRIPPED
from mizzen_gateway.protocols.open_inference.grpc.call import parse
from mizzen_gateway.protocols.open_inference.grpc.engine_messages import infer_request
from mizzen_gateway.protocols.open_inference.grpc.stream_call import StreamedCall
from mizzen_gateway.protocols.openai.multipart import MultipartReader, Part, head_of
from mizzen_gateway.stages import Refusal
from mizzen_gateway.wire.request import BadRequestError
from support.fuzz_corpus import pieces
from tritonclient.grpc import service_pb2 as pb

_LOOP = asyncio.new_event_loop()


def grpc_messages(data: bytes) -> None:
    """Each message is a call or refused with a sentence; a call asks for the model that protobuf reads.

    What an engine that speaks gRPC would be asked is a message, of the same tensors.
    """
    call = parse(data, StreamedCall)
    if isinstance(call, Refusal):
        assert 400 <= call.status < 500, call
        orjson.dumps(call.message)
        return
    assert call.model
    orjson.dumps(call.request_id)
    passed_on = infer_request("inner", call.version, call._document, memoryview(call._body), STRIPPED)
    asked = pb.ModelInferRequest.FromString(passed_on)
    assert (asked.model_name, asked.id) == ("inner", call.request_id)
    assert [one.name for one in asked.inputs] == [one["name"] for one in call._document["inputs"]]
    assert b"".join(asked.raw_input_contents) == call._body
    try:
        read = pb.ModelInferRequest.FromString(data)
    except DecodeError:
        return
    assert (read.model_name, read.model_version) == (call.model, call.version or "")


def forms(data: bytes) -> None:
    """However a body is cut, it has the same parts; what goes on of a part's head is that of one part."""
    cut = pieces(data)
    whole, parts = _LOOP.run_until_complete(_parts([b"".join(cut)])), _LOOP.run_until_complete(_parts(cut))
    assert whole == parts
    for part, _ in whole or ():
        assert head_of("b", part).count(b"\r\n") == (3 if part.filename is None else 4)


async def _parts(cut: list[bytes]) -> list[tuple[Part, bytes]] | None:
    """None where it is refused."""
    rest = [piece for piece in cut if piece]

    async def read() -> bytes:
        return rest.pop(0) if rest else b""

    reader, found = MultipartReader(b"b", read), list[tuple[Part, bytes]]()
    try:
        while (part := await reader.next_part()) is not None:
            found.append((part, b"".join([piece async for piece in reader.data()])))
    except BadRequestError:
        return None
    return found


def message_seeds() -> Iterator[bytes]:
    """Good ones."""
    message = pb.ModelInferRequest(model_name="m", model_version="1", id="a", raw_input_contents=[b"\x00" * 8])
    message.inputs.add(name="x", datatype="FP32", shape=[1, 2])
    message.outputs.add(name="y").parameters["classification"].int64_param = 2
    message.parameters["priority"].uint64_param = 1
    yield message.SerializeToString()
    other = pb.ModelInferRequest(model_name="m")
    for datatype, contents in (
        ("INT8", {"int_contents": [-1, 2]}),
        ("BOOL", {"bool_contents": [True, False]}),
        ("BYTES", {"bytes_contents": [b"a", b"bc"]}),
        ("FP64", {"fp64_contents": [1.5, 2.5]}),
    ):
        other.inputs.add(name=datatype, datatype=datatype, shape=[2]).contents.MergeFrom(
            pb.InferTensorContents(**contents)  # type: ignore[arg-type]  # one kind of contents for each
        )
    yield other.SerializeToString()


def form_seeds() -> Iterator[bytes]:
    """Good ones."""
    field = b'--b\r\nContent-Disposition: form-data; name="model"\r\n\r\nm\r\n'
    file = (
        b'--b\r\nContent-Disposition: form-data; name="file"; filename="a\\"b"\r\nContent-Type: audio/wav\r\n\r\n\r\n'
    )
    yield b"\x03" + field + file + b"--b--\r\nrest"
    yield b"\x00" + field + field + b"--b--"
