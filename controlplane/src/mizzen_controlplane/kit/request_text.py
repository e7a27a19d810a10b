"""Which texts of a request can be kept? All but NUL and halves of surrogate pairs, which no database takes."""

import re
from collections.abc import Iterator
from typing import Any

from fastapi import HTTPException, Request

from mizzen_controlplane.kit.problem import BadRequest

_SUSPECT = re.compile(rb"\\u(0000|[dD][89a-fA-F])")
_REFUSED = re.compile("[\0\ud800-\udfff]")


class TextRefusedError(HTTPException):
    """A text of the body cannot be stored; an HTTPException, since FastAPI passes on no other one of a body."""

    def __init__(self, pointer: str) -> None:
        super().__init__(422, "The text holds NUL or half of a surrogate pair, which cannot be stored. Leave it out.")
        self.pointer = pointer


class TextRequest(Request):
    """A request whose body is refused where a text in it could not be stored."""

    async def json(self) -> Any:
        """The body. Raises JSONDecodeError and TextRefusedError."""
        parsed = await super().json()
        if _SUSPECT.search(await self.body()):
            for pointer, text in texts_in(parsed):
                if _REFUSED.search(text):
                    raise TextRefusedError(pointer)
        return parsed


def refuse_address_with_nul(request: Request) -> None:
    """Raise BadRequest for NUL in the path or the query."""
    if "\0" in request.scope["path"] or b"%00" in request.scope["query_string"]:
        raise BadRequest("The address holds a NUL character (%00), which no name has. Leave it out.")


def texts_in(value: Any) -> Iterator[tuple[str, str]]:
    """All names and texts of a JSON value, however deep, each with its JSON pointer."""
    waiting = [("", value)]
    while waiting:
        pointer, each = waiting.pop()
        if isinstance(each, str):
            yield pointer, each
        elif isinstance(each, dict):
            yield from ((pointer, name) for name in each)
            waiting.extend((f"{pointer}/{name.replace('~', '~0').replace('/', '~1')}", each[name]) for name in each)
        elif isinstance(each, list):
            waiting.extend((f"{pointer}/{place}", one) for place, one in enumerate(each))
