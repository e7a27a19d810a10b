"""Is the number of requests found that a replica is worth? Against engines whose capacity is known."""

from collections.abc import Callable

import pytest
from mizzen_gateway.overload.capacity import Capacity

Speed = Callable[[float], float]
"""Work per second of one request, of so many at once."""


def batch_of(most: int) -> Speed:
    """So many run together at full speed, the others wait."""
    return lambda load: min(1.0, most / load)


def settled(capacity: Capacity, speed: Speed, rounds: int = 200, start: float = 8.0) -> list[float]:
    """Limits of as many rounds in which there is always more to do than is let through."""
    limits, load = [], start
    for _ in range(rounds):
        if capacity.limit is None:
            load *= 1.3
        else:
            load = capacity.limit
            limits.append(load)
        capacity.ended(load, speed(load), full=True)
    return limits


@pytest.mark.parametrize("most", [1, 4, 16, 100, 512])
def test_the_batch_of_an_engine_is_found(most: int) -> None:
    limits = settled(Capacity(), batch_of(most))
    late = limits[-50:]
    assert max(min(late), most / 1.3) <= most * 1.3
    outputs = [limit * batch_of(most)(limit) for limit in late]
    assert sum(outputs) / len(outputs) >= 0.95 * most
    assert sum(late) / len(late) <= max(1.2 * most, most + 1.5)


def test_nobody_is_held_back_while_more_requests_bring_more() -> None:
    capacity = Capacity()
    for load in range(1, 200):
        capacity.ended(float(load), 1.0, full=False)
    for load in range(200, 1, -1):
        capacity.ended(float(load), 1.0, full=False)
    assert capacity.limit is None


def test_an_engine_that_slows_down_with_its_batch_but_gives_more_is_not_held_back() -> None:
    capacity = Capacity()
    for load in range(1, 100):
        capacity.ended(float(load), 1 / (1 + load / 200), full=False)
    assert capacity.limit is None


def test_one_bad_round_holds_nobody_back() -> None:
    capacity = Capacity()
    for load in (10.0, 12.0, 11.0):
        capacity.ended(load, 1.0, full=False)
    capacity.ended(40.0, 0.2, full=False)
    assert capacity.limit is None
    capacity.ended(20.0, 1.0, full=False)
    capacity.ended(60.0, 0.3, full=False)
    assert capacity.limit is None


@pytest.mark.parametrize(("before", "after"), [(32, 12), (32, 64), (8, 100)])
def test_the_limit_follows_an_engine_that_becomes_another(before: int, after: int) -> None:
    capacity = Capacity()
    settled(capacity, batch_of(before))
    late = settled(capacity, batch_of(after), rounds=300)[-50:]
    assert after * 0.9 <= sum(late) / len(late) <= after * 1.2


def test_a_limit_that_holds_nobody_back_is_left_as_it_is() -> None:
    capacity = Capacity()
    settled(capacity, batch_of(32))
    before = capacity.limit
    for _ in range(100):
        assert not capacity.ended(4.0, 1.0, full=False)
    assert capacity.limit == before


def test_an_engine_that_refuses_is_asked_for_less_at_once() -> None:
    capacity = Capacity()
    assert capacity.refused(50.0)
    assert capacity.limit is not None
    assert 40 < capacity.limit < 50
    assert capacity.refused(50.0), "it still does"
    assert 36 < capacity.limit < 40


def test_an_engine_that_refuses_is_asked_for_no_less_than_it_answered() -> None:
    capacity = Capacity()
    assert capacity.refused(50.0, well=48.0)
    assert not capacity.refused(50.0, well=48.0)
    assert capacity.limit == 48.0


@pytest.mark.parametrize("most", [4, 32])
def test_a_limit_that_refusals_have_set_too_low_is_found_out(most: int) -> None:
    capacity = Capacity()
    capacity.refused(most / 2)
    late = settled(capacity, batch_of(most), rounds=100)[-20:]
    assert most * 0.9 <= sum(late) / len(late) <= most * 1.3
