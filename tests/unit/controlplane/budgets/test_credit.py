"""Does credit come back when a lease ends, and belong to its period?"""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from mizzen_controlplane.budgets.credit import LEASE_LIFE, Charge, charge, lease
from mizzen_controlplane.budgets.models import Budget
from mizzen_controlplane.budgets.repository import leased_of, spent_of
from mizzen_controlplane.identity.models import Organization
from mizzen_controlplane.kit.database import reading, unit_of_work
from mizzen_controlplane.kit.plane import Plane
from mizzen_crds.access import LeaseGrant, LeaseRequest
from mizzen_crds.periods import month_of
from support.embedded_plane import embedded_plane

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
MARCH = month_of(NOW, "UTC")

OWNER = Organization(id="org_1", name="default", currency="USD", time_zone="UTC")


@pytest.fixture
async def plane(tmp_path: Path) -> AsyncIterator[Plane]:
    async with embedded_plane(tmp_path) as made:
        async with unit_of_work(made.database) as session:
            session.add(
                Budget(
                    id="bud_1", name="b", parent_id="prj_a", scope="project", scope_id="prj_a", amount_pico=100,
                    enforcement="enforce",
                )
            )  # fmt: skip
        yield made


async def _lease(plane: Plane, holder: str, want: int, now: datetime = NOW) -> LeaseGrant:
    async with unit_of_work(plane.database) as session:
        return await lease(session, LeaseRequest(holder=holder, budget_id="bud_1", want_pico=want), "UTC", now)


async def _charge(plane: Plane, holder: str, pico: int, start: datetime = MARCH.start, **used: int) -> None:
    async with unit_of_work(plane.database) as session:
        await charge(session, [Charge("bud_1", start, holder, pico, **used)], OWNER)


async def _books(plane: Plane, start: datetime = MARCH.start, now: datetime = NOW) -> tuple[int, int]:
    async with reading(plane.database) as session:
        spent, leased = (
            await spent_of(session, ["bud_1"], month_of(start, "UTC")),
            await leased_of(session, ["bud_1"], start, now),
        )
    return spent.get("bud_1", 0), leased.get("bud_1", 0)


async def test_credit_of_a_gateway_that_is_gone_comes_back_when_its_lease_ends(plane: Plane) -> None:
    assert (await _lease(plane, "gone", 100)).credit_pico == 100
    just_before = NOW + LEASE_LIFE - timedelta(seconds=1)
    assert (await _lease(plane, "other", 50, just_before)).credit_pico == 0
    assert (await _lease(plane, "other", 50, NOW + LEASE_LIFE)).credit_pico == 50


async def test_a_gateway_that_started_again_after_its_lease_ended_gets_a_new_one(plane: Plane) -> None:
    await _lease(plane, "a", 60)
    again = await _lease(plane, "a", 60, NOW + 2 * LEASE_LIFE)
    assert (again.credit_pico, again.remaining_pico) == (60, 40)


async def test_a_new_month_begins_with_the_whole_amount(plane: Plane) -> None:
    await _lease(plane, "a", 100)
    await _charge(plane, "a", 100)
    assert (await _lease(plane, "a", 10)).credit_pico == 0
    april = await _lease(plane, "a", 10, MARCH.end)
    assert (april.credit_pico, april.remaining_pico, april.period_start) == (10, 90, MARCH.end)


async def test_a_lease_ends_with_its_month(plane: Plane) -> None:
    grant = await _lease(plane, "a", 10, MARCH.end - timedelta(seconds=5))
    assert grant.expires_at == MARCH.end


async def test_a_late_charge_goes_to_the_month_of_its_request_and_leaves_the_new_lease_alone(plane: Plane) -> None:
    april = MARCH.end + timedelta(hours=1)
    await _lease(plane, "a", 40, april)
    await _charge(plane, "a", 30)
    assert await _books(plane) == (30, 0)
    assert await _books(plane, MARCH.end, april) == (0, 40)


async def test_a_charge_above_the_lease_is_counted_whole(plane: Plane) -> None:
    await _lease(plane, "a", 10)
    await _charge(plane, "a", 30)
    assert await _books(plane) == (30, 0)
    assert (await _lease(plane, "b", 100)).credit_pico == 70


async def test_a_want_below_nothing_is_nothing(plane: Plane) -> None:
    grant = await _lease(plane, "a", -5)
    assert (grant.credit_pico, grant.remaining_pico) == (0, 100)


async def _change(plane: Plane, **columns: object) -> None:
    async with unit_of_work(plane.database) as session:
        budget = await session.get(Budget, "bud_1")
        assert budget is not None
        for name, value in columns.items():
            setattr(budget, name, value)


async def _left(plane: Plane, now: datetime) -> int:
    return (await _lease(plane, "asks", 0, now)).remaining_pico


@pytest.mark.parametrize(("unit", "left"), [("money", 99), ("tokens", 80), ("accelerator_seconds", 70)])
async def test_a_budget_is_charged_in_its_own_unit_and_so_is_the_lease(plane: Plane, unit: str, left: int) -> None:
    await _change(plane, unit=unit)
    await _lease(plane, "a", 50)
    await _charge(plane, "a", 1, NOW, tokens=20, accelerator_ms=30)
    assert await _left(plane, NOW) + (await _books(plane))[1] == left


@pytest.mark.parametrize(
    ("window", "full_again"),
    [("day", timedelta(hours=12)), ("week", timedelta(days=5, hours=12)), ("month", timedelta(days=21, hours=12))],
)
async def test_a_calendar_window_has_its_whole_amount_again_once_it_begins(
    plane: Plane, window: str, full_again: timedelta
) -> None:
    await _change(plane, window=window)
    await _charge(plane, "a", 100, NOW)
    assert await _left(plane, NOW + full_again - timedelta(seconds=1)) == 0
    assert await _left(plane, NOW + full_again) == 100


async def test_a_rolling_window_forgets_each_quarter_hour_when_all_of_it_is_long_enough_ago(plane: Plane) -> None:
    await _change(plane, window="rolling", window_seconds=3600)
    await _charge(plane, "a", 30, NOW)
    await _charge(plane, "a", 40, NOW + timedelta(minutes=20))
    assert await _left(plane, NOW + timedelta(minutes=59)) == 30
    assert await _left(plane, NOW + timedelta(minutes=74)) == 30
    assert await _left(plane, NOW + timedelta(minutes=75)) == 60
    assert await _left(plane, NOW + timedelta(minutes=90)) == 100


async def test_credit_of_a_rolling_window_lives_on_while_the_window_slides(plane: Plane) -> None:
    await _change(plane, window="rolling", window_seconds=3600)
    grant = await _lease(plane, "a", 60, NOW + timedelta(minutes=14))
    assert grant.expires_at == NOW + timedelta(minutes=14) + LEASE_LIFE
    await _charge(plane, "a", 20, NOW + timedelta(minutes=15))
    assert await _left(plane, NOW + timedelta(minutes=15)) == 40


async def test_a_lifetime_budget_never_begins_anew(plane: Plane) -> None:
    await _change(plane, window="lifetime")
    await _charge(plane, "a", 70, NOW)
    assert await _left(plane, NOW + timedelta(days=3000)) == 30
