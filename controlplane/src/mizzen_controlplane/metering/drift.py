"""Do entries, roll-ups and budgets agree? Their difference is the metric mizzen_ledger_drift, always 0."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Final

import structlog
from mizzen_crds.access import BudgetUnit
from mizzen_crds.periods import quarter_of
from prometheus_client import REGISTRY, Gauge
from sqlalchemy.exc import SQLAlchemyError

from mizzen_controlplane.budgets.repository import all_budgets, all_spending
from mizzen_controlplane.kit.background import in_background
from mizzen_controlplane.kit.clock import utc_now
from mizzen_controlplane.kit.database import reading_one_moment
from mizzen_controlplane.kit.plane import Plane
from mizzen_controlplane.metering import repository
from mizzen_controlplane.metering.meters import Sums

EACH: Final = 30.0
"""Seconds between two comparisons."""
LOOKS_BACK: Final = timedelta(days=2)
"""Entries older than this are compared by `ledger_drift` with an earlier date only."""

DRIFT = Gauge(
    "mizzen_ledger_drift",
    "Difference between the ledger's entries, its roll-ups and what budgets have spent; anything but 0 is a fault.",
    ["between"],
    registry=REGISTRY,
)
log = structlog.get_logger(__name__)


async def ledger_drift(plane: Plane, since: datetime) -> dict[str, int]:
    """Differences, all 0: entries against roll-ups from a quarter-hour on, and roll-ups against all budgets."""
    async with reading_one_moment(plane.database) as session:
        entries = await repository.entry_sums(session, quarter_of(since))
        rollups = await repository.rollup_sums(session, quarter_of(since))
        spending = await all_spending(session)
        used = await repository.sums_by_budgets(session)
        units = {budget.id: budget.amount_unit for budget in await all_budgets(session)}
    charged: dict[str, int] = defaultdict(int)
    for budget_ids, sums in used.items():
        for budget_id in filter(units.__contains__, budget_ids.split(",")):
            charged[budget_id] += _amount_in(units[budget_id], sums)
    return {
        "entries_and_rollups": sum(abs(entry - rollup) for entry, rollup in zip(entries, rollups, strict=True)),
        "rollups_and_budgets": sum(abs(spent - charged[budget_id]) for budget_id, spent in spending.items()),
    }


def _amount_in(unit: BudgetUnit, sums: Sums) -> int:
    if unit is BudgetUnit.MONEY:
        return sums.cost_pico
    return sums.tokens if unit is BudgetUnit.TOKENS else sums.accelerator_ms


@asynccontextmanager
async def drift_watched(plane: Plane) -> AsyncIterator[None]:
    """Keep the metric up to date while the control plane runs."""
    async with in_background(_watch(plane), "ledger-drift"):
        yield


async def _watch(plane: Plane) -> None:
    while True:
        try:
            for between, difference in (await ledger_drift(plane, utc_now() - LOOKS_BACK)).items():
                DRIFT.labels(between).set(difference)
                if difference:
                    log.error("the ledger does not agree with itself", between=between, difference=difference)
        except SQLAlchemyError as error:
            log.warning("the ledger was not compared", error=type(error).__name__)
        await asyncio.sleep(EACH)
