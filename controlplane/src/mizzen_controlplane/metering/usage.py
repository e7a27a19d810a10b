"""What was used? Quarter-hours added up to hours, days or months of a time zone; pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from mizzen_controlplane.metering.meters import METERS, Sums


class Bucket(StrEnum):
    """How long a row of usage is."""

    HOUR = "hour"
    DAY = "day"
    MONTH = "month"


@dataclass(frozen=True, slots=True)
class UsageSum:
    """Usage of one group in one bucket."""

    bucket_start: datetime
    group: tuple[str, ...]
    sums: Sums


def bucket_start(quarter: datetime, bucket: Bucket, zone: ZoneInfo) -> datetime:
    """Begin of the bucket that holds the quarter-hour, UTC. Hours are of UTC, days and months of the zone."""
    if bucket is Bucket.HOUR:
        return quarter.replace(minute=0)
    local = quarter.astimezone(zone).replace(hour=0, minute=0, fold=0)
    first = local.replace(day=1) if bucket is Bucket.MONTH else local
    return first.astimezone(UTC)


def in_buckets(rows: Iterable[Sequence[Any]], bucket: Bucket, time_zone: str) -> list[UsageSum]:
    """Rows (quarter, group..., meters...) added up, by bucket and group."""
    zone = ZoneInfo(time_zone)
    found: dict[tuple[datetime, tuple[str, ...]], Sums] = {}
    for quarter, *rest in rows:
        group = tuple(str(part) for part in rest[: -len(METERS)])
        total = found.setdefault((bucket_start(quarter, bucket, zone), group), Sums())
        total.add(int(value) for value in rest[-len(METERS) :])
    return [UsageSum(start, group, found[start, group]) for start, group in sorted(found)]
