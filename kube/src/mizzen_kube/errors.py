"""What can an API server refuse, and how does a caller tell one refusal from another?

`Api` raises only these. A caller that backs off waits at least `retry_after` seconds where the server named one.
"""

from collections.abc import Mapping
from typing import Any

import orjson

LONGEST_WAIT_SECONDS = 300.0
"""A Retry-After beyond this comes from something broken in between; a program that obeyed it would seem to be dead."""
SHOWN_CHARACTERS = 300


class ApiError(Exception):
    """The API server did not do what it was asked for; `status` is 0 where no answer came."""

    word = "refused"
    """How metrics call this outcome."""

    def __init__(self, message: str, *, status: int = 0, reason: str = "", retry_after: float | None = None) -> None:
        """`reason` is Kubernetes' own word, such as `AlreadyExists`; `retry_after` is in seconds."""
        super().__init__(message)
        self.message = message
        self.status = status
        self.reason = reason
        self.retry_after = retry_after


class UnauthorizedError(ApiError):
    """401, with a token that was read afresh."""

    word = "unauthorized"


class ForbiddenError(ApiError):
    """403: RBAC, a quota, or a namespace that is being deleted."""

    word = "forbidden"


class NotFoundError(ApiError):
    """404: no such object, or no such kind on this server."""

    word = "not_found"


class ConflictError(ApiError):
    """409: the object is another one, or newer, than the caller thought. Observe it again."""

    word = "conflict"


class AlreadyExistsError(ConflictError):
    """409 of a create: an object of that name is there."""

    word = "already_exists"


class GoneError(ApiError):
    """410: the resource version is too old to continue from. List again."""

    word = "gone"


class InvalidError(ApiError):
    """422 or 400: the object breaks a rule; only a change of it helps."""

    word = "invalid"


class ThrottledError(ApiError):
    """429: the server did nothing and asks to wait `retry_after` seconds."""

    word = "throttled"


class UnavailableError(ApiError):
    """No usable answer: 5xx, no connection, a time-out, a body cut short. Whether a write was done is unknown."""

    word = "unavailable"


class FencedError(ApiError):
    """This process may not write at the moment; nothing was sent."""

    word = "fenced"


_BY_STATUS: Mapping[int, type[ApiError]] = {
    400: InvalidError,
    401: UnauthorizedError,
    403: ForbiddenError,
    404: NotFoundError,
    409: ConflictError,
    410: GoneError,
    422: InvalidError,
    429: ThrottledError,
}


def error_of(doing: str, status: int, body: bytes, retry_after: str | None = None) -> ApiError:
    """Return the error of an answer; `doing` is what was asked, such as `GET /api/v1/pods`."""
    return error_of_status(doing, status_document(body), status, retry_after, body)


def error_of_status(
    doing: str, document: Mapping[str, Any], status: int, retry_after: str | None = None, body: bytes = b""
) -> ApiError:
    """Return the error that a `Status` object of the server, or whatever else it sent, stands for."""
    reason = str(document.get("reason") or "")
    said = str(
        document.get("message") or body[:SHOWN_CHARACTERS].decode("utf-8", "replace").strip() or "no explanation"
    )
    kind = _BY_STATUS.get(status, UnavailableError if status >= 500 else ApiError)
    if status == 409 and reason == "AlreadyExists":
        kind = AlreadyExistsError
    details = document.get("details") or {}
    if status == 422 and any(cause.get("field") == "metadata.uid" for cause in details.get("causes") or ()):
        kind = ConflictError  # the server's way to say that the name is another object's now
    wait = seconds_to_wait(retry_after)
    if wait is None:
        wait = seconds_to_wait(details.get("retryAfterSeconds"))
    return kind(f"{doing}: {status} {reason}: {said}", status=status, reason=reason, retry_after=wait)


def status_document(body: bytes) -> Mapping[str, Any]:
    """Return the body as an object; an empty one where it is none (a proxy's page, a body cut short)."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return document if isinstance(document, dict) else {}


def seconds_to_wait(said: object) -> float | None:
    """Return the seconds of a Retry-After, at most `LONGEST_WAIT_SECONDS`; None where it names none."""
    try:
        seconds = float(str(said))
    except ValueError:
        return None
    return min(seconds, LONGEST_WAIT_SECONDS) if seconds > 0 else None
