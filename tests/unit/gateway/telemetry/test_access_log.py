"""The access log: one line a request, a share of them, and nobody waits for whoever reads it."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from mizzen_gateway.settings import SettingsError, read_settings
from mizzen_gateway.stages import Refusal
from mizzen_gateway.telemetry import access_log
from mizzen_gateway.telemetry.access_log import AccessLog
from support.gateway import gateway_environment
from support.records import an_intent, an_outcome

TOO_MANY = Refusal(429, "rate_limit_exceeded", "too many")


def logged(share: float, tell: Any) -> list[dict[str, Any]]:
    """The lines that come of what `tell` does with a log."""
    with os.fdopen(os.memfd_create("log"), "r+") as file:
        log = AccessLog(share, file.fileno())
        tell(log)
        log.close()
        file.seek(0)
        return [json.loads(line) for line in file]


def ended(log: AccessLog, number: int, status: int = 200) -> None:
    line, intent = log.begin("/v1/chat/completions", None), an_intent(f"req_{number}")
    line.leg_begins(intent)
    line.leg_ended(intent, an_outcome(status))
    line.over(None)


def test_each_request_has_a_line() -> None:
    def tell(log: AccessLog) -> None:
        for number in range(100):
            ended(log, number)
        log.begin("/v1/chat/completions", None).over(TOO_MANY)

    lines = logged(1.0, tell)
    assert [line["request_id"] for line in lines] == [*(f"req_{number}" for number in range(100)), ""]
    assert lines[0]["model"] == "m"
    assert (lines[0]["status"], lines[0]["output_tokens"], lines[0]["endpoints"]) == (200, 5, ["pod-a"])
    assert (lines[-1]["status"], lines[-1]["code"]) == (429, "rate_limit_exceeded")
    assert "too many" not in json.dumps(lines)


def test_a_request_that_asked_several_deployments_has_one_line_when_all_is_settled() -> None:
    def tell(log: AccessLog) -> None:
        line, first, second = log.begin("/v1/chat/completions", None), an_intent("req_1"), an_intent("req_1.2")
        line.leg_begins(first)
        line.leg_begins(second)
        line.leg_ended(second, an_outcome())
        line.over(None)
        line.over(TOO_MANY)
        line.leg_ended(first, an_outcome(502))

    [line] = logged(1.0, tell)
    assert (line["request_id"], line["status"], line["endpoints"]) == ("req_1", 200, ["pod-a", "pod-a"])
    assert line["output_tokens"] == 10


def test_what_a_caller_wrote_for_a_model_is_told_where_it_could_be_a_name() -> None:
    def tell(log: AccessLog) -> None:
        for model in ("team/small-1.5", "my prompt, by mistake", "x" * 200):
            line = log.begin("/v1/chat/completions", None)
            line.model = model
            line.over(TOO_MANY)

    assert [line["model"] for line in logged(1.0, tell)] == ["team/small-1.5", "", ""]


def test_a_share_is_logged_and_every_error_of_the_platform() -> None:
    def tell(log: AccessLog) -> None:
        for number in range(8000):
            ended(log, number, 502 if number % 100 == 0 else 200)

    lines = logged(0.1, tell)
    assert sum(line["status"] == 502 for line in lines) == 80
    assert 500 < sum(line["status"] == 200 for line in lines) < 1200


def test_a_reader_that_does_not_read_costs_lines_and_holds_up_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access_log, "MOST_WAITING", 500)
    reading, writing = os.pipe()
    log = AccessLog(1.0, writing)
    for number in range(5000):
        ended(log, number)
    assert log.dropped > 0
    os.close(reading)
    log.close()
    os.close(writing)


@pytest.mark.parametrize(("value", "share"), [("off", 0.0), ("", 0.0), ("all", 1.0), ("0.25", 0.25)])
def test_the_setting_is_a_share(tmp_path: Path, value: str, share: float) -> None:
    assert read_settings(gateway_environment(tmp_path, MIZZEN_ACCESS_LOG=value)).access_log_share == share


def test_a_setting_that_is_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"MIZZEN_ACCESS_LOG: 'often'"):
        read_settings(gateway_environment(tmp_path, MIZZEN_ACCESS_LOG="often"))
