"""GCRA against a naive reference that keeps fractions, with a clock of its own."""

from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st
from mizzen_crds.gcra import Bucket, remaining, seconds_until

SECOND = 1_000_000_000


class Reference:
    """A token bucket in exact fractions: starts full, refills evenly, never above its amount."""

    def __init__(self, amount: int, window_ns: int) -> None:
        self.amount, self.window, self.tokens, self.at = amount, window_ns, Fraction(amount), 0

    def take(self, units: int, now: int) -> bool:
        refilled = self.tokens + Fraction((now - self.at) * self.amount, self.window)
        self.tokens, self.at = min(Fraction(self.amount), refilled), now
        if units > self.tokens:
            return False
        self.tokens -= units
        return True


@settings(max_examples=200, deadline=None)
@given(
    amount=st.integers(1, 1000),
    window=st.integers(1, 3600),
    steps=st.lists(st.tuples(st.integers(0, 90 * SECOND), st.integers(0, 1200)), max_size=40),
)
def test_it_admits_what_an_exact_token_bucket_admits(amount, window, steps):
    now = 5 * SECOND
    bucket, reference = Bucket(amount, window * SECOND), Reference(amount, window * SECOND)
    for pause, units in steps:
        now += pause
        fits = bucket.fits(units, now)
        assert fits == reference.take(units, now)
        if fits:
            bucket.take(units, now)
        assert remaining(amount, bucket.level(now)) == int(reference.tokens)


@settings(max_examples=200, deadline=None)
@given(amount=st.integers(1, 10_000), window=st.integers(1, 3600), used=st.integers(0, 10_000), units=st.integers(1, 9))
def test_after_the_wait_it_names_the_units_fit_and_not_before(amount, window, used, units):
    bucket = Bucket(amount, window * SECOND)
    bucket.take(min(used, amount), SECOND)
    wait = seconds_until(units, amount, window, bucket.level(SECOND))
    if units > amount:
        assert wait is None
    elif wait:
        then = SECOND + int(wait * SECOND)
        assert bucket.fits(units, then + 10_000)
        assert not bucket.fits(units, then - 10_000)
    else:
        assert bucket.fits(units, SECOND)


@given(amount=st.integers(1, 1000), taken=st.integers(0, 1000), back=st.integers(0, 1000))
def test_what_is_given_back_can_be_taken_again(amount, taken, back):
    taken = min(taken, amount)
    back = min(back, taken)
    bucket = Bucket(amount, 60 * SECOND)
    bucket.take(taken, SECOND)
    bucket.give_back(back, 0)
    assert remaining(bucket.amount, bucket.level(SECOND)) == amount - taken + back


@given(
    steps=st.lists(st.tuples(st.integers(0, 20 * SECOND), st.integers(0, 60), st.integers(0, 60)), max_size=30),
    amount=st.integers(1, 100),
    window=st.integers(1, 30),
    counted_at_once=st.booleans(),
)
def test_whatever_is_given_back_no_window_admits_more_than_its_burst_and_what_refills(
    steps, amount, window, counted_at_once
):
    """Each request ends some steps later with what it used: against a bucket that knew that from the beginning."""
    now, bucket, ends = SECOND, Bucket(amount, window * SECOND), []
    used_at: list[tuple[int, int]] = []
    for pause, units, used in steps:
        now += pause
        while ends and ends[0][0] <= now:
            _, held, spent, since = ends.pop(0)
            if counted_at_once:
                bucket.give_back(held - spent, now - since)
                used_at.append((since, spent))
            else:
                bucket.spend(held, spent, now)
                used_at.append((now, spent))
        if bucket.fits(units, now):
            if counted_at_once:
                bucket.take(units, now)
            else:
                bucket.held += units
            ends = sorted([*ends, (now + used * SECOND, units, min(used, units), now)])
    used_at.sort()
    for first, (begin, _) in enumerate(used_at):
        so_far = 0
        for end, spent in used_at[first:]:
            so_far += spent
            assert so_far * window * SECOND <= amount * (window * SECOND + end - begin)


def test_another_amount_keeps_what_is_used():
    bucket = Bucket(100, 60 * SECOND)
    bucket.take(80, SECOND)
    bucket.resize(200, 60 * SECOND, SECOND)
    assert remaining(bucket.amount, bucket.level(SECOND)) == 120
    bucket.resize(50, 30 * SECOND, SECOND)
    assert remaining(bucket.amount, bucket.level(SECOND)) == 0
