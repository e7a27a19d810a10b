"""Which texts of a JSON body can be kept? All but NUL and halves of surrogate pairs, which no database takes."""

import json
import re
from collections.abc import Iterator
from typing import Any

from fastapi import Request

_SUSPECT = re.compile(rb"\\u(0000|[dD][89a-fA-F])")
_REFUSED = re.compile("[\0\ud800-\udfff]")


class TextRequest(Request):
    """A request whose body is refused as no JSON where a text in it could not be stored."""

    async def json(self) -> Any:
        """The body. Raises JSONDecodeError."""
        parsed = await super().json()
        body = await self.body()
        if _SUSPECT.search(body) and any(_REFUSED.search(text) for text in texts_in(parsed)):
            raise json.JSONDecodeError("NUL and single surrogates cannot be stored", body.decode(), 0)
        return parsed


def texts_in(value: Any) -> Iterator[str]:
    """All names and texts of a JSON value, however deep."""
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, str):
            yield each
        elif isinstance(each, dict):
            yield from each
            waiting.extend(each.values())
        elif isinstance(each, list):
            waiting.extend(each)
