"""Which problems an operation may answer with, told from how its route is made; the OpenAPI document names them.

A route is not asked to list them: what makes a status possible (a path that names something, a body, If-Match, a
permission) is in its declaration already, so that a new route is described truly without a word of its own.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from fastapi.dependencies.models import Dependant

from mizzen_controlplane.kit import problem
from mizzen_controlplane.kit.etag import reads_if_match
from mizzen_controlplane.kit.rendering import MEDIA_TYPE
from mizzen_controlplane.kit.routing import GuardedRoute
from mizzen_controlplane.kit.transport import streams_its_body

WRITES: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})
PROBLEMS: Final[Mapping[int, type[problem.Problem]]] = {
    each.status: each
    for each in (
        problem.BadRequest, problem.Unauthorized, problem.Forbidden, problem.NotFound, problem.RequestTimeout,
        problem.Conflict, problem.PreconditionFailed, problem.TooLarge, problem.Invalid, problem.TooManyRequests,
        problem.Unavailable, problem.InsufficientStorage,
    )
}  # fmt: skip
"""Status -> the error that is rendered with it."""
IF_MATCH: Final = {
    "name": "If-Match",
    "in": "header",
    "required": False,
    "description": "The ETag of the state that the change was made for; 412 where that has passed.",
    "schema": {"type": "string"},
}
IDEMPOTENCY_KEY: Final = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "The same key and body get the same answer for 24 hours; another body 422, still running 409.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
}


def component_name(status: int) -> str:
    """Name under components/responses."""
    return PROBLEMS[status].__name__


def shared_responses() -> dict[str, Any]:
    """Every problem once, for components/responses."""
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    described = {each.__name__: {"description": each.title, "content": content} for each in PROBLEMS.values()}
    for status in (429, 503):
        described[component_name(status)]["headers"] = {
            "Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer", "minimum": 0}}
        }
    return described


def possible(route: GuardedRoute, method: str, *, public: bool) -> list[int]:
    """The statuses of 400 and above that `method` of `route` may answer, ascending."""
    # A public path that names something is a way to sign in: it refuses people, and asks servers that may be away.
    writes, guarded = method in WRITES, not public or method == "POST" or "{" in route.path
    may = {
        400: True,  # a NUL in the address
        401: guarded,
        403: guarded,
        404: "{" in route.path,
        408: streams_its_body({"method": method, "path": route.path}),
        409: writes,
        412: honours_if_match(route),
        413: writes,
        422: method == "POST" or _reads_input(route.dependant),
        429: guarded,
        503: guarded or route.path == "/readyz",
        507: writes,
    }
    return sorted(status for status, so in may.items() if so)


def honours_if_match(route: GuardedRoute) -> bool:
    """Whether the header If-Match reaches the endpoint."""
    return any(each.call is reads_if_match for each in _all(route.dependant))


def _reads_input(dependant: Dependant) -> bool:
    return any(
        each.path_params or each.query_params or each.header_params or each.body_params for each in _all(dependant)
    )


def _all(dependant: Dependant) -> Iterator[Dependant]:
    yield dependant
    for inner in dependant.dependencies:
        yield from _all(inner)
