"""Counts of end users, of whom there may be very many: idle ones are forgotten, and no caller fills the memory."""

import pytest
from mizzen_gateway.limits import process_store
from mizzen_gateway.limits.leases import CreditLeases
from mizzen_gateway.limits.process_store import ProcessStore
from mizzen_gateway.limits.rules import limit_rule
from support.access_snapshots import a_limit

ONE = (1, 0, 0, 0, 0, 1)
SECOND = 1_000_000_000


class Users:
    """A store, and a limit of two a minute for each end user."""

    def __init__(self) -> None:
        self.now_ns = SECOND
        self.store = ProcessStore(CreditLeases(None, lambda: 0.0), lambda: self.now_ns, lambda: 0.0)
        self.limit = a_limit(2, id="lim_each", window_seconds=60)

    def counts(self, user: int):
        return self.store.counts([limit_rule(self.limit, f"lim_each/{user}", enforced=True)], [], "org_a")

    def admitted(self, user: int) -> int:
        """Of three."""
        counts = self.counts(user)
        return sum(counts.take(ONE, 0.0) is counts._held for _ in range(3))


@pytest.fixture
def users(monkeypatch) -> Users:
    monkeypatch.setattr(process_store, "MANY_COUNTS", 50)
    monkeypatch.setattr(process_store, "MOST_COUNTS", 100)
    return Users()


def test_users_who_are_idle_are_forgotten(users):
    for user in range(1000):
        users.now_ns += 60 * SECOND
        assert users.admitted(user) == 2
    assert len(users.store._buckets) < 60


def test_a_count_that_was_forgotten_is_the_same_for_who_still_has_it(users):
    remembered = users.counts(0)
    for user in range(1, 200):
        users.now_ns += 60 * SECOND
        users.admitted(user)
    assert "lim_each/0" not in users.store._buckets
    assert remembered.take(ONE, 0.0) is remembered._held
    assert users.admitted(0) == 1


def test_beyond_so_many_busy_users_further_ones_count_together_and_each_has_its_own_when_there_is_room(users):
    assert [users.admitted(user) for user in range(100)] == [2] * 100
    assert [users.admitted(user) for user in range(100, 200)] == [2] + [0] * 99
    assert len(users.store._buckets) == 101
    assert users.admitted(5) == 0
    users.now_ns += 120 * SECOND
    for user in range(200, 210):
        users.admitted(user)
    assert [users.admitted(user) for user in range(300, 310)] == [2] * 10


def test_each_further_user_has_few_others_looked_at(users, monkeypatch):
    looked_at = []
    level = process_store.Bucket.level
    monkeypatch.setattr(process_store.Bucket, "level", lambda bucket, now: looked_at.append(1) or level(bucket, now))
    for user in range(1000):
        users.counts(user)
    assert len(looked_at) <= 1000 * process_store.LOOKED_AT
