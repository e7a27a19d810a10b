"""When does a budget of gateway.yaml begin anew? Days, weeks and months begin at midnight in the file's time zone."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from mizzen_crds.access import BudgetWindow

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
NEVER: Final = datetime(9999, 12, 31, tzinfo=UTC)
QUARTER: Final = 900
"""Seconds that spending is added up by; every time zone's midnight is the begin of such a quarter of an hour."""


@dataclass(frozen=True, slots=True)
class Period:
    """A stretch of time, UTC; `end` is the first moment after it."""

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Window:
    """How often a budget begins anew."""

    kind: BudgetWindow
    seconds: int
    """Length of a rolling one."""
    time_zone: str

    def period_of(self, moment: datetime) -> Period:
        """The period that holds the moment. A rolling one begins with a quarter, and ends when that leaves it."""
        if self.kind is BudgetWindow.LIFETIME:
            return Period(EPOCH, NEVER)
        if self.kind is BudgetWindow.ROLLING:
            first = quarter_of(moment) * QUARTER - self.seconds
            return Period(_at(first), _at(first + self.seconds + QUARTER))
        zone = ZoneInfo(self.time_zone)
        today = moment.astimezone(zone).date()
        if self.kind is BudgetWindow.MONTH:
            first_day = today.replace(day=1)
            return Period(_midnight(first_day, zone), _midnight((first_day + timedelta(days=31)).replace(day=1), zone))
        days = 1 if self.kind is BudgetWindow.DAY else 7
        begin = today if days == 1 else today - timedelta(days=today.weekday())
        return Period(_midnight(begin, zone), _midnight(begin + timedelta(days=days), zone))


def quarter_of(moment: datetime) -> int:
    """Number of the quarter of an hour since the epoch."""
    return int(moment.timestamp()) // QUARTER


def _at(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)
