"""Which events does the ledger never take?"""

from datetime import datetime
from typing import Any

import pytest
from mizzen_controlplane.metering.acceptance import MAX_COST_PICO, sorted_out
from support.usage_events import usage_event

WRONG: list[tuple[dict[str, Any], str, str]] = [
    ({"project_id": "prj_b"}, "unknown_project", "no project of this installation"),
    ({"currency": "EUR"}, "wrong_currency", "this organization's is USD"),
    ({"cost_pico": -1}, "out_of_range", "cost_pico is -1"),
    ({"cost_pico": MAX_COST_PICO + 1}, "out_of_range", "cost_pico"),
    ({"input_tokens": -5}, "out_of_range", "input_tokens is -5"),
    ({"status": 7}, "out_of_range", "from 100 to 599"),
    ({"model": "m" * 128}, "out_of_range", "model has 128 characters"),
    ({"request_id": "req_\0"}, "out_of_range", "NUL"),
    ({"budget_ids": [f"bud_{n}" for n in range(31)]}, "out_of_range", "31 budgets, it may name 30"),
    ({"started_at": datetime(2026, 1, 1)}, "out_of_range", "no time zone"),  # noqa: DTZ001 - the case itself
]


@pytest.mark.parametrize(("fields", "code", "said"), WRONG)
def test_a_wrong_event_is_refused_and_its_neighbours_are_taken(fields: dict[str, Any], code: str, said: str) -> None:
    good = [usage_event(), usage_event()]
    bad = usage_event(**fields)
    taken, refused = sorted_out([good[0], bad, good[1]], {"prj_a"}, "USD")
    assert [event.request_id for event in taken] == [event.request_id for event in good]
    assert [item.code for item in refused] == [code]
    assert said in refused[0].detail
