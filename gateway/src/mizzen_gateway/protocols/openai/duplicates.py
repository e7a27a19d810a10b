"""Does a JSON body name a key twice? Asked where a hard budget matches: two readers may take different ones."""

import json
from typing import Any

import orjson


class _TwiceError(Exception):
    """A key came twice."""


def _once(pairs: list[tuple[str, Any]]) -> None:
    seen = {name for name, _ in pairs}
    if len(seen) == len(pairs):
        return
    for name, _ in pairs:
        if name not in seen:
            raise _TwiceError(name)
        seen.discard(name)


def named_twice(body: bytes, document: Any) -> str | None:
    """The first key that an object has twice; `document` is what a parser has made of `body`."""
    # A parser keeps one of two: then the document has fewer colons than its text. None of a text hides in an escape.
    if body.find(b"\\u") < 0 and body.count(b":") == orjson.dumps(document).count(b":"):
        return None
    try:
        json.loads(body, object_pairs_hook=_once)
    except _TwiceError as found:
        return str(found)
    except (ValueError, RecursionError):
        # What this reader does not take (a lone surrogate, depth) was refused by the stricter one before.
        return None
    return None
