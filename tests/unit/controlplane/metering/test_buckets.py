"""Do hours, days and months of every time zone share out all quarter-hours, whatever is done to clocks?"""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mizzen_controlplane.metering.usage import Bucket, bucket_start, buckets_between
from mizzen_crds.periods import QUARTER, quarter_of

ZONES = [
    "UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Asia/Kathmandu", "Australia/Lord_Howe",
    "America/Havana", "Asia/Beirut", "Pacific/Apia", "America/St_Johns",
]  # fmt: skip
FIRST = datetime(2011, 1, 1, tzinfo=UTC)
MOMENTS = st.integers(0, 19 * 365 * 96).map(lambda quarters: FIRST + quarters * QUARTER)
LONG = {Bucket.QUARTER: 1, Bucket.HOUR: 3, Bucket.DAY: 40, Bucket.MONTH: 100}


@settings(deadline=None)
@given(MOMENTS, st.integers(0, 899), st.sampled_from(list(Bucket)), st.sampled_from(ZONES), st.floats(0.1, 1))
def test_every_quarter_hour_is_in_one_bucket(
    quarter_hour: datetime, seconds: int, bucket: Bucket, zone: str, part: float
) -> None:
    start = quarter_hour + timedelta(seconds=seconds)
    end = start + timedelta(days=LONG[bucket]) * part
    found = buckets_between(start, end, bucket, zone)
    assert found[0][0] <= start
    assert found[-1][1] >= end
    assert all(one[1] == other[0] for one, other in pairwise(found))
    for begins, ends in found:
        assert begins < ends
        assert begins == quarter_of(begins), "also where the question begins within a quarter-hour"
        for quarter in (begins, begins + (ends - begins) // 2, ends - QUARTER):
            assert bucket_start(quarter_of(quarter), bucket, ZoneInfo(zone)) == begins


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("Europe/Berlin", "2026-03-29", 23),
        ("Europe/Berlin", "2026-10-25", 25),
        ("America/New_York", "2026-03-08", 23),
        ("Australia/Lord_Howe", "2026-04-05", 24.5),
        ("Asia/Kolkata", "2026-03-29", 24),
    ],
)
def test_a_day_is_as_long_as_its_clocks_say(zone: str, day: str, hours: float) -> None:
    midnight = datetime.fromisoformat(day).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
    [(begins, ends)] = buckets_between(midnight, midnight + QUARTER, Bucket.DAY, zone)
    assert (begins, (ends - begins) / timedelta(hours=1)) == (midnight, hours)
    assert len(buckets_between(begins, ends, Bucket.HOUR, zone)) in (int(hours), int(hours) + 1)
    [(_, month_ends)] = buckets_between(midnight, midnight + QUARTER, Bucket.MONTH, zone)
    assert month_ends.astimezone(ZoneInfo(zone)).day == 1


def test_an_hour_of_a_half_hour_zone_begins_on_its_own_hour() -> None:
    quarter = datetime(2026, 3, 1, 12, 45, tzinfo=UTC)
    assert bucket_start(quarter, Bucket.HOUR, ZoneInfo("Asia/Kolkata")) == datetime(2026, 3, 1, 12, 30, tzinfo=UTC)
