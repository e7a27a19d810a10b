"""The time of a replica is shared out among the requests that were under way, and none of it twice."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mizzen_gateway.routing.shared_time import SharedTime

STAYS = st.lists(st.tuples(st.integers(0, 1000), st.integers(0, 300)), min_size=1, max_size=20)
"""When each request came, and how long it stayed."""


@given(STAYS)
def test_shares_add_up_to_the_time_in_which_anything_was_under_way(stays: list[tuple[int, int]]) -> None:
    time, began, shares = SharedTime(), {}, {}
    events = [(at, 1, number) for number, (at, _) in enumerate(stays)]
    events += [(at + stay, 2, number) for number, (at, stay) in enumerate(stays)]
    for at, what, number in sorted(events):
        if what == 1:
            began[number] = time.begin(at)
        else:
            shares[number] = time.end(began[number], at)
    busy = {moment for at, stay in stays for moment in range(at, at + stay)}
    assert sum(shares.values()) == pytest.approx(len(busy))
    assert all(0 <= shares[number] <= stay + 1e-9 for number, (_, stay) in enumerate(stays))


def test_two_at_once_get_half_each() -> None:
    time = SharedTime()
    first = time.begin(10.0)
    second = time.begin(12.0)
    assert time.end(first, 14.0) == 3.0
    assert time.end(second, 15.0) == 2.0
