"""What would limits have refused of requests that were made? A replay by the gateways' own counts, without a clock.

The most that a request could have used is not recorded: it is held with what it used in the end. So nothing is refused
here that a gateway would let through, and a gateway that reserves for long answers may refuse more.
"""

import heapq
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from mizzen_crds.access import LimitMetric
from mizzen_crds.gcra import Bucket

SECOND: Final = 1_000_000_000
HOUR: Final = 3600 * SECOND


@dataclass(frozen=True, slots=True)
class Recorded:
    """One request of the ledger."""

    key_id: str
    model: str
    started_ns: int
    """Since 1970."""
    ended_ns: int
    used: Mapping[LimitMetric, int]
    """Units of each metric; 1 of concurrency."""


@dataclass(frozen=True, slots=True)
class Proposed:
    """One limit."""

    name: str
    metric: LimitMetric
    amount: int
    window_seconds: int
    """0 for concurrency."""
    key_id: str = ""
    """That it is confined to; empty for all keys."""
    model: str | None = None
    keys: frozenset[str] | None = None
    """Those of an owner that it is confined to; None for all."""
    enforced: bool = True
    """It refuses; else it only counts, and is told as if it did."""

    def applies_to(self, one: Recorded) -> bool:
        """Whether it counts the request."""
        whose = self.key_id in ("", one.key_id) and (self.keys is None or one.key_id in self.keys)
        return whose and self.model in (None, one.model)

    def bucket(self) -> Bucket:
        """An empty count."""
        return Bucket(self.amount, self.window_seconds * SECOND or 1)


@dataclass(slots=True)
class Refusals:
    """What one limit would have refused."""

    count: int = 0
    first_ns: int = 0
    last_ns: int = 0
    by_hour: dict[int, int] = field(default_factory=dict)
    """Begin of the hour, in nanoseconds since 1970 -> how many."""

    def note(self, at_ns: int) -> None:
        """One more."""
        self.count += 1
        self.first_ns, self.last_ns = self.first_ns or at_ns, at_ns
        hour = at_ns - at_ns % HOUR
        self.by_hour[hour] = self.by_hour.get(hour, 0) + 1


@dataclass(slots=True)
class Outcome:
    """What became of all requests."""

    requests: int = 0
    refused: int = 0
    by_limit: list[Refusals] = field(default_factory=list)
    """In the order of the limits; shadow ones too, whose refusals are none of `refused`."""
    decisions: list[int] = field(default_factory=list)
    """Of each request: the place of the limit that refused it, or -1."""


def replay(recorded: Iterable[Recorded], limits: Sequence[Proposed]) -> Outcome:
    """Put the requests, in the order of their begin, to the limits: all must pass, or nothing is taken."""
    buckets = [limit.bucket() for limit in limits]
    outcome = Outcome(by_limit=[Refusals() for _ in limits])
    ends: list[tuple[int, int, Recorded, tuple[int, ...]]] = []
    for number, one in enumerate(recorded):
        while ends and ends[0][0] <= one.started_ns:
            _end(heapq.heappop(ends), limits, buckets)
        places = tuple(place for place, limit in enumerate(limits) if limit.applies_to(one))
        refusing = _taken(one, places, limits, buckets, outcome)
        outcome.requests += 1
        outcome.decisions.append(refusing)
        if refusing >= 0:
            outcome.refused += 1
        else:
            heapq.heappush(ends, (one.ended_ns, number, one, places))
    return outcome


def level_of(limit: Proposed, recorded: Iterable[Recorded], now_ns: int) -> float:
    """Units of the limit that are in use now, by the requests that have ended, in the order of their end."""
    bucket = limit.bucket()
    for one in recorded:
        if limit.applies_to(one):
            at_ns = one.started_ns if limit.metric is LimitMetric.REQUESTS else one.ended_ns
            bucket.take(one.used[limit.metric], at_ns)
    return bucket.level(now_ns)


def _taken(
    one: Recorded, places: Sequence[int], limits: Sequence[Proposed], buckets: Sequence[Bucket], outcome: Outcome
) -> int:
    """-1 where it fits and is taken from all, else the place of the limit that refuses it, and nothing is taken."""
    for done, place in enumerate(places):
        limit, bucket, units = limits[place], buckets[place], one.used[limits[place].metric]
        if not bucket.fits(units, one.started_ns):
            outcome.by_limit[place].note(one.started_ns)
            if limit.enforced:
                for earlier in places[:done]:
                    _put_back(one, limits[earlier], buckets[earlier])
                return place
        if limit.metric is LimitMetric.REQUESTS:
            bucket.take(units, one.started_ns)
        else:
            bucket.held += units
    return -1


def _put_back(one: Recorded, limit: Proposed, bucket: Bucket) -> None:
    if limit.metric is LimitMetric.REQUESTS:
        bucket.give_back(one.used[limit.metric], 0)
    else:
        bucket.held -= one.used[limit.metric]


def _end(
    ended: tuple[int, int, Recorded, tuple[int, ...]], limits: Sequence[Proposed], buckets: Sequence[Bucket]
) -> None:
    at_ns, _, one, places = ended
    for place in places:
        metric = limits[place].metric
        if metric is not LimitMetric.REQUESTS:
            held = one.used[metric]
            buckets[place].spend(held, 0 if metric is LimitMetric.CONCURRENCY else held, at_ns)
