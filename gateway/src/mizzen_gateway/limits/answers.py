"""What does a store say to a request? Everything was taken, or nothing was and why.

Levels are units in use, by the place of the limit: what is counted and has not drained yet, fractions included.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from mizzen_gateway.limits.rules import Amounts


class Holding(Protocol):
    """What an admitted request holds until it is settled."""

    @property
    def levels(self) -> Sequence[float]:
        """Of each limit, with this request counted."""
        ...

    @property
    def shadowed(self) -> Sequence[int]:
        """Places of limits that would have refused, did they enforce."""
        ...

    @property
    def holder(self) -> str:
        """Whose leases its cost comes out of; empty for the gateway's own."""
        ...

    def watch(self, so_far: Callable[[], Amounts]) -> None:
        """Where to read what was used until now, while the request runs."""
        ...

    def settle(self, taken: Amounts, used: Amounts, seconds: float = 0.0) -> None:
        """Count what was used of what was taken so long ago. Called once for each request; does not block."""
        ...


class Denial:
    """Nothing was taken."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class OverLimit(Denial):
    """A limit has too little left."""

    place: int
    """Of the limit."""
    levels: Sequence[float]
    """Of all limits, without this request."""


@dataclass(frozen=True, slots=True)
class OverBudget(Denial):
    """A budget does not cover the bound, and the ledger has no more."""

    place: int
    """Of the budget."""
    period_end: float
    """Seconds since the epoch, 0 where the ledger has not told."""
    free: int
    """At hand in the store and not held, in the budget's smallest part."""
    held: int
    """For requests under way; of a store that gateways share, when the ledger was last asked (EXHAUSTED_SECONDS)."""


@dataclass(frozen=True, slots=True)
class LedgerSilent(Denial):
    """A budget's credit at hand is used up, and the ledger does not answer."""

    place: int
    """Of the budget."""


@dataclass(frozen=True, slots=True)
class StoreForgot(Denial):
    """The store lost its memory: no credit before old leases have expired."""

    place: int
    """Of the budget."""
    closed_until: float
    """Seconds since the epoch."""


@dataclass(frozen=True, slots=True)
class StoreLost(Denial):
    """The store does not answer."""


Answer = Holding | Denial
