"""SQL of the ledger and its roll-ups."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, column, func, values
from sqlalchemy import select as sql_select
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession
from sqlmodel.sql.expression import SelectOfScalar

from mizzen_controlplane.identity.models import Project
from mizzen_controlplane.kit.columns import UtcDateTime
from mizzen_controlplane.kit.upsert import insert_into
from mizzen_controlplane.metering.meters import METERS, Sums
from mizzen_controlplane.metering.models import LedgerEntry, UsageRollup

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

ENTRY_COLUMNS: Final = LedgerEntry.__table__.columns  # type: ignore[attr-defined]  # SQLModel does not declare it

USAGE_FIELDS = {
    "model": col(UsageRollup.model),
    "key_id": col(UsageRollup.key_id),
    "operation": col(UsageRollup.operation),
    "status_class": col(UsageRollup.status_class),
    "estimated": col(UsageRollup.estimated),
    "rate_card_version": col(UsageRollup.rate_card_id),
}
"""What usage may be filtered by."""


async def known_projects(session: AsyncSession, project_ids: Iterable[str]) -> set[str]:
    """Those of the ids that are projects."""
    statement = select(Project.id).where(col(Project.id).in_(list(project_ids)))
    return set((await session.exec(statement)).all())


async def insert_new(
    session: AsyncSession, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]
) -> set[tuple[str, str]]:
    """Insert the rows that are not there yet; returns (project_id, request_id) of those really inserted.

    A row begins with these two, and no two rows have the same. As each request passes here, rows go to the driver as
    they are: by COPY to PostgreSQL, by executemany to SQLite, whose only writer this transaction is.
    """
    if not rows:
        return set()
    connection = await session.connection()
    dialect = connection.dialect
    kept = [_bound(name, dialect, values) for name, values in zip(columns, zip(*rows, strict=True), strict=True)]
    if dialect.name == "postgresql":
        return await _copied(connection, tuple(columns), zip(*kept, strict=True))
    known = await _known_requests(session, rows)
    new = [row for row in zip(*kept, strict=True) if (row[0], row[1]) not in known]
    if new:
        await connection.exec_driver_sql(_insert_text(tuple(columns)), new)
    return {(row[0], row[1]) for row in new}


async def _known_requests(session: AsyncSession, rows: Sequence[tuple[Any, ...]]) -> set[tuple[str, str]]:
    """Those of the rows that are there already."""
    requests: dict[str, list[str]] = {}
    for project_id, request_id, *_ in rows:
        requests.setdefault(project_id, []).append(request_id)
    known: set[tuple[str, str]] = set()
    for project_id, ids in requests.items():
        statement = select(LedgerEntry.request_id).where(
            LedgerEntry.project_id == project_id, col(LedgerEntry.request_id).in_(ids)
        )
        known |= {(project_id, request_id) for request_id in (await session.exec(statement)).all()}
    return known


def _bound(name: str, dialect: Dialect, values: Sequence[Any]) -> Sequence[Any]:
    """Values of a column as the driver takes them."""
    process = ENTRY_COLUMNS[name].type.dialect_impl(dialect).bind_processor(dialect)
    return values if process is None else [process(value) for value in values]


@cache
def _insert_text(columns: tuple[str, ...]) -> str:
    return f"INSERT INTO ledger_entry ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"  # noqa: S608 - names of columns


async def _copied(
    connection: AsyncConnection, columns: tuple[str, ...], rows: Iterable[tuple[Any, ...]]
) -> set[tuple[str, str]]:
    """By COPY into a table of this connection's own, which is empty after each transaction, and from there.

    Its name goes with the columns, so that releases that share connections through a pool do not share it.
    """
    named = ", ".join(columns)
    arriving = f"mizzen_arriving_{hashlib.sha256(named.encode()).hexdigest()[:8]}"
    await connection.exec_driver_sql("SET LOCAL client_min_messages = warning")  # it is there already: no news
    await connection.exec_driver_sql(
        f"CREATE TEMPORARY TABLE IF NOT EXISTS {arriving} ON COMMIT DELETE ROWS AS "  # noqa: S608 - names of columns
        f"SELECT {named} FROM ledger_entry WITH NO DATA"
    )
    driver: Any = (await connection.get_raw_connection()).driver_connection
    await driver.copy_records_to_table(arriving, records=rows, columns=columns)
    found: Any = await connection.exec_driver_sql(
        f"INSERT INTO ledger_entry ({named}) SELECT {named} FROM {arriving} "  # noqa: S608 - names of columns
        "ON CONFLICT (project_id, request_id) DO NOTHING RETURNING project_id, request_id"
    )
    return {(row[0], row[1]) for row in found.all()}


async def add_to_rollups(session: AsyncSession, rows: list[dict[str, object]]) -> None:
    """Add sums to the quarter-hours."""
    statement = insert_into(session, UsageRollup)
    raised = {name: col(getattr(UsageRollup, name)) + statement.excluded[name] for name in METERS}
    await session.exec(statement.on_conflict_do_update(index_elements=["id"], set_=raised), params=rows)


async def rollups_between(
    session: AsyncSession, project_id: str, start: datetime, end: datetime, columns: Sequence[str]
) -> Sequence[tuple[Any, ...]]:
    """(quarter, columns..., meters...) of a project's quarter-hours, added up."""
    groups = [col(UsageRollup.quarter), *(getattr(UsageRollup, name) for name in columns)]
    sums = [func.sum(getattr(UsageRollup, name)) for name in METERS]
    statement = (
        select(*groups, *sums)
        .where(UsageRollup.project_id == project_id, UsageRollup.quarter >= start, UsageRollup.quarter < end)
        .group_by(*groups)
        .order_by(*groups)
    )
    return [tuple(row) for row in (await session.exec(statement)).all()]


async def sums_in_buckets(
    session: AsyncSession,
    project_id: str,
    buckets: Sequence[tuple[datetime, datetime]],
    columns: Sequence[str],
    conditions: Iterable[ColumnElement[bool]] = (),
) -> list[tuple[Any, ...]]:
    """(begin, columns..., meters...) of a project's quarter-hours, for each bucket (begin, end), in that order."""
    time = UtcDateTime()
    bucket = values(column("begins", time), column("ends", time), name="bucket").data(list(buckets)).cte("bucket")
    groups = [bucket.c.begins, *(getattr(UsageRollup, name) for name in columns)]
    statement: Any = (
        sql_select(*groups, *[func.sum(getattr(UsageRollup, name)) for name in METERS])
        .select_from(bucket)
        .join(UsageRollup, and_(col(UsageRollup.quarter) >= bucket.c.begins, col(UsageRollup.quarter) < bucket.c.ends))
        .where(col(UsageRollup.project_id) == project_id, *conditions)
        .group_by(*groups)
        .order_by(*groups)
    )
    return [tuple(row) for row in (await session.exec(statement)).all()]


async def sums_between(
    session: AsyncSession, project_id: str, start: datetime, end: datetime, columns: Sequence[str]
) -> Sequence[tuple[Any, ...]]:
    """(columns..., meters...) of a project's quarter-hours, added up over all of the time."""
    groups = [getattr(UsageRollup, name) for name in columns]
    statement = (
        select(*groups, *[func.sum(getattr(UsageRollup, name)) for name in METERS])
        .where(UsageRollup.project_id == project_id, UsageRollup.quarter >= start, UsageRollup.quarter < end)
        .group_by(*groups)
        .order_by(*groups)
    )
    return [tuple(row) for row in (await session.exec(statement)).all()]


def entries_of(project_id: str) -> SelectOfScalar[LedgerEntry]:
    """The project's requests, for a page."""
    return select(LedgerEntry).where(LedgerEntry.project_id == project_id)


async def recorded_between(
    session: AsyncSession, project_id: str | None, start: datetime, end: datetime, most: int
) -> Sequence[Any]:
    """What a project's requests, or those of all for None, used: key, model, begin, milliseconds and meters.

    In the order of their begin; at most so many, the oldest.
    """
    columns = (
        "key_id", "model", "started_at", "duration_ms", "input_tokens", "cached_tokens", "output_tokens",
        "reasoning_tokens", "cost_pico",
    )  # fmt: skip
    chosen = sql_select(*(getattr(LedgerEntry, name) for name in columns))
    chosen = chosen.where(col(LedgerEntry.started_at) >= start, col(LedgerEntry.started_at) < end)
    if project_id is not None:
        chosen = chosen.where(col(LedgerEntry.project_id) == project_id)
    ordered = chosen.order_by(col(LedgerEntry.started_at), col(LedgerEntry.request_id)).limit(most)
    return (await (await session.connection()).execute(ordered)).all()


async def first_quarter(session: AsyncSession, project_id: str) -> datetime | None:
    """The oldest quarter-hour in which the project used anything."""
    statement = select(UsageRollup).where(UsageRollup.project_id == project_id)
    oldest = (await session.exec(statement.order_by(col(UsageRollup.quarter)).limit(1))).one_or_none()
    return oldest.quarter if oldest else None


async def entry_sums(session: AsyncSession, since: datetime) -> tuple[int, ...]:
    """The meters of all entries from a quarter-hour on."""
    sums = [func.coalesce(func.sum(getattr(LedgerEntry, name)), 0) for name in METERS[1:]]
    statement = select(func.count(), *sums).where(LedgerEntry.quarter >= since)
    row: Any = (await session.exec(statement)).one()
    return tuple(map(int, row))


async def rollup_sums(session: AsyncSession, since: datetime) -> tuple[int, ...]:
    """The same of all roll-ups."""
    statement = select(*[func.coalesce(func.sum(getattr(UsageRollup, name)), 0) for name in METERS]).where(
        UsageRollup.quarter >= since
    )
    return tuple(map(int, (await session.exec(statement)).one()))


async def sums_by_budgets(session: AsyncSession) -> Mapping[str, Sums]:
    """The meters of all time by the comma-separated budgets that they were charged to."""
    sums = [func.sum(getattr(UsageRollup, name)) for name in METERS]
    statement = select(UsageRollup.budget_ids, *sums).group_by(col(UsageRollup.budget_ids))
    return {row[0]: Sums(*map(int, row[1:])) for row in (await session.exec(statement)).all()}
