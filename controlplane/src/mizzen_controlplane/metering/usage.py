"""Which stretches of time is usage shown by? Quarters of an hour, or hours, days and months of a time zone; pure."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from mizzen_crds.periods import QUARTER, quarter_of

from mizzen_controlplane.metering.meters import METERS, Sums


class Bucket(StrEnum):
    """How long a row of usage is."""

    QUARTER = "15m"
    HOUR = "hour"
    DAY = "day"
    MONTH = "month"


@dataclass(frozen=True, slots=True)
class UsageSum:
    """Usage of one group in one bucket."""

    bucket_start: datetime
    group: tuple[str, ...]
    sums: Sums


def bucket_start(moment: datetime, bucket: Bucket, zone: ZoneInfo) -> datetime:
    """Begin of the bucket that holds the quarter-hour of `moment`, UTC, by the zone's clocks.

    Where clocks are set back by an hour, the hour that they show twice is two buckets, and its day has 25.
    """
    quarter = quarter_of(moment)
    local = quarter.astimezone(zone)
    if bucket is Bucket.QUARTER:
        return quarter
    if bucket is Bucket.HOUR:
        return local.replace(minute=0).astimezone(UTC)
    local = local.replace(hour=0, minute=0, fold=0)
    return (local.replace(day=1) if bucket is Bucket.MONTH else local).astimezone(UTC)


def next_start(start: datetime, bucket: Bucket, zone: ZoneInfo) -> datetime:
    """Begin of the bucket after the one that begins at `start`."""
    if bucket is Bucket.MONTH:
        return bucket_start(start + timedelta(days=32), bucket, zone)
    step = start + (timedelta(hours=22) if bucket is Bucket.DAY else QUARTER)  # none is shorter, whatever clocks do
    while bucket_start(step, bucket, zone) <= start:
        step += QUARTER
    return step


def buckets_between(start: datetime, end: datetime, bucket: Bucket, time_zone: str) -> list[tuple[datetime, datetime]]:
    """Begins and ends of the buckets that cover the range, UTC; the first and the last are whole, not cut."""
    zone = ZoneInfo(time_zone)
    found, at = [], bucket_start(start.astimezone(UTC), bucket, zone)
    while at < end:
        after = next_start(at, bucket, zone)
        found.append((at, after))
        at = after
    return found


def usage_sum(row: tuple[Any, ...]) -> UsageSum:
    """Of a row (bucket, group..., meters...)."""
    start, *rest = row
    group = tuple(str(part) for part in rest[: -len(METERS)])
    return UsageSum(start, group, Sums(*map(int, rest[-len(METERS) :])))
