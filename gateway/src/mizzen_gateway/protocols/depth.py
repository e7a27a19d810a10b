"""Which field of a body is too deep? Asked of all of it: what is written anew for an engine cannot be, from 254 on."""

from typing import Any

MOST_DEPTH = 64
"""Lists and objects within each other, at most, in one field."""
CONTAINERS = (dict, list)


def too_deep_field(body: dict[str, Any], raw: bytes, end: int | None = None) -> str | None:
    """The name of the first such field; `raw`, up to `end`, is the JSON that the body was read from."""
    # Most bodies open so few lists and objects, texts included, that none can be that deep.
    if raw.count(b"[", 0, end) + raw.count(b"{", 0, end) <= MOST_DEPTH:
        return None
    return next((field for field, value in body.items() if type(value) in CONTAINERS and too_deep(value)), None)


def too_deep(value: Any) -> bool:
    """Whether a list or an object holds more of them within each other. Not recursive: depth is the caller's."""
    level = [value]
    for _ in range(MOST_DEPTH):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if type(outer) is dict else outer)
            if type(inner) in CONTAINERS
        ]
        if not level:
            return False
    return True


def why_too_deep(field: str) -> str:
    """In words."""
    return f"{field}: more than {MOST_DEPTH} lists and objects within each other; send a flatter one."
