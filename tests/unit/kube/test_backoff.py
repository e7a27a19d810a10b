"""Pauses grow, never match, end never, and are never shorter than the server asked."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st
from mizzen_kube.backoff import Backoff


def test_pauses_grow_to_the_longest_and_no_further() -> None:
    backoff = Backoff(shortest=0.2, longest=10.0)
    pauses = [backoff.after(0.0) for _ in range(2000)]
    assert 0.1 <= pauses[0] <= 0.2
    assert min(pauses[10:]) >= 5.0
    assert max(pauses) <= 10.0


def test_what_lived_long_begins_anew() -> None:
    backoff = Backoff(shortest=0.2, longest=10.0, steady=5.0)
    for _ in range(10):
        backoff.after(0.1)
    assert backoff.after(5.0) <= 0.2


@given(st.integers(), st.floats(0, 100), st.floats(0.1, 300))
def test_the_server_is_never_asked_sooner_than_it_said(seed: int, lived: float, retry_after: float) -> None:
    assert Backoff(_random=Random(seed)).after(lived, retry_after) >= retry_after
