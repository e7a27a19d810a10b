"""How errors become answers: the one place that writes application/problem+json."""

from collections.abc import Awaitable, Callable

import orjson
import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from mizzen_crds.mistakes import sentence
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException

from mizzen_controlplane.kit.problem import (
    BadRequest,
    FieldError,
    InsufficientStorage,
    Invalid,
    NotFound,
    Problem,
    Unavailable,
    body_of,
    invalid_field,
)
from mizzen_controlplane.kit.request_context import current_request_id
from mizzen_controlplane.kit.request_text import TextRefusedError

log = structlog.get_logger(__name__)

MEDIA_TYPE = "application/problem+json"


class MethodNotAllowed(Problem):
    """405: the path exists, the method does not."""

    status, code, title = 405, "method_not_allowed", "The method is not allowed here"


def render(problem: Problem) -> Response:
    """`problem` as an answer."""
    body = orjson.dumps(body_of(problem, current_request_id()), default=str)
    return Response(body, status_code=problem.status, headers=problem.headers, media_type=MEDIA_TYPE)


Refused = Callable[[Request, Problem], Awaitable[None]]


def install(app: FastAPI, refused: Refused) -> None:
    """Have every error of `app` rendered here, and `refused` told of each Problem first."""

    async def problem(request: Request, error: Exception) -> Response:
        assert isinstance(error, Problem)
        await refused(request, error)
        return render(error)

    app.add_exception_handler(Problem, problem)
    app.add_exception_handler(RequestValidationError, _validation)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(DBAPIError, _database)
    app.add_exception_handler(PoolTimeout, _busy)
    app.add_exception_handler(Exception, _unexpected)


async def _validation(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    errors = [FieldError(_pointer(found["loc"]), sentence(found, found["loc"], [])) for found in error.errors()]
    if any(found["type"] == "json_invalid" for found in error.errors()):
        return render(BadRequest("The body is not valid JSON.", code="invalid_json", errors=errors))
    named = "; ".join(f"{item.pointer}: {item.detail}" for item in errors[:3])
    return render(Invalid(named or "The request is not valid.", errors=errors))


def _pointer(location: tuple[int | str, ...]) -> str:
    where, *rest = location
    if where == "body":
        return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in rest)
    return f"{where}:{'.'.join(str(part) for part in rest)}"


async def _http(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if isinstance(error, TextRefusedError):
        return render(invalid_field(error.pointer, str(error.detail)))
    if error.status_code == 404:
        return render(NotFound("There is no such path. docs/reference/openapi.json lists all of them."))
    if error.status_code == 405:
        return render(MethodNotAllowed("Another method belongs to this path.", headers=dict(error.headers or {})))
    return render(BadRequest(str(error.detail)))


async def _database(_request: Request, error: Exception) -> Response:
    assert isinstance(error, DBAPIError)
    said = str(error.orig).lower()
    if "full" in said or "no space" in said:
        return render(
            InsufficientStorage(
                "The database's disk is full, so nothing was written. Free space on the volume of MIZZEN_DATA_DIR "
                "or of PostgreSQL, then repeat.",
                code="disk_full",
            )
        )
    if "read-only transaction" in said or "readonly database" in said:
        return render(
            Unavailable(
                "The database takes no writes now, as a standby or a volume that is mounted read-only does. Nothing "
                "was written, and reading works. Make it writable, or lead MIZZEN_DATABASE_URL to the primary.",
                code="database_read_only",
                headers={"Retry-After": "5"},
            )
        )
    if "too many connections" in said or "connection slots are reserved" in said:
        return render(
            Unavailable(
                "The database has no connection left, so nothing was written. Repeat in a moment; where it lasts, "
                "raise PostgreSQL's max_connections, or run fewer replicas: each takes up to 21 connections.",
                code="database_out_of_connections",
                headers={"Retry-After": "5"},
            )
        )
    log.error("the database failed", error=type(error.orig).__name__, said=said)
    return render(
        Unavailable(
            "The database does not answer. Repeat in a moment; where it lasts, see that the server of "
            "MIZZEN_DATABASE_URL runs and can be reached.",
            code="database_unavailable",
            headers={"Retry-After": "2"},
        )
    )


async def _busy(_request: Request, _error: Exception) -> Response:
    log.warning("no connection to the database became free in time")
    return render(
        Unavailable(
            "All connections to the database are busy. Repeat in a moment.",
            code="database_busy",
            headers={"Retry-After": "2"},
        )
    )


async def _unexpected(_request: Request, error: Exception) -> Response:
    log.error("a request failed", exc_info=error)
    return render(Problem("The control plane failed; its log has more under this request_id."))
