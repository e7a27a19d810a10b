"""Do roll-ups and buckets add up to the events, however these are cut and mixed?"""

import random
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from mizzen_controlplane.metering.rollups import Group, Sums, added_up, rollup_rows
from mizzen_controlplane.metering.usage import Bucket, in_buckets
from support.usage_events import usage_event

START = datetime(2026, 3, 1, tzinfo=UTC)

EVENTS = st.lists(
    st.builds(
        lambda minute, tokens, cost, model, status: usage_event(
            started_at=START + timedelta(minutes=minute),
            input_tokens=tokens,
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
    total: dict[Group, list[int]] = {}
    for part in parts:
        for group, sums in part.items():
            held = total.setdefault(group, [0, 0, 0, 0])
            for index, value in enumerate((sums.requests, sums.input_tokens, sums.output_tokens, sums.cost_pico)):
                held[index] += value
    return {group: tuple(held) for group, held in total.items()}


@given(EVENTS, st.integers(0, 2**32), st.integers(1, 7))
def test_cutting_and_mixing_events_changes_no_rollup(events: list[Any], seed: int, size: int) -> None:
    print(f"seed {seed}")
    mixed = events[:]
    random.Random(seed).shuffle(mixed)
    batches = [added_up(mixed[index : index + size]) for index in range(0, len(mixed), size)]
    assert _merged(batches) == _merged([added_up(events)])


@given(EVENTS, st.sampled_from(list(Bucket)), st.sampled_from(["UTC", "Asia/Kathmandu", "America/New_York"]))
def test_buckets_add_up_to_the_events(events: list[Any], bucket: Bucket, zone: str) -> None:
    rows = [
        (group.quarter, group.model, sums.requests, sums.input_tokens, sums.output_tokens, sums.cost_pico)
        for group, sums in added_up(events).items()
    ]
    found = in_buckets(rows, bucket, zone)
    assert sum(item.cost_pico for item in found) == sum(event.cost_pico for event in events)
    assert sum(item.requests for item in found) == len(events)


def test_rows_are_sorted_so_that_two_batches_lock_them_in_one_order() -> None:
    rows = rollup_rows(added_up([usage_event(model=model) for model in "qwertzuiop"]))
    assert [row["id"] for row in rows] == sorted(str(row["id"]) for row in rows)


def test_a_day_of_the_organization_begins_at_its_own_midnight() -> None:
    rows = [
        (datetime(2026, 3, 1, 23, 15, tzinfo=UTC), 1, 0, 0, 0),
        (datetime(2026, 3, 1, 22, 45, tzinfo=UTC), 1, 0, 0, 0),
    ]
    days = [item.bucket_start for item in in_buckets(rows, Bucket.DAY, "Europe/Berlin")]
    assert days == [datetime(2026, 2, 28, 23, tzinfo=UTC), datetime(2026, 3, 1, 23, tzinfo=UTC)]
