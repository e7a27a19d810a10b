"""Warnings about engines: one a minute for each endpoint and cause, however many requests fail."""

from types import SimpleNamespace
from typing import Any

import pytest
from mizzen_gateway.engine.exchange import EngineFailureError
from mizzen_gateway.telemetry.engine_failures import MOST_REMEMBERED, FailureLog, remedy_in_file


class Stage:
    """A log with a clock that the test moves, and one deployment."""

    def __init__(self) -> None:
        self.now = 1000.0
        pool: Any = SimpleNamespace(dial_of=lambda _address: None)
        self.log = FailureLog(pool, lambda: self.now)
        facts = SimpleNamespace(key=("default", "m"))
        self.target: Any = SimpleNamespace(facts=facts, name="m", endpoint_set=SimpleNamespace(model_name="inner"))

    def pod(self, name: str) -> Any:
        facts = SimpleNamespace(pod=name, revision="r1", address="10.0.0.1", port=8000)
        return SimpleNamespace(facts=facts, address=("10.0.0.1", 8000))

    def answered(self, status: int, pod: str = "m-0") -> None:
        self.log.answered(self.target, self.pod(pod), "chat.completions", status)

    def failed(self, kind: Any, pod: str = "m-0") -> None:
        self.log.failed(self.target, self.pod(pod), EngineFailureError(kind, False, "engine closed the connection"))


def told(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return capsys.readouterr().out.splitlines()


def test_one_cause_of_one_endpoint_is_told_once_a_minute_with_how_often_it_was_not(
    capsys: pytest.CaptureFixture[str],
) -> None:
    stage = Stage()
    for _ in range(1000):
        stage.answered(500)
    assert len(told(capsys)) == 1
    stage.answered(401)
    stage.answered(500, "m-1")
    stage.failed("broken")
    assert len(told(capsys)) == 3, "another cause, another endpoint"
    stage.now += 61
    stage.answered(500)
    [line] = told(capsys)
    assert "999" in line


def test_what_a_caller_did_wrong_is_no_warning(capsys: pytest.CaptureFixture[str]) -> None:
    stage = Stage()
    for status in (400, 413, 415, 422):
        stage.answered(status)
    assert told(capsys) == []


def test_endpoints_that_come_and_go_are_not_remembered_for_ever() -> None:
    stage = Stage()
    for number in range(MOST_REMEMBERED + 10):
        stage.answered(500, f"m-{number}")
    assert len(stage.log._told) <= MOST_REMEMBERED


@pytest.mark.parametrize("status", [301, 307])
def test_a_redirect_is_told_with_the_field_that_is_wrong(capsys: pytest.CaptureFixture[str], status: int) -> None:
    stage = Stage()
    stage.answered(status)
    assert len(told(capsys)) == 1
    assert "upstreams[here].url" in remedy_in_file(status, "here", "m", "inner")
