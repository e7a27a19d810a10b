"""A problem of the server becomes sentences and an exit code."""

from typing import Any

import httpx
import pytest
from mizzen_cli.client import refused
from mizzen_cli.errors import ExitCode


def problem(status: int, **body: Any) -> httpx.Response:
    """An answer with a problem in it."""
    return httpx.Response(status, json=body)


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (problem(409, detail="It is there already."), "It is there already."),
        (problem(500, title="Broken"), "Broken"),
        (problem(422, detail="d", errors=[{"pointer": "/amount", "detail": "at least 1"}]), "--amount: at least 1"),
        (
            problem(
                422,
                detail="d",
                errors=[{"pointer": "/spec/x", "detail": "spec.x: no"}, {"pointer": "/b", "detail": "c"}],
            ),
            "spec.x: no\nb: c",
        ),
        (
            problem(422, detail="d", errors=[{"pointer": "path:month", "detail": "write YYYY-MM"}]),
            "month: write YYYY-MM",
        ),
        (
            problem(422, errors=[{"pointer": "/prices/0/per_request", "detail": "prices[0].per_request: no"}]),
            "--per-request: no",
        ),
        (problem(422, errors=[{"pointer": "/spec/model", "detail": "spec.model: no"}]), "spec.model: no"),
        (httpx.Response(502, text="<html>"), "The control plane answered 502 without an explanation."),
    ],
)
def test_each_field_is_named_once(answer: httpx.Response, sentence: str) -> None:
    assert str(refused(answer)) == sentence


def test_what_does_not_exist_has_an_exit_code_of_its_own() -> None:
    assert refused(problem(404, detail="gone")).code is ExitCode.NOT_FOUND
    assert refused(problem(403, detail="no")).code is ExitCode.REFUSED
