"""Which error is an answer, and how long does it ask to wait?"""

import orjson
import pytest
from mizzen_kube.errors import (
    LONGEST_WAIT_SECONDS,
    AlreadyExistsError,
    ApiError,
    ConflictError,
    ForbiddenError,
    GoneError,
    InvalidError,
    NotFoundError,
    ThrottledError,
    UnauthorizedError,
    UnavailableError,
    error_of,
)

OF_STATUS = {
    400: InvalidError,
    401: UnauthorizedError,
    403: ForbiddenError,
    404: NotFoundError,
    405: ApiError,
    409: ConflictError,
    410: GoneError,
    422: InvalidError,
    429: ThrottledError,
    500: UnavailableError,
    504: UnavailableError,
}


@pytest.mark.parametrize("status", OF_STATUS)
def test_each_status_has_its_error(status: int) -> None:
    assert type(error_of("GET /x", status, b"")) is OF_STATUS[status]


def test_a_create_of_what_exists_is_told_from_a_change_of_what_changed() -> None:
    body = orjson.dumps({"reason": "AlreadyExists", "message": "there"})
    assert type(error_of("POST /x", 409, body)) is AlreadyExistsError


def test_another_objects_uid_is_a_conflict_though_the_server_calls_it_invalid() -> None:
    body = orjson.dumps({"reason": "Invalid", "details": {"causes": [{"field": "metadata.uid"}]}})
    assert type(error_of("PATCH /x", 422, body)) is ConflictError


def test_the_message_says_what_was_asked_and_what_the_server_said() -> None:
    error = error_of("GET /api/v1/pods", 403, orjson.dumps({"reason": "Forbidden", "message": "no right to list"}))
    assert str(error) == "GET /api/v1/pods: 403 Forbidden: no right to list"


@pytest.mark.parametrize("body", [b"", b"<html>bad gateway</html>", b'{"kind": "Sta', b"[1]", b"\xff\xfe"])
def test_a_body_that_no_server_meant_is_still_an_error(body: bytes) -> None:
    assert error_of("GET /x", 502, body).status == 502


WAITS = {
    "a header": ("7", b"", 7.0),
    "the body": (None, orjson.dumps({"details": {"retryAfterSeconds": 3}}), 3.0),
    "no time": (None, b"", None),
    "a date": ("Sun, 22 Nov 2026 00:00:00 GMT", b"", None),
    "zero": ("0", b"", None),
    "a day": ("86400", b"", LONGEST_WAIT_SECONDS),
    "no number": ("nan", b"", None),
}


@pytest.mark.parametrize("case", WAITS)
def test_the_time_to_wait_is_the_servers_within_reason(case: str) -> None:
    header, body, seconds = WAITS[case]
    assert error_of("GET /x", 429, body, header).retry_after == seconds
