"""The time of a replica is shared out among the requests that were under way, and none of it twice."""

import random
from collections.abc import Iterator

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


def test_what_other_gateways_have_under_way_gets_its_part_from_then_on() -> None:
    time = SharedTime()
    began = time.begin(10.0)
    time.share_with(3.0, 12.0)
    assert time.so_far(began, 16.0) == 2.0 + 1.0
    time.share_with(0.0, 16.0)
    assert time.end(began, 17.0) == 4.0


def test_two_gateways_that_use_one_replica_share_its_time_out_once() -> None:
    seed = random.randrange(2**32)
    print("seed", seed)
    chance = random.Random(seed)
    load, seconds = {"one": 3.0, "two": 1.5}, 2000.0
    stays = {
        name: [(at, at + chance.expovariate(1.0)) for at in arrivals(chance, under_way, seconds)]
        for name, under_way in load.items()
    }
    alone = sum(shared_out(one, 0.0) for one in stays.values())
    together = shared_out(stays["one"], load["two"]) + shared_out(stays["two"], load["one"])
    busy = shared_out([*stays["one"], *stays["two"]], 0.0)
    print(f"{busy:.0f} s busy; charged {alone / busy:.2f} of it each for itself, {together / busy:.2f} with gauges")
    assert alone > 1.6 * busy
    assert 0.75 * busy < together < 1.02 * busy


def arrivals(chance: random.Random, rate: float, seconds: float) -> Iterator[float]:
    """Moments at which requests come, independent of each other."""
    at = chance.expovariate(rate)
    while at < seconds:
        yield at
        at += chance.expovariate(rate)


def shared_out(stays: list[tuple[float, float]], others: float) -> float:
    """All shares of a gateway with these requests."""
    time, began, total = SharedTime(), {}, 0.0
    time.share_with(others, 0.0)
    events = [(at, 1, number) for number, (at, _) in enumerate(stays)]
    events += [(end, 2, number) for number, (_, end) in enumerate(stays)]
    for at, what, number in sorted(events):
        if what == 1:
            began[number] = time.begin(at)
        else:
            total += time.end(began[number], at)
    return total
