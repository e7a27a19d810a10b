"""`mizzen infer --input name=value`: values from a command line as tensors of the model's signature."""

from pathlib import Path
from typing import Any

import orjson

from mizzen_cli.errors import CommandError, ExitCode

Json = dict[str, Any]


def request_body(metadata: Json, given: list[str]) -> Json:
    """The body of an inference request.

    Args:
        metadata: answer of GET /v2/models/<name>: its inputs with datatype and shape.
        given: `name=value`; the value is a JSON value, `@FILE` holding one, or plain text for BYTES.

    Raises:
        CommandError: an unknown or missing input, or a value that is not what the signature says.
    """
    wanted = {tensor["name"]: tensor for tensor in metadata["inputs"]}
    values = dict(_split(text, wanted) for text in given)
    if missing := [name for name in wanted if name not in values]:
        raise CommandError(f"Missing input {', '.join(missing)}: add --input {missing[0]}=VALUE.", ExitCode.USAGE)
    return {"inputs": [_tensor(wanted[name], value) for name, value in values.items()]}


def _split(text: str, wanted: dict[str, Json]) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise CommandError(f"--input {text}: write NAME=VALUE.", ExitCode.USAGE)
    if name not in wanted:
        raise CommandError(f"--input {name}: the model has no such input; it has {', '.join(wanted)}.", ExitCode.USAGE)
    return name, value


def _tensor(spec: Json, text: str) -> Json:
    value = _value(spec, text)
    rank = len(spec["shape"])
    shape = _shape(value)
    # A person who gives one item means a batch of one.
    while len(shape) < rank:
        value, shape = [value], [1, *shape]
    if any(limit not in (-1, size) for limit, size in zip(spec["shape"], shape, strict=False)) or len(shape) != rank:
        raise CommandError(
            f"--input {spec['name']}: its shape is {shape}; the model takes {spec['shape']} (-1: any).", ExitCode.USAGE
        )
    return {"name": spec["name"], "datatype": spec["datatype"], "shape": shape, "data": value}


def _value(spec: Json, text: str) -> Any:
    if text.startswith("@"):
        try:
            text = Path(text[1:]).read_text("utf-8")
        except OSError as error:
            raise CommandError(f"--input {spec['name']}: {text[1:]}: {error.strerror}.", ExitCode.USAGE) from None
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        if spec["datatype"] == "BYTES":
            return text
        raise CommandError(
            f"--input {spec['name']}: {text!r} is no JSON value such as [[1.0, 2.0]].", ExitCode.USAGE
        ) from None


def _shape(value: Any) -> list[int]:
    shape = []
    while isinstance(value, list):
        shape.append(len(value))
        value = value[0] if value else None
    return shape
