"""Is it seen when entries, roll-ups and budgets do not agree?"""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from mizzen_controlplane.budgets.models import Budget, BudgetSpending
from mizzen_controlplane.identity.models import Project
from mizzen_controlplane.kit.database import reading, unit_of_work
from mizzen_controlplane.kit.plane import Plane
from mizzen_controlplane.metering.drift import ledger_drift
from mizzen_controlplane.metering.ledger import take
from mizzen_controlplane.metering.models import LedgerEntry
from sqlalchemy import delete, update
from sqlmodel import select
from support.embedded_plane import embedded_plane
from support.usage_events import usage_event

YESTERDAY = datetime.now(UTC) - timedelta(days=1)
NONE = {"entries_and_rollups": 0, "rollups_and_budgets": 0}


@pytest.fixture
async def plane(tmp_path: Path) -> AsyncIterator[Plane]:
    async with embedded_plane(tmp_path) as made:
        async with reading(made.database) as session:
            project = (await session.exec(select(Project))).one()
        async with unit_of_work(made.database) as session:
            for name in ("bud_1", "bud_2"):
                session.add(
                    Budget(
                        id=name, name=name, parent_id=project.id, scope="project", scope_id=project.id,
                        amount_pico=100, enforcement="enforce",
                    )
                )  # fmt: skip
        await take(
            made,
            [
                usage_event(project.id, cost_pico=5, budget_ids=["bud_1"]),
                usage_event(project.id, cost_pico=7, budget_ids=["bud_2", "bud_1"]),
                usage_event(project.id, cost_pico=11, budget_ids=["bud_deleted"]),
            ],
        )
        yield made


async def test_a_sound_ledger_agrees_with_itself(plane: Plane) -> None:
    assert await ledger_drift(plane, YESTERDAY) == NONE


async def test_an_entry_that_vanished_is_seen(plane: Plane) -> None:
    async with unit_of_work(plane.database) as session:
        await session.exec(delete(LedgerEntry).where(LedgerEntry.cost_pico == 7))
    found = await ledger_drift(plane, YESTERDAY)
    assert found["entries_and_rollups"] == 1 + 7
    assert found["rollups_and_budgets"] == 0


async def test_a_budget_that_was_charged_twice_is_seen(plane: Plane) -> None:
    async with unit_of_work(plane.database) as session:
        twice = update(BudgetSpending).where(BudgetSpending.budget_id == "bud_1")
        await session.exec(twice.values(spent_pico=24))
    assert (await ledger_drift(plane, YESTERDAY))["rollups_and_budgets"] == 12
