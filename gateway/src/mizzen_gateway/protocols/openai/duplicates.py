"""Does a JSON body name a key twice? Asked where a hard budget matches: two readers may take different ones."""

import json
from typing import Any


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


def named_twice(body: bytes) -> str | None:
    """The first key that an object has twice; `body` is JSON that was parsed before."""
    try:
        json.loads(body, object_pairs_hook=_once)
    except _TwiceError as found:
        return str(found)
    except (ValueError, RecursionError):
        # What this reader does not take (a lone surrogate, depth) was refused by the stricter one before.
        return None
    return None
