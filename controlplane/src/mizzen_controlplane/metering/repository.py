"""SQL of the ledger and its roll-ups."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import func
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession
from sqlmodel.sql.expression import SelectOfScalar

from mizzen_controlplane.identity.models import Project
from mizzen_controlplane.kit.upsert import insert_into
from mizzen_controlplane.metering.models import LedgerEntry, UsageRollup

_SUMS = ("requests", "input_tokens", "output_tokens", "cost_pico")

PAGE_FIELDS = {
    "id": col(LedgerEntry.request_id),
    "started_at": col(LedgerEntry.started_at),
    "key_id": col(LedgerEntry.key_id),
    "model": col(LedgerEntry.model),
    "operation": col(LedgerEntry.operation),
    "status": col(LedgerEntry.status),
    "deployment": col(LedgerEntry.deployment),
    "estimated": col(LedgerEntry.estimated),
}


async def known_projects(session: AsyncSession, project_ids: Iterable[str]) -> set[str]:
    """Those of the ids that are projects."""
    statement = select(Project.id).where(col(Project.id).in_(list(project_ids)))
    return set((await session.exec(statement)).all())


async def insert_new(session: AsyncSession, rows: list[dict[str, Any]]) -> set[tuple[str, str]]:
    """Insert the rows that are not there yet; returns (project_id, request_id) of those really inserted."""
    if not rows:
        return set()
    statement = (
        insert_into(session, LedgerEntry)
        .on_conflict_do_nothing(index_elements=["project_id", "request_id"])
        .returning(col(LedgerEntry.project_id), col(LedgerEntry.request_id))
    )
    inserted = await session.exec(statement, params=rows)
    return {(project_id, request_id) for project_id, request_id in inserted.all()}


async def add_to_rollups(session: AsyncSession, rows: list[dict[str, object]]) -> None:
    """Add sums to the quarter-hours."""
    statement = insert_into(session, UsageRollup)
    raised = {name: col(getattr(UsageRollup, name)) + statement.excluded[name] for name in _SUMS}
    await session.exec(statement.on_conflict_do_update(index_elements=["id"], set_=raised), params=rows)


async def rollups_between(
    session: AsyncSession, project_id: str, start: datetime, end: datetime, columns: Sequence[str]
) -> Sequence[tuple[Any, ...]]:
    """(quarter, columns..., requests, input tokens, output tokens, cost) of a project's quarter-hours, added up."""
    groups = [col(UsageRollup.quarter), *(getattr(UsageRollup, name) for name in columns)]
    sums = [func.sum(getattr(UsageRollup, name)) for name in _SUMS]
    statement = (
        select(*groups, *sums)
        .where(UsageRollup.project_id == project_id, UsageRollup.quarter >= start, UsageRollup.quarter < end)
        .group_by(*groups)
        .order_by(*groups)
    )
    return [tuple(row) for row in (await session.exec(statement)).all()]


def entries_of(project_id: str) -> SelectOfScalar[LedgerEntry]:
    """The project's requests, for a page."""
    return select(LedgerEntry).where(LedgerEntry.project_id == project_id)


async def first_quarter(session: AsyncSession, project_id: str) -> datetime | None:
    """The oldest quarter-hour in which the project used anything."""
    statement = select(UsageRollup).where(UsageRollup.project_id == project_id)
    oldest = (await session.exec(statement.order_by(col(UsageRollup.quarter)).limit(1))).one_or_none()
    return oldest.quarter if oldest else None


async def entry_sums(session: AsyncSession, since: datetime) -> tuple[int, ...]:
    """Requests, input tokens, output tokens and cost of all entries from a quarter-hour on."""
    statement = select(
        func.count(),
        func.coalesce(func.sum(LedgerEntry.input_tokens), 0),
        func.coalesce(func.sum(LedgerEntry.output_tokens), 0),
        func.coalesce(func.sum(LedgerEntry.cost_pico), 0),
    ).where(LedgerEntry.quarter >= since)
    return tuple(int(value) for value in (await session.exec(statement)).one())


async def rollup_sums(session: AsyncSession, since: datetime) -> tuple[int, ...]:
    """The same of all roll-ups."""
    statement = select(*[func.coalesce(func.sum(getattr(UsageRollup, name)), 0) for name in _SUMS]).where(
        UsageRollup.quarter >= since
    )
    return tuple(int(value) for value in (await session.exec(statement)).one())


async def cost_by_budgets(session: AsyncSession) -> Mapping[str, int]:
    """All cost by the comma-separated budgets that it was charged to."""
    statement = select(UsageRollup.budget_ids, func.sum(UsageRollup.cost_pico)).group_by(col(UsageRollup.budget_ids))
    return {budget_ids: int(cost) for budget_ids, cost in (await session.exec(statement)).all()}
