"""What is sent to an engine's port for gRPC, and what comes from there: ModelInferRequest, ModelStreamInferResponse."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from mizzen_gateway.protocols.open_inference.grpc.fields import (
    BYTES,
    as_varint,
    fields,
    message_of,
    of_bytes,
    of_numbers,
    of_text,
)
from mizzen_gateway.protocols.open_inference.grpc.response import of_parameters

METHOD = "/inference.GRPCInferenceService/ModelStreamInfer"
HTTPS_OWN = frozenset({"binary_data", "binary_data_size", "binary_data_output"})
"""Parameters that say where a tensor lies in a request of HTTP."""


@dataclass(frozen=True, slots=True)
class StreamResponse:
    """A ModelStreamInferResponse."""

    failed: str
    """What the engine says is wrong; empty for nothing. Not for callers."""
    response: memoryview
    """ModelInferResponse; empty where there is none."""

    def renamed(self, public: str) -> list[bytes | memoryview]:
        """The response in pieces, with the caller's name of the model. Raises MalformedMessageError."""
        made: list[bytes | memoryview] = [of_text(1, public)] if self.response else []
        for number, kind, value in fields(self.response):
            if kind == BYTES and number != 1:
                held = message_of(value)
                made += (as_varint(number << 3 | BYTES) + as_varint(len(held)), held)
        return made


def read_stream_response(message: bytes) -> StreamResponse:
    """Raises MalformedMessageError."""
    failed, response = "", memoryview(b"")
    for number, _, value in fields(memoryview(message)):
        if number == 1:
            failed = bytes(message_of(value)).decode(errors="replace")
        elif number == 2:
            response = message_of(value)
    return StreamResponse(failed, response)


def stream_message(response: Iterable[bytes | memoryview], failed: str = "") -> bytes:
    """ModelStreamInferResponse of a response's pieces, and of what is wrong."""
    pieces = list(response)
    size = sum(map(len, pieces))
    head = of_text(1, failed) + (as_varint(2 << 3 | BYTES) + as_varint(size) if size else b"")
    return b"".join((head, *pieces))


def infer_request(
    model: str, version: str | None, document: dict[str, Any], binary: memoryview, left_out: Iterable[str]
) -> bytes:
    """ModelInferRequest of what was checked, never the caller's own bytes; without the parameters of `left_out`."""
    pieces: list[bytes | memoryview] = [
        of_text(1, model), of_text(2, version or ""), of_text(3, str(document.get("id", "")))
    ]  # fmt: skip
    parameters = document.get("parameters") or {}
    pieces += _parameters(4, {name: value for name, value in parameters.items() if name not in left_out})
    pieces += [
        of_bytes(5, _tensor(one) + b"".join(_parameters(4, one.get("parameters")))) for one in document["inputs"]
    ]
    pieces += [
        of_bytes(6, of_text(1, one["name"]) + b"".join(_parameters(2, one.get("parameters"))))
        for one in document.get("outputs", ())
    ]
    place = 0
    for one in document["inputs"]:
        size = one["parameters"]["binary_data_size"]
        pieces += (as_varint(7 << 3 | BYTES) + as_varint(size), binary[place : place + size])
        place += size
    return b"".join(pieces)


def _tensor(tensor: dict[str, Any]) -> bytes:
    return of_text(1, tensor["name"]) + of_text(2, tensor["datatype"]) + of_numbers(3, tensor["shape"])


def _parameters(number: int, parameters: dict[str, Any] | None) -> list[bytes]:
    return of_parameters(number, {name: value for name, value in (parameters or {}).items() if name not in HTTPS_OWN})
