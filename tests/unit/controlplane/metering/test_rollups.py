"""Do roll-ups and buckets add up to the events, however these are cut and mixed?"""

import random
from dataclasses import astuple
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from mizzen_controlplane.metering.meters import Sums
from mizzen_controlplane.metering.rollups import Group, added_up, rollup_rows
from support.usage_events import usage_event

START = datetime(2026, 3, 1, tzinfo=UTC)

EVENTS = st.lists(
    st.builds(
        lambda minute, tokens, cost, model, status: usage_event(
            started_at=START + timedelta(minutes=minute),
            input_tokens=tokens,
            cached_tokens=tokens // 3,
            output_tokens=minute,
            reasoning_tokens=minute // 2,
            accelerator_ms=minute,
            cost_pico=cost,
            model=model,
            status=status,
        ),
        st.integers(0, 60 * 24 * 70),
        st.integers(0, 10**9),
        st.integers(0, 10**15),
        st.sampled_from(["a", "b"]),
        st.sampled_from([200, 404, 503]),
    ),
    max_size=40,
)


def _merged(parts: list[dict[Group, Sums]]) -> dict[Group, tuple[int, ...]]:
    total: dict[Group, Sums] = {}
    for part in parts:
        for group, sums in part.items():
            total.setdefault(group, Sums()).add(sums)
    return {group: astuple(sums) for group, sums in total.items()}


@given(EVENTS, st.integers(0, 2**32), st.integers(1, 7))
def test_cutting_and_mixing_events_changes_no_rollup(events: list[Any], seed: int, size: int) -> None:
    print(f"seed {seed}")
    mixed = events[:]
    random.Random(seed).shuffle(mixed)
    batches = [added_up(mixed[index : index + size]) for index in range(0, len(mixed), size)]
    assert _merged(batches) == _merged([added_up(events)])


@given(EVENTS)
def test_meters_are_disjoint_and_lose_no_token(events: list[Any]) -> None:
    found = list(added_up(events).values())
    assert sum(sums.input_tokens + sums.cached_tokens for sums in found) == sum(each.input_tokens for each in events)
    assert sum(sums.output_tokens + sums.reasoning_tokens for sums in found) == sum(
        each.output_tokens for each in events
    )
    assert sum(sums.tokens for sums in found) == sum(each.input_tokens + each.output_tokens for each in events)


def test_rows_are_sorted_so_that_two_batches_lock_them_in_one_order() -> None:
    rows = rollup_rows(added_up([usage_event(model=model) for model in "qwertzuiop"]))
    assert [row["id"] for row in rows] == sorted(str(row["id"]) for row in rows)
