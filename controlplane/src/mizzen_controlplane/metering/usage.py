"""What was used? Quarter-hours added up to hours, days or months of a time zone; pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo


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
    requests: int
    input_tokens: int
    output_tokens: int
    cost_pico: int


def bucket_start(quarter: datetime, bucket: Bucket, zone: ZoneInfo) -> datetime:
    """Begin of the bucket that holds the quarter-hour, UTC. Hours are of UTC, days and months of the zone."""
    if bucket is Bucket.HOUR:
        return quarter.replace(minute=0)
    local = quarter.astimezone(zone).replace(hour=0, minute=0, fold=0)
    first = local.replace(day=1) if bucket is Bucket.MONTH else local
    return first.astimezone(UTC)


def in_buckets(rows: Iterable[Sequence[Any]], bucket: Bucket, time_zone: str) -> list[UsageSum]:
    """Rows (quarter, group..., requests, input, output, cost) added up, by bucket and group."""
    zone = ZoneInfo(time_zone)
    sums: dict[tuple[datetime, tuple[str, ...]], list[int]] = {}
    for quarter, *rest in rows:
        group = tuple(str(part) for part in rest[:-4])
        total = sums.setdefault((bucket_start(quarter, bucket, zone), group), [0, 0, 0, 0])
        for index, value in enumerate(rest[-4:]):
            total[index] += int(value)
    return [UsageSum(start, group, *total) for (start, group), total in sorted(sums.items())]
