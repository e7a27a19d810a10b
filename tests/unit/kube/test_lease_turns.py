"""Who may hold a lease, second by second, with clocks that a test sets. Real processes: tests/cluster/kube."""

import asyncio
from copy import deepcopy
from datetime import UTC, datetime
from typing import Any, cast

import pytest
from mizzen_kube.api import Api
from mizzen_kube.errors import AlreadyExistsError, ConflictError, NotFoundError, UnavailableError
from mizzen_kube.lease import Lease, LeaseLostError, Term


class Server:
    """One lease, as the API server keeps it."""

    def __init__(self) -> None:
        self.lease: dict[str, Any] | None = None
        self.version = 0
        self.away = False

    async def get(self, resource: object, name: str, namespace: str) -> dict[str, Any]:
        self._reached()
        if self.lease is None:
            raise NotFoundError("none", status=404)
        return deepcopy(self.lease)

    async def create(self, manifest: dict[str, Any], *, field_manager: str) -> dict[str, Any]:
        self._reached()
        if self.lease is not None:
            raise AlreadyExistsError("there", status=409)
        return self._stored(manifest)

    async def replace(self, manifest: dict[str, Any], *, field_manager: str) -> dict[str, Any]:
        self._reached()
        if self.lease is None:
            raise NotFoundError("none", status=404)
        if manifest["metadata"]["resourceVersion"] != self.lease["metadata"]["resourceVersion"]:
            raise ConflictError("changed", status=409)
        return self._stored(manifest)

    def _reached(self) -> None:
        if self.away:
            raise UnavailableError("away")

    def _stored(self, manifest: dict[str, Any]) -> dict[str, Any]:
        self.version += 1
        kept = deepcopy(manifest)
        kept["metadata"] |= {"uid": "u", "resourceVersion": str(self.version)}
        self.lease = kept
        return deepcopy(kept)


class Replica:
    """A process with clocks of its own."""

    def __init__(self, server: Server, name: str, running: float = 0.0, year: int = 2026) -> None:
        self.now = running
        self.lease = Lease(
            cast("Api", server),
            "ns",
            "leader",
            name,
            term=Term(duration=15, renew=3, margin=5, look=2),
            clock=lambda: self.now,
            wall=lambda: datetime(year, 1, 1, tzinfo=UTC),
        )

    def turn(self) -> None:
        """One look, or one renewal."""
        asyncio.run(self.lease._turn())

    @property
    def holds(self) -> bool:
        return self.lease.held()


def after(seconds: float, *replicas: Replica) -> None:
    for replica in replicas:
        replica.now += seconds


@pytest.fixture
def server() -> Server:
    """The API server."""
    return Server()


@pytest.fixture
def first(server: Server) -> Replica:
    """The holder."""
    replica = Replica(server, "first", running=1000.0)
    replica.turn()
    assert replica.holds
    return replica


@pytest.fixture
def second(server: Server, first: Replica) -> Replica:
    """A rival that has seen the holder; its clocks have nothing to do with the holder's."""
    replica = Replica(server, "second", running=5.0, year=1999)
    replica.turn()
    assert not replica.holds
    return replica


def test_a_holder_that_renews_keeps_the_lease(first: Replica, second: Replica) -> None:
    for _ in range(100):
        after(3, first, second)
        first.turn()
        second.turn()
        assert first.holds
        assert not second.holds


def test_a_silent_holder_stops_before_a_rival_begins(first: Replica, second: Replica) -> None:
    after(9.9, first, second)
    assert first.holds
    after(0.2, first, second)
    assert not first.holds
    with pytest.raises(LeaseLostError, match="nothing was written"):
        first.lease.fence()
    after(4.8, first, second)
    second.turn()
    assert not second.holds, "15 s from when it saw the renewal, not sooner"
    after(0.2, first, second)
    second.turn()
    assert second.holds


def test_a_woken_holder_learns_that_it_is_one_no_more(first: Replica, second: Replica) -> None:
    after(15.1, second)
    second.turn()
    first.turn()
    assert second.holds
    assert not first.holds, "though its own clock stood still, as that of a stopped machine may"


def test_a_renewal_starts_from_when_it_was_asked_for(server: Server, first: Replica) -> None:
    """An answer that takes long must not lengthen the lease: the rival may have seen the renewal long ago."""
    answered = server.replace

    async def slow(manifest: dict[str, Any], *, field_manager: str) -> dict[str, Any]:
        done = await answered(manifest, field_manager=field_manager)
        after(9, first)
        return done

    server.replace = slow  # type: ignore[method-assign]  # the server is slow now
    first.turn()
    after(1.1, first)
    assert not first.holds


def test_somebody_elses_change_of_the_lease_does_not_end_it(server: Server, first: Replica, second: Replica) -> None:
    assert server.lease
    server._stored({**server.lease, "metadata": {**server.lease["metadata"], "labels": {"a": "b"}}})
    first.turn()
    first.turn()
    assert first.holds


def test_a_deleted_lease_is_the_holders_to_make_again(server: Server, first: Replica, second: Replica) -> None:
    server.lease = None
    second.turn()
    assert server.lease is None, "the holder may not have noticed yet"
    first.turn()
    first.turn()
    assert first.holds
    server.lease = None
    second.turn()
    after(15.1, second)
    second.turn()
    assert second.holds, "a holder that is dead makes none"


def test_a_server_away_for_a_minute_changes_no_holder(server: Server, first: Replica, second: Replica) -> None:
    server.away = True
    for _ in range(20):
        after(3, first, second)
        for replica in (first, second):
            with pytest.raises(UnavailableError):
                replica.turn()
    assert not first.holds
    server.away = False
    first.turn()
    second.turn()
    assert [first.holds, second.holds] == [True, False]


def test_a_process_of_the_same_name_is_another(server: Server, first: Replica) -> None:
    again = Replica(server, "first")
    again.turn()
    assert not again.holds


def test_a_term_that_cannot_be_renewed_in_time_is_refused() -> None:
    with pytest.raises(ValueError, match="make renew smaller than duration - margin"):
        Term(duration=10, renew=6, margin=5)
