"""What is a caller told of what the control plane refuses? What is about the caller, by codes that are known."""

import ast
import json
from collections.abc import Iterator
from pathlib import Path

import mizzen_controlplane
import pytest
from mizzen_controlplane.kit import problem
from mizzen_gateway.batches.keeper import OTHERWISE, PASSED_ON, UNAVAILABLE, refusal_of

FOR_GATEWAYS = {"file_complete"}
"""Of calls that gateways make as they are told to: they cannot meet it, and callers would hear `conflict`."""


def told(status: int, code: str, **more: object) -> tuple[int, str, str | None]:
    refusal = refusal_of(status, json.dumps({"code": code, "detail": "why", **more}).encode())
    return refusal.status, refusal.code, refusal.param


def codes_of_the_control_plane() -> Iterator[tuple[int, str]]:
    """(status, code) of what it refuses about files and batches, its own troubles left out."""
    for file in (Path(str(mizzen_controlplane.__file__)).parent / "batches").glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                kind = getattr(problem, "Invalid" if node.func.id == "invalid_field" else node.func.id, None)
                for word in node.keywords:
                    if word.arg == "code" and isinstance(word.value, ast.Constant) and kind and kind.status < 500:
                        yield 400 if kind.status == 422 else kind.status, str(word.value.value)


def test_every_code_of_the_control_plane_reaches_callers_as_it_is() -> None:
    found = {(status, code) for status, code in codes_of_the_control_plane() if code not in FOR_GATEWAYS}
    passed = {(status, code) for status, codes in PASSED_ON.items() for code in codes}
    assert found == passed
    for status, code in passed:
        assert told(status, code) == (status, code, None)


@pytest.mark.parametrize(("status", "code"), [*OTHERWISE.items()])
def test_another_code_is_told_as_one_that_callers_know(status: int, code: str) -> None:
    assert told(status, "news_of_a_later_release") == (status, code, None)


def test_a_field_is_named_as_its_caller_wrote_it() -> None:
    errors = [{"pointer": "/output_expires_after/seconds", "detail": "why"}]
    assert told(422, "invalid", errors=errors) == (400, "invalid_parameter", "output_expires_after.seconds")
    assert told(422, "empty_file", errors=[{"pointer": "/file"}]) == (400, "empty_file", "file")
    assert told(422, "invalid", errors=[{"pointer": "query:limit"}]) == (400, "invalid_parameter", "limit")


@pytest.mark.parametrize(
    ("status", "code", "heard"),
    [
        (401, "unauthorized", (503, "files_unavailable", None)),
        (403, "forbidden", (503, "files_unavailable", None)),
        (404, "not_found", (403, "not_offered", None)),
        (408, "request_timeout", (503, "files_unavailable", None)),
        (503, "content_key_missing", (503, "files_unavailable", None)),
        (507, "insufficient_storage", (503, "files_unavailable", None)),
    ],
)
def test_troubles_between_the_programs_are_no_callers_fault(
    status: int, code: str, heard: tuple[int, str, str | None]
) -> None:
    assert told(status, code) == heard


def test_what_is_no_problem_at_all_is_trouble_too() -> None:
    assert refusal_of(409, b"<html>") == UNAVAILABLE
