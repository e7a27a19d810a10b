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
from mizzen_gateway.telemetry.counts import RequestCounts
from support.gateway import gateway_environment
from support.records import an_intent, an_outcome


def logged(share: float, tell: Any) -> list[dict[str, Any]]:
    """The lines that come of what `tell` does with a log."""
    with os.fdopen(os.memfd_create("log"), "r+") as file:
        log = AccessLog(RequestCounts(), share, file.fileno())
        tell(log)
        log.close()
        file.seek(0)
        return [json.loads(line) for line in file]


def test_each_request_has_a_line() -> None:
    def tell(log: AccessLog) -> None:
        for number in range(100):
            log.ended(an_intent(f"req_{number}"), an_outcome())
        log.refused("/v1/chat/completions", Refusal(429, "rate_limit_exceeded", "too many"))

    lines = logged(1.0, tell)
    assert [line.get("request_id") for line in lines] == [*(f"req_{number}" for number in range(100)), None]
    assert lines[0]["model"] == "m"
    assert (lines[0]["status"], lines[0]["output_tokens"], lines[0]["endpoints"]) == (200, 5, ["pod-a"])
    assert lines[-1]["code"] == "rate_limit_exceeded"
    assert "too many" not in json.dumps(lines)


def test_a_share_is_logged_and_every_error_of_the_platform() -> None:
    def tell(log: AccessLog) -> None:
        for number in range(8000):
            log.ended(an_intent(f"req_{number}"), an_outcome(502 if number % 100 == 0 else 200))

    lines = logged(0.1, tell)
    assert sum(line["status"] == 502 for line in lines) == 80
    assert 500 < sum(line["status"] == 200 for line in lines) < 1200


def test_what_is_counted_is_counted_once() -> None:
    counts = RequestCounts()
    reading, writing = os.pipe()
    log = AccessLog(counts, 1.0, writing)
    log.ended(an_intent("req_1"), an_outcome())
    log.close()
    [series] = counts.series.values()
    assert series.statuses == {200: 1}
    os.close(reading)
    os.close(writing)


def test_a_reader_that_does_not_read_costs_lines_and_holds_up_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access_log, "MOST_WAITING", 500)
    reading, writing = os.pipe()
    log = AccessLog(RequestCounts(), 1.0, writing)
    for number in range(5000):
        log.ended(an_intent(f"req_{number}"), an_outcome())
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
