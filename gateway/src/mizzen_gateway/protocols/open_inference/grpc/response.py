"""What HTTP's /v2 answers, as messages of gRPC."""

import struct
from typing import Any

import orjson

from mizzen_gateway.protocols.open_inference.grpc.fields import (
    begin_of_bytes,
    of_bytes,
    of_double,
    of_number,
    of_numbers,
    of_text,
)
from mizzen_gateway.protocols.open_inference.grpc.request import FORMATS

FLOATS = {"FP32": "f", "FP64": "d", "FP16": "e"}
FINAL = "triton_final_response"
SIZE = "binary_data_size"
TRUE = b"\x08\x01"
SIGNED_END = 1 << 63
"""From there on a number is one of uint64."""


class UnfitResponseError(Exception):
    """The engine's response is not what the protocol says."""


def infer_response(header: bytes, binary: memoryview, public: str, *, final: bool = False) -> bytes:
    """ModelInferResponse. `final` marks the last response of a stream's request. Raises UnfitResponseError."""
    try:
        document = orjson.loads(header)
        parameters = dict(document.get("parameters") or {})
        if final:
            parameters[FINAL] = True
        tensors: list[bytes] = []
        raw: list[bytes | memoryview] = []
        offset = 0
        for output in document["outputs"]:
            size = (output.get("parameters") or {}).get(SIZE)
            data: bytes | memoryview
            if size is None:
                data = encoded(output["data"], output["datatype"])
            else:
                data = binary[offset : offset + size]
                offset += size
            tensors.append(of_bytes(5, _tensor(output)))
            raw += (begin_of_bytes(6, len(data)), data)
        head = of_text(1, public) + of_text(2, str(document.get("model_version", "")))
        head += of_text(3, str(document.get("id", ""))) + b"".join(_parameters(4, parameters))
        return b"".join([head, *tensors, *raw])
    except (KeyError, TypeError, AttributeError, ValueError, struct.error) as error:
        raise UnfitResponseError from error


def _tensor(output: dict[str, Any]) -> bytes:
    made = of_text(1, output["name"]) + of_text(2, output["datatype"]) + of_numbers(3, output["shape"])
    parameters = output.get("parameters")
    if not parameters:
        return made
    return made + b"".join(_parameters(4, {name: parameters[name] for name in parameters if name != SIZE}))


def _parameters(number: int, parameters: dict[str, Any]) -> list[bytes]:
    return [of_bytes(number, of_text(1, name) + of_bytes(2, _parameter(value))) for name, value in parameters.items()]


def _parameter(value: Any) -> bytes:
    if isinstance(value, bool):
        return TRUE if value else b"\x08\x00"
    if isinstance(value, int):
        return of_number(2 if value < SIGNED_END else 5, value) or b"\x10\x00"
    if isinstance(value, float):
        return of_double(4, value)
    return of_bytes(3, str(value).encode())


def encoded(data: list[Any], datatype: str) -> bytes:
    """Elements in JSON as the bytes of a tensor."""
    if datatype == "BYTES":
        texts = [one.encode() for one in data]
        return b"".join([struct.pack("<I", len(one)) + one for one in texts])
    return struct.pack(f"<{len(data)}{FORMATS.get(datatype) or FLOATS[datatype]}", *data)


def stream_response(response: bytes) -> bytes:
    """ModelStreamInferResponse with a response."""
    return of_bytes(2, response)


def stream_error(message: str, request_id: str) -> bytes:
    """ModelStreamInferResponse with what is wrong with a request, and with which one; the stream goes on."""
    return of_text(1, message) + of_bytes(2, of_text(3, request_id))


def truth(value: bool) -> bytes:
    """ServerLiveResponse and its like."""
    return TRUE if value else b""


def model_metadata(document: dict[str, Any]) -> bytes:
    """ModelMetadataResponse."""
    made = [of_text(1, document.get("name", ""))]
    made += [of_text(2, str(one)) for one in document.get("versions", ())]
    made.append(of_text(3, document.get("platform", "")))
    for number, described in ((4, document.get("inputs", ())), (5, document.get("outputs", ()))):
        made += [
            of_bytes(number, of_text(1, one["name"]) + of_text(2, one["datatype"]) + of_numbers(3, one["shape"]))
            for one in described
        ]
    return b"".join(made)


def server_metadata(document: dict[str, Any]) -> bytes:
    """ServerMetadataResponse."""
    made = [of_text(1, document["name"]), of_text(2, document["version"])]
    return b"".join([*made, *(of_text(3, one) for one in document["extensions"])])


def of_parameters(number: int, parameters: dict[str, Any]) -> list[bytes]:
    """A map of InferParameter."""
    return _parameters(number, parameters)
