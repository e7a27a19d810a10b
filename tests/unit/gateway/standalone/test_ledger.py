"""A gateway that runs alone keeps its usage and its budgets in a file: each row once, whatever comes twice."""

import csv
import io
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from mizzen_crds.access import BudgetWindow
from mizzen_crds.periods import Window
from mizzen_gateway.standalone.csv_export import COLUMNS, write_csv
from mizzen_gateway.standalone.ledger import FILE_NAME, LocalLedger, events

LIFETIME = Window(BudgetWindow.LIFETIME, 0, "UTC")


def row(request: str, cost: int = 5, at: datetime | None = None, **more: Any) -> bytes:
    moment = at or datetime.now(UTC)
    event = {
        "project_id": "prj_a", "request_id": request, "key_id": "key_k", "model": "small", "operation": "completions",
        "started_at": moment.isoformat(), "duration_ms": 1.23456, "status": 200, "answered": True, "currency": "USD",
        "budget_ids": ["bud_1"], "cost_pico": cost, "gateway": "g", **more,
    }  # fmt: skip
    return orjson.dumps(event)


@pytest.fixture
def ledger(tmp_path: Path) -> LocalLedger:
    made = LocalLedger(tmp_path)
    made.take_budgets([("bud_1", 100, LIFETIME)])
    return made


async def left(ledger: LocalLedger) -> int:
    return (await ledger.lease("bud_1", 10**6)).credit_pico


async def test_a_row_that_comes_twice_is_charged_once(ledger: LocalLedger) -> None:
    await ledger.ship([row("req_1"), row("req_2"), row("req_1")])
    await ledger.ship([row("req_2")])
    assert await left(ledger) == 90


async def test_what_was_spent_is_known_after_a_restart(ledger: LocalLedger, tmp_path: Path) -> None:
    await ledger.ship([row("req_1", 30)])
    ledger.close()
    again = LocalLedger(tmp_path)
    again.take_budgets([("bud_1", 100, LIFETIME)])
    assert await left(again) == 70
    assert (tmp_path / FILE_NAME).stat().st_mode & 0o777 == 0o600


async def test_credit_is_never_more_than_what_is_left(ledger: LocalLedger) -> None:
    grant = await ledger.lease("bud_1", 40)
    assert (grant.credit_pico, grant.remaining_pico) == (40, 60)
    await ledger.ship([row("req_1", 200)])
    assert await left(ledger) == 0


async def test_a_budget_of_tokens_is_charged_tokens(ledger: LocalLedger) -> None:
    await ledger.ship([row("req_1", 5, input_tokens=3, output_tokens=4, token_budget_ids=["bud_1"])])
    assert await left(ledger) == 93


async def test_what_was_spent_in_an_earlier_period_counts_no_more(ledger: LocalLedger) -> None:
    ledger.take_budgets([("bud_1", 100, Window(BudgetWindow.ROLLING, 3600, "UTC"))])
    now = datetime.now(UTC)
    await ledger.ship([row("req_1", 20, now - timedelta(hours=2)), row("req_2", 30, now - timedelta(minutes=30))])
    assert await left(ledger) == 70


async def test_a_budget_that_left_the_file_lends_nothing(ledger: LocalLedger) -> None:
    ledger.take_budgets([])
    assert await left(ledger) == 0


async def test_old_rows_go_and_what_budgets_have_spent_stays(ledger: LocalLedger, tmp_path: Path) -> None:
    now = datetime.now(UTC)
    await ledger.ship([row("req_1", 20, now - timedelta(days=9)), row("req_2")])
    await ledger.prune(now - timedelta(days=1))
    assert [one["request_id"] for one in events(tmp_path / FILE_NAME, None, None)] == ["req_2"]
    assert await left(ledger) == 75


async def test_usage_is_told_as_csv_between_two_moments(ledger: LocalLedger, tmp_path: Path) -> None:
    noon = datetime(2026, 1, 2, 12, tzinfo=UTC)
    tries = [{"endpoint": "first", "outcome": "broken"}, {"endpoint": "local", "outcome": "ok"}]
    await ledger.ship([row("req_1", 1, noon - timedelta(days=2)), row("req_2", 1_500_000, noon, attempts=tries)])
    to = io.StringIO()
    assert write_csv(events(tmp_path / FILE_NAME, noon - timedelta(hours=1), noon + timedelta(hours=1)), to) == 1
    head, line = to.getvalue().splitlines()
    assert head == ",".join(COLUMNS)
    assert line == (
        "2026-01-02T12:00:00+00:00,req_2,a,key_k,small,local,completions,200,ok,0,0,0,0,0.0000015,USD,1.235,,false,false"
    )


async def test_an_answer_of_the_cache_is_told_as_one(ledger: LocalLedger, tmp_path: Path) -> None:
    await ledger.ship([row("req_1", attempts=[], response_cache_hit=True), row("req_2", attempts=[])])
    to = io.StringIO()
    write_csv(events(tmp_path / FILE_NAME, None, None), to)
    told = {line["request_id"]: line["outcome"] for line in csv.DictReader(to.getvalue().splitlines())}
    assert told == {"req_1": "cached", "req_2": ""}


async def test_of_two_upstreams_asked_at_once_the_one_that_answered_is_told(
    ledger: LocalLedger, tmp_path: Path
) -> None:
    won, lost = {"endpoint": "b", "outcome": "ok"}, {"endpoint": "a", "outcome": "outrun"}
    both = [row("req_1", attempts=[won, lost]), row("req_2", attempts=[lost, won]), row("req_3", attempts=[lost])]
    await ledger.ship(both)
    to = io.StringIO()
    write_csv(events(tmp_path / FILE_NAME, None, None), to)
    told = [(line["upstream"], line["outcome"]) for line in csv.DictReader(to.getvalue().splitlines())]
    assert told == [("b", "ok"), ("b", "ok"), ("a", "outrun")]


def test_a_ledger_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="is not there yet"):
        list(events(tmp_path / FILE_NAME, None, None))
