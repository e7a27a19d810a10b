"""What can go wrong in a call: no answer at all, or a problem that the control plane names (RFC 9457)."""

from dataclasses import dataclass
from typing import Any

import httpx

# ruff: noqa: N818 -- they are named for what the server says


class MizzenError(Exception):
    """Anything that this package raises."""


class Unreachable(MizzenError):
    """The control plane did not answer. What was asked may have been done, unless it only reads."""

    def __init__(self, url: str, because: Exception) -> None:
        self.url = url
        self.because = because
        """What the HTTP library said."""
        super().__init__(f"The control plane at {url} does not answer ({type(because).__name__}: {because}).")


@dataclass(frozen=True, slots=True)
class FieldError:
    """What is wrong at one place of the request."""

    pointer: str
    """JSON pointer into the body, or `query:<name>`, `header:<name>`, `path:<name>`."""
    detail: str
    """The field, the limit and the remedy."""


class ApiError(MizzenError):
    """The control plane refused. `code` is a constant to compare; `detail` says to people what to do."""

    def __init__(self, status: int, problem: dict[str, Any], retry_after: float | None = None) -> None:
        self.status = status
        self.problem = problem
        """The whole body; empty where the answer was no problem+json."""
        self.code = str(problem.get("code", ""))
        self.detail = str(problem.get("detail") or problem.get("title") or f"the answer was {status}")
        self.request_id = str(problem.get("request_id", ""))
        """Under which the control plane's log has more."""
        self.fields = tuple(
            FieldError(str(each.get("pointer", "")), str(each.get("detail", "")))
            for each in problem.get("errors") or ()
        )
        self.retry_after = retry_after
        """Seconds to wait, where the answer says so."""
        request = f" (request {self.request_id})" if self.request_id else ""
        super().__init__(f"{status} {self.code}: {self.detail}{request}")

    @property
    def pointer(self) -> str:
        """Place of the first mistake, empty where no field is to blame."""
        return self.fields[0].pointer if self.fields else ""


class BadRequest(ApiError):
    """400."""


class NotAuthenticated(ApiError):
    """401: the token is not known, or no longer."""


class PermissionDenied(ApiError):
    """403: the token does not carry the permission that is named."""


class NotFound(ApiError):
    """404: it is not there, or not yours."""


class Conflict(ApiError):
    """409: the present state does not allow it; the name is taken, Git owns it."""


class PreconditionFailed(ApiError):
    """412: someone else changed it since the ETag that If-Match named."""


class TooLarge(ApiError):
    """413."""


class Invalid(ApiError):
    """422: a field is against a rule; `fields` says which."""


class TooManyRequests(ApiError):
    """429: wait `retry_after` seconds."""


class ServerFailed(ApiError):
    """500 and above: of 503 another try may succeed."""


_BY_STATUS: dict[int, type[ApiError]] = {
    400: BadRequest,
    401: NotAuthenticated,
    403: PermissionDenied,
    404: NotFound,
    409: Conflict,
    412: PreconditionFailed,
    413: TooLarge,
    422: Invalid,
    429: TooManyRequests,
}


def refusal(response: httpx.Response) -> ApiError:
    """The error that a read answer of 400 and above is."""
    try:
        problem = response.json()
    except ValueError:
        problem = {}
    status = response.status_code
    kind = _BY_STATUS.get(status, ServerFailed if status >= httpx.codes.INTERNAL_SERVER_ERROR else ApiError)
    after = response.headers.get("retry-after", "")
    return kind(status, problem if isinstance(problem, dict) else {}, float(after) if after.isdecimal() else None)
