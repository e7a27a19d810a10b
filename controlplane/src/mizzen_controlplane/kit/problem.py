"""What can go wrong in an answer: a small tree of errors, which kit/rendering writes as application/problem+json."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar


@dataclass(frozen=True, slots=True)
class FieldError:
    """What is wrong at one place of the body."""

    pointer: str
    """JSON pointer into the body, or `query:<name>`, `header:<name>`, `path:<name>`."""
    detail: str
    """The field, the limit and the remedy."""


class Problem(Exception):  # noqa: N818 - the subclasses are named for their status, as problem+json is
    """An answer that is an error. `code` is a constant that programs may compare; `detail` is for people."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal_error"
    title: ClassVar[str] = "The control plane failed"

    def __init__(
        self,
        detail: str,
        *,
        code: str | None = None,
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
        more: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.problem_code = code or type(self).code
        self.errors = tuple(errors)
        self.headers = dict(headers or {})
        self.more = dict(more or {})


class BadRequest(Problem):
    """400: the request cannot be understood."""

    status, code, title = 400, "bad_request", "The request cannot be understood"


class Unauthorized(Problem):
    """401: no subject."""

    status, code, title = 401, "unauthorized", "A valid token is needed"


class Forbidden(Problem):
    """403: the subject may not do this."""

    status, code, title = 403, "forbidden", "The token does not allow this"


class NotFound(Problem):
    """404: absent, or foreign."""

    status, code, title = 404, "not_found", "Not found"


class Hidden(NotFound):
    """404: perhaps there, but not for this caller. The answer is that of absence; the audit trail has the attempt."""


class RequestTimeout(Problem):
    """408: the caller stopped sending."""

    status, code, title = 408, "request_timeout", "The request did not arrive in time"


class Conflict(Problem):
    """409: the state does not allow it now."""

    status, code, title = 409, "conflict", "The present state does not allow this"


class Gone(Problem):
    """410: the reader's position is too old."""

    status, code, title = 410, "gone", "No longer available"


class PreconditionFailed(Problem):
    """412: If-Match names another state."""

    status, code, title = 412, "precondition_failed", "Changed by someone else"


class TooLarge(Problem):
    """413: over a limit of size."""

    status, code, title = 413, "too_large", "Too large"


class Invalid(Problem):
    """422: understood, but against the rules."""

    status, code, title = 422, "invalid", "A field is not valid"


class TooManyRequests(Problem):
    """429: too often; Retry-After says when again."""

    status, code, title = 429, "too_many_requests", "Too many attempts"


class Unavailable(Problem):
    """503: try again."""

    status, code, title = 503, "unavailable", "Not available now"


class InsufficientStorage(Problem):
    """507: the disk is full."""

    status, code, title = 507, "insufficient_storage", "No space is left"


def invalid_field(pointer: str, detail: str, code: str = "invalid") -> Invalid:
    """A refusal about one field."""
    return Invalid(detail, code=code, errors=[FieldError(pointer, detail)])


def body_of(problem: Problem, request_id: str) -> dict[str, Any]:
    """The JSON body of `problem`."""
    body: dict[str, Any] = {
        "type": f"https://mizzen.dev/problems/{problem.problem_code}",
        "title": problem.title,
        "status": problem.status,
        "code": problem.problem_code,
        "detail": problem.detail,
        "request_id": request_id,
        **problem.more,
    }
    if problem.errors:
        body["errors"] = [{"pointer": error.pointer, "detail": error.detail} for error in problem.errors]
    return body
