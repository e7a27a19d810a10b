"""When does a budget's month begin and end? At midnight of the first, in the organization's time zone."""

from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo


@dataclass(frozen=True)
class Period:
    """A calendar month."""

    start: datetime
    """First moment, UTC."""
    end: datetime
    """First moment of the next, UTC."""


def month_of(moment: datetime, time_zone: str) -> Period:
    """The calendar month that holds the moment."""
    zone = ZoneInfo(time_zone)
    local = moment.astimezone(zone)
    return _month(local.year, local.month, zone)


def named_month(name: str, time_zone: str) -> Period:
    """The month written YYYY-MM. Raises ValueError for anything else."""
    year, dash, month = name.partition("-")
    if len(name) != 7 or not dash or not (year.isascii() and year.isdigit() and month.isascii() and month.isdigit()):
        raise ValueError(f'"{name[:20]}" is not a month: write YYYY-MM, such as 2026-03')
    if not (1970 <= int(year) <= 9000 and 1 <= int(month) <= 12):
        raise ValueError(f'"{name}" is no month of the calendar: write YYYY-MM with MM from 01 to 12')
    return _month(int(year), int(month), ZoneInfo(time_zone))


def month_name(period: Period, time_zone: str) -> str:
    """The month as YYYY-MM."""
    return period.start.astimezone(ZoneInfo(time_zone)).strftime("%Y-%m")


def _month(year: int, month: int, zone: ZoneInfo) -> Period:
    later = (year + month // 12, month % 12 + 1)
    start, end = (datetime(y, m, 1, tzinfo=zone).astimezone(UTC) for y, m in ((year, month), later))
    return Period(start, end)
