"""Costs are read out of rows without parsing them, and are what parsing would tell, whatever their names say."""

from collections import Counter
from datetime import UTC, datetime

import orjson
from hypothesis import given
from hypothesis import strategies as some
from mizzen_gateway.metering.costs import costs_of
from mizzen_gateway.metering.recovery import add_costs
from mizzen_gateway.metering.rows import intended_row, settled_row
from mizzen_gateway.stages import Caller, Charge, Intent, Outcome, Usage

BUDGETS = some.lists(some.sampled_from(["bud_a", "bud_b", "bud_c"]), max_size=3, unique=True).map(tuple)
NAMES = some.sampled_from(["m", '","cost_pico":7,"', '"budget_ids":["bud_a"]', "]", '\\"token_budget_ids":'])
ROWS = some.lists(some.tuples(BUDGETS, BUDGETS, BUDGETS, NAMES, some.integers(0, 10**15), some.booleans()), max_size=8)


def a_row(
    budgets: tuple[str, ...], of_tokens: tuple[str, ...], of_time: tuple[str, ...], name: str, cost: int, ended: bool
) -> bytes:
    """A row as the meter writes it."""
    caller = Caller("org_a", "prj_a", "default", "default", "key_a")
    intent = Intent("req_1", caller, name, "default", name, "chat.completions", datetime.now(UTC))
    held = tuple(one for one in of_tokens if one in budgets)
    timed = tuple(one for one in of_time if one in budgets and one not in held)
    charge = Charge(cost, "EUR", "rcv_a", budgets, token_budget_ids=held, time_budget_ids=timed)
    if not ended:
        return intended_row(intent, charge, "gateway")
    return settled_row(intent, Outcome(200, True, "r1", 1.0, 0.5, Usage(3, 4, accelerator_ms=5), ()), charge, "gateway")


@given(ROWS)
def test_costs_are_those_that_parsing_the_rows_would_tell(
    rows: list[tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...], str, int, bool]],
) -> None:
    written = [a_row(*one) for one in rows]
    parsed: Counter[str] = Counter()
    for row in written:
        add_costs(parsed, orjson.loads(row))
    assert costs_of(written) == parsed


def test_each_budget_is_charged_in_its_unit() -> None:
    row = a_row(("bud_a", "bud_b", "bud_c"), ("bud_b",), ("bud_c",), "m", 11, ended=True)
    assert costs_of([row]) == {"bud_a": 11, "bud_b": 7, "bud_c": 5}


def test_a_row_that_is_written_otherwise_is_parsed() -> None:
    row = b'{"cost_pico": 5, "budget_ids": ["bud_a"]}'
    assert costs_of([row, row]) == {"bud_a": 10}
