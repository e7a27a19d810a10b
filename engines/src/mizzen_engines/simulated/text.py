"""What does a simulated engine say? Words drawn from the seed and the prompt; one piece of text is one token."""

import base64
import hashlib
import math
import random
import re
import struct
from collections.abc import Iterator
from typing import Any

WORDS = [
    "harbour",
    "wind",
    "sail",
    "rope",
    "deck",
    "mast",
    "anchor",
    "tide",
    "current",
    "chart",
    "compass",
    "lantern",
    "crew",
    "watch",
    "signal",
    "cargo",
    "voyage",
    "north",
    "south",
    "east",
    "west",
    "calm",
    "storm",
    "wave",
    "shore",
    "island",
    "bay",
    "reef",
    "light",
    "bell",
    "knot",
    "hull",
    "keel",
    "rudder",
    "captain",
    "sailor",
]
PREFACE = ["This", " is", " a", " simulated", " answer", ":"]
_TOKEN = re.compile(r"[぀-ヿ㐀-鿿가-힯]|[^\W぀-ヿ㐀-鿿가-힯]+|[^\w\s]")


def count_tokens(text: str) -> int:
    """Tokens of a text: a word, a Chinese, Japanese or Korean sign, or a mark is one."""
    return sum(1 for _ in _TOKEN.finditer(text))


def drawn_from(*parts: object) -> random.Random:
    """A generator that depends on the parts alone, on every machine."""
    digest = hashlib.sha256("\x1f".join(str(part) for part in parts).encode()).digest()
    return random.Random(digest)  # noqa: S311  # repeatable on purpose; no secret comes from it


def answer_length(source: random.Random) -> int:
    """Tokens that an answer has when nobody limits it."""
    return source.randint(24, 96)


def pieces(source: random.Random) -> Iterator[str]:
    """Endless pieces of text, one a token."""
    yield from PREFACE
    while True:
        yield " " + source.choice(WORDS)


def embedding(seed: int, text: str, size: int) -> list[float]:
    """A unit vector that depends on seed and text alone."""
    source = drawn_from(seed, "embedding", text)
    raw = [source.gauss(0.0, 1.0) for _ in range(size)]
    norm = math.sqrt(sum(value * value for value in raw)) or 1.0
    return [value / norm for value in raw]


def as_base64(vector: list[float]) -> str:
    """Little-endian 32-bit floats, as `encoding_format: base64` wants them."""
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()


def text_of(content: Any) -> str:
    """The text of a message's content, which is a string, a list of parts, or null."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return " ".join(
            part["text"] for part in content if isinstance(part, dict) and isinstance(part.get("text"), str)
        )
    return ""


def tool_arguments(source: random.Random, schema: dict[str, Any]) -> dict[str, Any]:
    """Arguments that fit the types of a tool's JSON schema."""
    properties = schema.get("properties")
    if not isinstance(properties, dict):
        return {}
    return {name: _value(source, part) for name, part in properties.items() if isinstance(part, dict)}


def _value(source: random.Random, schema: dict[str, Any]) -> Any:
    choices = schema.get("enum")
    if isinstance(choices, list) and choices:
        return source.choice(choices)
    kind = schema.get("type")
    if kind == "integer":
        return source.randint(0, 100)
    if kind == "number":
        return round(source.uniform(0, 100), 2)
    if kind == "boolean":
        return source.random() < 0.5
    if kind == "array":
        return [_value(source, schema["items"])] if isinstance(schema.get("items"), dict) else []
    if kind == "object":
        return tool_arguments(source, schema)
    return source.choice(WORDS)
