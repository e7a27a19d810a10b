"""When does a month begin?"""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mizzen_controlplane.budgets.periods import month_name, month_of, named_month

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


def test_a_month_begins_at_midnight_of_the_organization() -> None:
    month = month_of(datetime(2026, 3, 31, 22, 30, tzinfo=UTC), "Europe/Berlin")
    assert month.start == datetime(2026, 3, 31, 22, tzinfo=UTC)
    assert month.end == datetime(2026, 4, 30, 22, tzinfo=UTC)


@pytest.mark.parametrize("name", ["2026-3", "2026-13", "2026-00", "202603", "2026/03", "２０２６-03", "", "0000-01"])
def test_what_is_not_a_month_is_refused_with_the_form(name: str) -> None:
    with pytest.raises(ValueError, match="YYYY-MM"):
        named_month(name, "UTC")
