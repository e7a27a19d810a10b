"""When does a budget begin anew? Days, weeks and months begin at midnight in the organization's time zone.

The control plane books and lends by it, and so does a gateway that runs alone, by the time zone of its file.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from mizzen_crds.access import BudgetWindow

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
"""Begin of what has none."""
NEVER: Final = datetime(9999, 12, 31, tzinfo=UTC)
"""End of what has none."""
QUARTER: Final = timedelta(minutes=15)
"""What spending is added up by; every time zone's midnight is the begin of one."""


@dataclass(frozen=True, slots=True)
class Period:
    """A stretch of time."""

    start: datetime
    """First moment, UTC."""
    end: datetime
    """First moment after it, UTC."""


@dataclass(frozen=True, slots=True)
class Window:
    """How often a budget begins anew, in a time zone."""

    kind: BudgetWindow
    seconds: int
    """Length of a rolling one."""
    time_zone: str

    def period_of(self, moment: datetime) -> Period:
        """The period that holds the moment.

        A rolling one reaches back to the begin of a quarter-hour, so that it is never shorter than was said, and ends
        when its first quarter-hour leaves it.
        """
        if self.kind is BudgetWindow.LIFETIME:
            return Period(EPOCH, NEVER)
        if self.kind is BudgetWindow.ROLLING:
            length = timedelta(seconds=self.seconds)
            start = quarter_of(moment - length)
            return Period(start, start + QUARTER + length)
        if self.kind is BudgetWindow.MONTH:
            return month_of(moment, self.time_zone)
        zone = ZoneInfo(self.time_zone)
        today = moment.astimezone(zone).date()
        if self.kind is BudgetWindow.DAY:
            return _days(today, 1, zone)
        return _days(today - timedelta(days=today.weekday()), 7, zone)

    def booked_at(self, moment: datetime) -> datetime:
        """Which row of spending a request of that moment belongs to."""
        return quarter_of(moment) if self.kind is BudgetWindow.ROLLING else self.period_of(moment).start

    def lent_at(self, moment: datetime) -> datetime:
        """Which period's credit a request of that moment uses: a rolling window's never ends."""
        return EPOCH if self.kind is BudgetWindow.ROLLING else self.period_of(moment).start


def quarter_of(moment: datetime) -> datetime:
    """Begin of the quarter-hour that holds the moment."""
    return moment.replace(minute=moment.minute // 15 * 15, second=0, microsecond=0)


def month_of(moment: datetime, time_zone: str) -> Period:
    """The calendar month that holds the moment."""
    zone = ZoneInfo(time_zone)
    local = moment.astimezone(zone)
    return calendar_month(local.year, local.month, zone)


def calendar_month(year: int, month: int, zone: ZoneInfo) -> Period:
    """A month of a year, January being 1."""
    first, later = date(year, month, 1), date(year + month // 12, month % 12 + 1, 1)
    return Period(_midnight(first, zone), _midnight(later, zone))


def _days(first: date, count: int, zone: ZoneInfo) -> Period:
    return Period(_midnight(first, zone), _midnight(first + timedelta(days=count), zone))


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)
