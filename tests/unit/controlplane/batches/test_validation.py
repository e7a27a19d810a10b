"""What is said of the lines of a batch before any is sent."""

import json
from typing import Any

import pytest
from mizzen_controlplane.batches.validation import MOST_FAULTS, Validation

CHAT = "/v1/chat/completions"


def line(custom_id: Any = "1", **fields: Any) -> bytes:
    document = {"custom_id": custom_id, "method": "POST", "url": CHAT, "body": {"model": "chat"}} | fields
    return json.dumps(document).encode()


def faults_of(*lines: bytes, most: int = 100) -> list[tuple[str, int | None]]:
    validation = Validation(CHAT, most)
    validation.look_at(b"\n".join(lines))
    return [(fault.code, fault.line) for fault in validation.faults]


def test_good_lines_are_counted_over_all_pieces() -> None:
    validation = Validation(CHAT, 100)
    assert validation.look_at(line("a") + b"\n\n" + line("b") + b"\n")
    assert validation.look_at(line("c"))
    assert (validation.lines, validation.faults) == (3, [])


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        (b"{", "invalid_json_line"),
        (b"[]", "invalid_json_line"),
        (b'{"custom_id": "\xff"}', "invalid_json_line"),
        (line(""), "invalid_custom_id"),
        (line(7), "invalid_custom_id"),
        (line("x" * 513), "invalid_custom_id"),
        (line(method="GET"), "invalid_method"),
        (line(url="/v1/embeddings"), "mismatched_url"),
        (line(url="http://elsewhere/v1/chat/completions"), "mismatched_url"),
        (line(body=[]), "invalid_body"),
        (line(body={}), "invalid_body"),
        (line(body={"model": "chat", "stream": True}), "invalid_body"),
    ],
)
def test_a_wrong_line_is_named_by_its_number(wrong: bytes, code: str) -> None:
    assert faults_of(line("first"), wrong) == [(code, 2)]


def test_an_id_that_comes_twice_is_told_at_the_second_also_in_another_piece() -> None:
    validation = Validation(CHAT, 100)
    validation.look_at(line("a"))
    validation.look_at(line("b") + b"\n" + line("a"))
    assert [(fault.code, fault.line) for fault in validation.faults] == [("duplicate_custom_id", 3)]


def test_more_lines_than_allowed_are_told_with_the_setting() -> None:
    validation = Validation(CHAT, 2)
    assert not validation.look_at(b"\n".join(line(str(number)) for number in range(4)))
    (fault,) = validation.faults
    assert (fault.code, fault.line) == ("too_many_lines", 3)
    assert "MIZZEN_BATCH_MAX_LINES" in fault.message


def test_no_more_faults_are_told_than_anyone_would_read() -> None:
    assert len(faults_of(*[b"{"] * (MOST_FAULTS + 5), most=1000)) == MOST_FAULTS
