"""`mizzen infer --input name=value`: values from a command line as tensors of the model's signature."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from mizzen_cli.errors import CommandError, ExitCode

Json = dict[str, Any]
ANY_SIZE = -1
_NO_NUMBER = re.compile(r"(?<![\w\"])-?(nan|inf(inity)?)(?![\w\"])", re.IGNORECASE)
DIGITS = 4
"""Significant digits of a number in a table; json and yaml have all."""


def request_body(metadata: Json, given: list[str]) -> Json:
    """The body of an inference request.

    Args:
        metadata: answer of GET /v2/models/<name>: its inputs with datatype and shape.
        given: `name=value`; the value is a JSON value, `@FILE` holding one, or plain text for BYTES.

    Raises:
        CommandError: an unknown, repeated or missing input, or a value that is not what the signature says.
    """
    wanted = {tensor["name"]: tensor for tensor in metadata["inputs"]}
    values: dict[str, str] = {}
    for text in given:
        name, value = _split(text, wanted)
        if name in values:
            raise _wrong(name, "it is given twice; give a list to send several items.")
        values[name] = value
    if missing := [name for name in wanted if name not in values]:
        raise CommandError(f"Missing input {', '.join(missing)}: add --input {missing[0]}=VALUE.", ExitCode.USAGE)
    return {"inputs": [_tensor(wanted[name], value) for name, value in values.items()]}


def data_text(tensor: Json) -> str:
    """An output's values on one line: the items of a batch apart by `; `, numbers rounded."""
    shape, data = tensor["shape"], tensor["data"]
    items = shape[0] if len(shape) > 1 and shape[0] > 0 else 1
    width = max(len(data) // items, 1)
    rows = [data[start : start + width] for start in range(0, len(data), width)]
    return "; ".join(", ".join(_number_text(value) for value in row) for row in rows)


def _number_text(value: Any) -> str:
    return f"{value:.{DIGITS}g}" if isinstance(value, float) else str(value)


def _split(text: str, wanted: dict[str, Json]) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise CommandError(f"--input {text}: write NAME=VALUE.", ExitCode.USAGE)
    if name not in wanted:
        raise _wrong(name, f"the model has no such input; it has {', '.join(wanted)}.")
    return name, value


def _tensor(spec: Json, text: str) -> Json:
    value, shape = _fitted(_value(spec, text), spec["shape"])
    if not _fits(shape, spec["shape"]):
        raise _wrong(spec["name"], f"its shape is {shape}; the model takes {spec['shape']} (-1: any).")
    if not _even(value, shape):
        raise _wrong(spec["name"], "its lists differ in length; make them equally long.")
    for leaf in _leaves(value):
        if not _is_of(spec["datatype"], leaf):
            raise _wrong(spec["name"], f"{leaf!r} is no {spec['datatype']}, which the model takes.")
    return {"name": spec["name"], "datatype": spec["datatype"], "shape": shape, "data": value}


def _value(spec: Json, text: str) -> Any:
    if text.startswith("@"):
        text = _file_text(spec["name"], Path(text[1:]))
    words = spec["datatype"] == "BYTES"
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        if words:
            return text
        raise _wrong(spec["name"], _no_json(text, error)) from None
    # A text that happens to be a number, or an object, is a text.
    return text if words and not isinstance(value, str | list) else value


def _no_json(text: str, error: orjson.JSONDecodeError) -> str:
    """Where the value is broken, and why; a number that JSON cannot write is named."""
    near = text[max(error.pos - 10, 0) : error.pos + 10]
    if found := _NO_NUMBER.search(text):
        return (
            f"{found.group()} at character {found.start() + 1} cannot be written in JSON; replace it by a number, or "
            "send binary tensors from a program (tritonclient)."
        )
    return f"no JSON value such as [[1.0, 2.0]]: {error.msg} at character {error.pos + 1}, near {near!r}."


def _file_text(name: str, file: Path) -> str:
    try:
        return file.read_text("utf-8")
    except OSError as error:
        raise _wrong(name, f"{file}: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise _wrong(name, f"{file}: not UTF-8 text; write a JSON value into it.") from None


def _fitted(value: Any, wanted: list[int]) -> tuple[Any, list[int]]:
    """The value with the axes that a person leaves out: one item is a batch of one, a flat list may be a batch."""
    shape = _shape(value)
    absent = len(wanted) - len(shape)
    if absent == 1 and len(shape) == 1 and wanted[-1] == 1 and shape[0] != 1:
        return [[item] for item in value], [*shape, 1]
    for _ in range(absent):
        value, shape = [value], [1, *shape]
    return value, shape


def _fits(shape: list[int], wanted: list[int]) -> bool:
    return len(shape) == len(wanted) and all(
        limit in (ANY_SIZE, size) for limit, size in zip(wanted, shape, strict=True)
    )


def _shape(value: Any) -> list[int]:
    shape = []
    while isinstance(value, list):
        shape.append(len(value))
        value = value[0] if value else None
    return shape


def _even(value: Any, shape: list[int]) -> bool:
    if not shape:
        return not isinstance(value, list)
    return isinstance(value, list) and len(value) == shape[0] and all(_even(item, shape[1:]) for item in value)


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, list):
        for item in value:
            yield from _leaves(item)
    else:
        yield value


def _is_of(datatype: str, leaf: Any) -> bool:
    if datatype == "BYTES":
        return isinstance(leaf, str)
    if datatype == "BOOL":
        return isinstance(leaf, bool)
    numbers = (int, float) if datatype.startswith(("FP", "BF")) else (int,)
    return isinstance(leaf, numbers) and not isinstance(leaf, bool)


def _wrong(name: str, why: str) -> CommandError:
    return CommandError(f"--input {name}: {why}", ExitCode.USAGE)
