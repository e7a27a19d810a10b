"""How is an object read that an older or a newer release wrote? Fields that this release does not know are passed over.

Nothing is lost by it: the operator never writes a spec, and merges its status into what is there.
"""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any, Final, TypeVar

from mizzen_crds.rules import STORED
from pydantic import BaseModel, ValidationError

Model = TypeVar("Model", bound=BaseModel)
MOST_REPAIRS: Final = 64
UNKNOWN_FIELD: Final = "extra_forbidden"
_STORED: Final = {STORED: True}


class UnreadableError(Exception):
    """The spec holds a value that this release does not understand; the message names the field."""


def read_object(model: type[Model], body: Mapping[str, Any]) -> Model:
    """Return the object without what this release does not know.

    In the spec only unknown fields are passed over; in the status, which is the operator's own memory, any value too.
    Raises UnreadableError where the spec says something that cannot be understood.
    """
    try:
        return model.model_validate(body, context=_STORED)
    except ValidationError as error:
        found = error
    rest = deepcopy(dict(body))
    for _ in range(MOST_REPAIRS):
        removed = [_remove(rest, one["loc"]) for one in found.errors() if _passed_over(one)]
        if not any(removed):
            break
        try:
            return model.model_validate(rest, context=_STORED)
        except ValidationError as error:
            found = error
    first = next((one for one in found.errors() if not _passed_over(one)), found.errors()[0])
    raise UnreadableError(f"{'.'.join(map(str, first['loc'])) or 'spec'}: {first['msg']}")


def _passed_over(error: Any) -> bool:
    return error["type"] == UNKNOWN_FIELD or (error["loc"][:1] == ("status",) and len(error["loc"]) > 1)


def _remove(body: Any, path: tuple[int | str, ...]) -> bool:
    """Take out the deepest part of the path that is there: a missing field takes its parent with it."""
    parents: list[tuple[Any, int | str]] = []
    here = body
    for step in path:
        inside = isinstance(here, Mapping) and step in here
        numbered = isinstance(here, list) and isinstance(step, int) and step < len(here)
        if not inside and not numbered:
            break
        parents.append((here, step))
        here = here[step]
    if len(parents) < 2:
        return False
    parent, step = parents[-1]
    del parent[step]
    return True
