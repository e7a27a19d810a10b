"""ModelInferRequest becomes the request that HTTP would have made: a document, and binary tensors behind it."""

import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from mizzen_gateway.protocols.open_inference.grpc.fields import (
    FIXED64,
    MalformedMessageError,
    Value,
    fields,
    message_of,
    number_of,
    numbers,
    signed,
    text,
)

MOST_TENSORS = 1024
FORMATS = {
    "BOOL": "?", "UINT8": "B", "INT8": "b", "UINT16": "H", "INT16": "h", "UINT32": "I", "INT32": "i", "UINT64": "Q",
    "INT64": "q",
}  # fmt: skip
NUMBERS = frozenset({1, 2, 3, 4, 5})
"""Fields of InferTensorContents that hold whole numbers."""
FLOATS = frozenset({6, 7})
"""Those that hold others."""


@dataclass(slots=True)
class InferMessage:
    """What a ModelInferRequest says."""

    model: str = ""
    version: str = ""
    document: dict[str, Any] = field(default_factory=dict)
    """As the HTTP request has it."""
    binary: bytes = b""
    """What follows it."""


def read_infer(message: memoryview) -> InferMessage:
    """Raises MalformedMessageError."""
    found = InferMessage()
    parameters: dict[str, Any] = {}
    inputs: list[dict[str, Any]] = []
    contents: list[bytes | None] = []
    outputs: list[dict[str, Any]] = []
    raw: list[memoryview] = []
    for number, _, value in fields(message):
        if number == 1:
            found.model = text(value)
        elif number == 2:
            found.version = text(value)
        elif number == 3:
            found.document["id"] = text(value)
        elif number == 4:
            _add_parameter(parameters, message_of(value))
        elif number == 5:
            tensor, held = _input(message_of(value))
            inputs.append(tensor)
            contents.append(held)
        elif number == 6:
            outputs.append(_output(message_of(value)))
        elif number == 7:
            raw.append(message_of(value))
        if len(inputs) > MOST_TENSORS or len(outputs) > MOST_TENSORS or len(raw) > MOST_TENSORS:
            raise MalformedMessageError(f"more than {MOST_TENSORS} tensors")
    found.binary = _attach(inputs, contents, raw)
    found.document["inputs"] = inputs
    if outputs:
        found.document["outputs"] = outputs
    else:
        parameters["binary_data_output"] = True
    if parameters:
        found.document["parameters"] = parameters
    return found


def read_name(message: memoryview) -> tuple[str, str]:
    """Name and version of ModelReadyRequest and ModelMetadataRequest."""
    name = version = ""
    for number, _, value in fields(message):
        if number == 1:
            name = text(value)
        elif number == 2:
            version = text(value)
    return name, version


def _attach(inputs: list[dict[str, Any]], contents: list[bytes | None], raw: list[memoryview]) -> bytes:
    """Say of each input how many bytes are its own; contents and raw contents exclude each other."""
    if raw:
        if len(raw) != len(inputs) or any(held is not None for held in contents):
            raise MalformedMessageError("raw_input_contents must hold one entry for each input, and contents none")
        held: list[bytes | memoryview] = list(raw)
    else:
        held = [b"" if one is None else one for one in contents]
    for tensor, data in zip(inputs, held, strict=True):
        tensor.setdefault("parameters", {})["binary_data_size"] = len(data)
    return b"".join(held)


def _input(message: memoryview) -> tuple[dict[str, Any], bytes | None]:
    tensor: dict[str, Any] = {"name": "", "datatype": "", "shape": []}
    contents: memoryview | None = None
    for number, kind, value in fields(message):
        if number == 1:
            tensor["name"] = text(value)
        elif number == 2:
            tensor["datatype"] = text(value)
        elif number == 3:
            tensor["shape"] += map(signed, numbers(kind, value))
        elif number == 4:
            _add_parameter(tensor.setdefault("parameters", {}), message_of(value))
        elif number == 5:
            contents = message_of(value)
    return tensor, None if contents is None else _packed(contents, tensor["datatype"])


def _output(message: memoryview) -> dict[str, Any]:
    tensor: dict[str, Any] = {"name": "", "parameters": {}}
    for number, _, value in fields(message):
        if number == 1:
            tensor["name"] = text(value)
        elif number == 2:
            _add_parameter(tensor["parameters"], message_of(value))
    tensor["parameters"]["binary_data"] = True
    return tensor


def _packed(contents: memoryview, datatype: str) -> bytes:
    """InferTensorContents as the bytes that raw contents would be."""
    made = bytearray()
    for number, kind, value in fields(contents):
        if number in NUMBERS:
            made += _whole_numbers(datatype, [signed(one) for one in numbers(kind, value)])
        elif number == 8:
            held = message_of(value)
            made += struct.pack("<I", len(held)) + held
        elif number in FLOATS:
            made += _floats(value)
    return bytes(made)


def _whole_numbers(datatype: str, values: list[int]) -> bytes:
    code = FORMATS.get(datatype)
    if code is None:
        raise MalformedMessageError(f"whole numbers in a tensor of {datatype}")
    if code == "Q":
        values = [one & 0xFFFF_FFFF_FFFF_FFFF for one in values]
    try:
        return struct.pack(f"<{len(values)}{code}", *values)
    except struct.error as error:
        raise MalformedMessageError(f"a number outside of {datatype}") from error


def _floats(value: Value) -> memoryview | bytes:
    """They lie in a message as they do in a tensor, packed or each by itself."""
    if isinstance(value, int):
        raise MalformedMessageError("a whole number among floats")
    return value


def _double(kind: int, value: Value) -> float:
    if kind != FIXED64:
        raise MalformedMessageError("no double")
    (found,) = struct.unpack("<d", _floats(value))
    return float(found)


PARAMETERS: dict[int, Callable[[int, Value], Any]] = {
    1: lambda _, value: bool(number_of(value)),
    2: lambda _, value: signed(number_of(value)),
    3: lambda _, value: text(value),
    4: _double,
    5: lambda _, value: number_of(value),
}


def _add_parameter(parameters: dict[str, Any], entry: memoryview) -> None:
    name, held = "", None
    for number, _, value in fields(entry):
        if number == 1:
            name = text(value)
        elif number == 2:
            for choice, inner_kind, inner in fields(message_of(value)):
                read = PARAMETERS.get(choice)
                if read is not None:
                    held = read(inner_kind, inner)
    if held is not None:
        parameters[name] = held
