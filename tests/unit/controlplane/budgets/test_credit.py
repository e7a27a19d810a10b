"""Does credit come back when a lease ends, and belong to its month?"""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from mizzen_controlplane.budgets.credit import LEASE_LIFE, Charge, charge, lease
from mizzen_controlplane.budgets.models import Budget
from mizzen_controlplane.budgets.periods import month_of
from mizzen_controlplane.budgets.repository import leased_of, spent_of
from mizzen_controlplane.kit.database import reading, unit_of_work
from mizzen_controlplane.kit.plane import Plane
from mizzen_crds.access import LeaseGrant, LeaseRequest
from support.embedded_plane import embedded_plane

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
MARCH = month_of(NOW, "UTC")


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


async def _charge(plane: Plane, holder: str, pico: int, start: datetime = MARCH.start) -> None:
    async with unit_of_work(plane.database) as session:
        await charge(session, [Charge("bud_1", start, holder, pico)])


async def _books(plane: Plane, start: datetime = MARCH.start, now: datetime = NOW) -> tuple[int, int]:
    async with reading(plane.database) as session:
        spent, leased = await spent_of(session, ["bud_1"], start), await leased_of(session, ["bud_1"], start, now)
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
