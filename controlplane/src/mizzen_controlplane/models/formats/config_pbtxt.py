"""Triton's config.pbtxt: protobuf text, read as nested dicts whose values are lists."""

import re
from typing import Any

_TOKEN = re.compile(r'\s*(?:#[^\n]*\s*)*("(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)*\'|[A-Za-z0-9_.+\-/]+|[{}\[\]<>:,;])')
_CLOSING = {"{": "}", "<": ">"}
_MAX_DEPTH = 32

Message = dict[str, list[Any]]


def parse(text: str) -> Message:
    """Fields by name, each with all its values; raises ValueError where the text is not protobuf text."""
    tokens = _tokens(text)
    message, rest = _fields(tokens, 0, None, 0)
    if rest != len(tokens):
        raise ValueError(f"{tokens[rest]!r} is out of place")
    return message


def _tokens(text: str) -> list[str]:
    tokens, position = [], 0
    while match := _TOKEN.match(text, position):
        tokens.append(match.group(1))
        position = match.end()
    if re.sub(r"#[^\n]*", "", text[position:]).strip():
        raise ValueError(f"cannot be read at {text[position : position + 30].strip()!r}")
    return tokens


def _fields(tokens: list[str], at: int, closing: str | None, depth: int) -> tuple[Message, int]:
    if depth > _MAX_DEPTH:
        raise ValueError(f"is nested deeper than {_MAX_DEPTH}")
    message: Message = {}
    while at < len(tokens) and tokens[at] != closing:
        name = tokens[at]
        if not name[0].isalpha():
            raise ValueError(f"{name!r} stands where a field's name should")
        at += 1
        if at < len(tokens) and tokens[at] == ":":
            at += 1
        values, at = _values(tokens, at, depth)
        message.setdefault(name, []).extend(values)
        if at < len(tokens) and tokens[at] in ",;":
            at += 1
    if closing is not None and at >= len(tokens):
        raise ValueError(f"ends before {closing!r}")
    return message, at


def _values(tokens: list[str], at: int, depth: int) -> tuple[list[Any], int]:
    if at >= len(tokens):
        raise ValueError("ends where a value should stand")
    if tokens[at] != "[":
        value, at = _value(tokens, at, depth)
        return [value], at
    values, at = [], at + 1
    while at < len(tokens) and tokens[at] != "]":
        value, at = _value(tokens, at, depth)
        values.append(value)
        if at < len(tokens) and tokens[at] == ",":
            at += 1
    if at >= len(tokens):
        raise ValueError("ends before ']'")
    return values, at + 1


def _value(tokens: list[str], at: int, depth: int) -> tuple[Any, int]:
    word = tokens[at]
    if word in _CLOSING:
        inner, at = _fields(tokens, at + 1, _CLOSING[word], depth + 1)
        return inner, at + 1
    if word[0] in "}>]:,;":
        raise ValueError(f"{word!r} stands where a value should")
    return (word[1:-1] if word[0] in "\"'" else word), at + 1
