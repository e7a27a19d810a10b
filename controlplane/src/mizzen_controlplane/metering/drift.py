"""Do entries, roll-ups and budgets agree? Their difference is the metric mizzen_ledger_drift, always 0."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from typing import Final

import structlog
from prometheus_client import REGISTRY, Gauge
from sqlalchemy.exc import SQLAlchemyError

from mizzen_controlplane.budgets.repository import all_spending
from mizzen_controlplane.kit.clock import utc_now
from mizzen_controlplane.kit.database import reading_one_moment
from mizzen_controlplane.kit.plane import Plane
from mizzen_controlplane.metering import repository
from mizzen_controlplane.metering.rollups import quarter_of

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
        costs = await repository.cost_by_budgets(session)
    charged: dict[str, int] = defaultdict(int)
    for budget_ids, cost in costs.items():
        for budget_id in budget_ids.split(","):
            charged[budget_id] += cost
    return {
        "entries_and_rollups": sum(abs(entry - rollup) for entry, rollup in zip(entries, rollups, strict=True)),
        "rollups_and_budgets": sum(abs(spent - charged[budget_id]) for budget_id, spent in spending.items()),
    }


@asynccontextmanager
async def drift_watched(plane: Plane) -> AsyncIterator[None]:
    """Keep the metric up to date while the control plane runs."""
    task = asyncio.create_task(_watch(plane), name="ledger-drift")
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


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
