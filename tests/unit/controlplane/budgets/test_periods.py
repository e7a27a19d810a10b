"""When does a budget begin anew?"""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mizzen_controlplane.budgets.months import month_name, named_month
from mizzen_crds.access import BudgetWindow
from mizzen_crds.periods import QUARTER, Window, month_of, quarter_of

ZONES = st.sampled_from(
    ["UTC", "Europe/Berlin", "America/Los_Angeles", "Asia/Kolkata", "Pacific/Apia", "Asia/Kathmandu"]
)
MOMENTS = st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - zone beside


@given(MOMENTS, ZONES)
def test_every_moment_lies_in_its_month_and_months_follow_each_other(moment: datetime, zone: str) -> None:
    month = month_of(moment, zone)
    assert month.start <= moment < month.end
    assert month_of(month.end, zone).start == month.end
    assert named_month(month_name(month, zone), zone) == month


CALENDAR = st.sampled_from([BudgetWindow.DAY, BudgetWindow.WEEK, BudgetWindow.MONTH])


@given(MOMENTS, ZONES, CALENDAR)
def test_calendar_windows_hold_every_moment_once_and_begin_with_a_quarter_hour(
    moment: datetime, zone: str, kind: BudgetWindow
) -> None:
    window = Window(kind, 0, zone)
    period = window.period_of(moment)
    assert period.start <= moment < period.end
    assert window.period_of(period.end).start == period.end
    assert quarter_of(period.start) == period.start
    assert window.booked_at(quarter_of(moment)) == window.booked_at(moment) == period.start


@given(MOMENTS, st.integers(1, 400))
def test_a_rolling_window_is_never_shorter_than_was_said_and_a_quarter_hour_longer_at_most(
    moment: datetime, quarters: int
) -> None:
    window = Window(BudgetWindow.ROLLING, quarters * 900, "UTC")
    period = window.period_of(moment)
    reach = moment - period.start
    assert timedelta(seconds=quarters * 900) <= reach < timedelta(seconds=quarters * 900) + QUARTER
    assert period.start <= window.booked_at(moment) < period.end
    assert window.period_of(period.end).start == period.start + QUARTER


def test_a_week_begins_on_monday_of_the_organization() -> None:
    week = Window(BudgetWindow.WEEK, 0, "Europe/Berlin").period_of(datetime(2026, 3, 29, 12, tzinfo=UTC))
    assert (week.start, week.end) == (
        datetime(2026, 3, 22, 23, tzinfo=UTC),
        datetime(2026, 3, 29, 22, tzinfo=UTC),
    ), "the last Sunday of March has 23 hours there"


def test_a_month_begins_at_midnight_of_the_organization() -> None:
    month = month_of(datetime(2026, 3, 31, 22, 30, tzinfo=UTC), "Europe/Berlin")
    assert month.start == datetime(2026, 3, 31, 22, tzinfo=UTC)
    assert month.end == datetime(2026, 4, 30, 22, tzinfo=UTC)


@pytest.mark.parametrize("name", ["2026-3", "2026-13", "2026-00", "202603", "2026/03", "２０２６-03", "", "0000-01"])
def test_what_is_not_a_month_is_refused_with_the_form(name: str) -> None:
    with pytest.raises(ValueError, match="YYYY-MM"):
        named_month(name, "UTC")
