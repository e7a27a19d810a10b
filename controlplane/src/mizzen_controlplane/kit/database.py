"""How the database is read and written: SQLite (WAL, one writer at a time) or PostgreSQL behind one interface.

Every write goes through `unit_of_work`, which is the only place that commits.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlmodel.ext.asyncio.session import AsyncSession

from mizzen_controlplane.kit.change_signals import CHANNEL, ChangeSignals
from mizzen_controlplane.kit.postgres_dialect import ANSWERS_WITHIN, DRIVER
from mizzen_controlplane.kit.problem import Problem

BeforeCommit = Callable[[AsyncSession], Awaitable[None]]

WRITES: Final = "writes"
"""In the `info` of a session that may write."""
FREE_WITHIN: Final = 10.0
"""Seconds that a request waits for one of this process's connections."""
COMMIT_GUARD: ContextVar[BeforeCommit | None] = ContextVar("commit_guard", default=None)
"""Runs inside each writing transaction of the request under way, and may refuse it (kit/idempotency)."""


@dataclass(slots=True)
class Database:
    """Engines of one database, and the signals that wake its readers."""

    url: str
    read_engine: AsyncEngine
    write_engine: AsyncEngine
    is_sqlite: bool
    signals: ChangeSignals
    writer: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def close(self) -> None:
        """End all connections."""
        await self.signals.close()
        await self.read_engine.dispose()
        if self.write_engine is not self.read_engine:
            await self.write_engine.dispose()


def open_database(url: str) -> Database:
    """Make the engines; connects lazily. `url` is sqlite+aiosqlite:/// or postgresql+asyncpg://."""
    if make_url(url).get_backend_name() == "sqlite":
        writing = create_async_engine(url, pool_size=1, max_overflow=0)
        reading = create_async_engine(url, pool_size=8, max_overflow=8)
        _prepare_sqlite(writing, "BEGIN IMMEDIATE")
        _prepare_sqlite(reading, "BEGIN")
        return Database(url, reading, writing, is_sqlite=True, signals=ChangeSignals(None))
    engine = create_async_engine(
        make_url(url).set(drivername=DRIVER),
        pool_size=10,
        max_overflow=10,
        pool_pre_ping=True,
        pool_timeout=FREE_WITHIN,
        connect_args={"timeout": ANSWERS_WITHIN},
    )
    return Database(url, engine, engine, is_sqlite=False, signals=ChangeSignals(url))


def _prepare_sqlite(engine: AsyncEngine, begin: str) -> None:
    @event.listens_for(engine.sync_engine, "connect")
    def configure(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # BEGIN is ours, or a read would not be a snapshot
        cursor = connection.cursor()
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=10000"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def start(connection: Any) -> None:
        connection.exec_driver_sql(begin)


@asynccontextmanager
async def unit_of_work(database: Database) -> AsyncIterator[AsyncSession]:
    """A writing transaction: committed at the end of the block, rolled back when it raises, readers woken after it.

    On SQLite one runs at a time, in the order of arrival, so do no slow work inside.
    """
    turn = database.writer if database.is_sqlite else nullcontext()
    async with turn, AsyncSession(database.write_engine, expire_on_commit=False) as session:
        session.info[WRITES] = True
        yield session
        topics = await _finish(database, session)
        await session.commit()
    for topic in topics:
        database.signals.wake(topic)


@asynccontextmanager
async def carried_out(session: AsyncSession, *, dry_run: bool) -> AsyncIterator[None]:
    """What the block writes in a transaction; with `dry_run` it is all checked and written, and then all taken back."""
    if not dry_run:
        yield
        return
    point = await session.begin_nested()
    yield
    await session.flush()
    await point.rollback()
    session.info.clear()  # audit events and wake-ups of what has not happened


async def _finish(database: Database, session: AsyncSession) -> list[str]:
    """What is due at the end of a writing transaction; returns the topics whose readers are to be woken."""
    await session.flush()
    for step in session.info.get("before_commit", {}).values():
        await step(session)
    guard = COMMIT_GUARD.get()
    if guard is not None:
        await guard(session)
    topics: list[str] = sorted(session.info.get("topics", ()))
    if not database.is_sqlite:
        connection = await session.connection()
        for topic in topics:
            await connection.execute(text("SELECT pg_notify(:c, :t)"), {"c": CHANNEL, "t": topic})
    return topics


@asynccontextmanager
async def reading(database: Database) -> AsyncIterator[AsyncSession]:
    """A transaction that only reads; on SQLite a snapshot of one moment."""
    async with AsyncSession(database.read_engine, expire_on_commit=False) as session:
        yield session


@asynccontextmanager
async def reading_one_moment(database: Database) -> AsyncIterator[AsyncSession]:
    """A transaction whose statements all see the same moment, on PostgreSQL too: for sums that must agree."""
    async with reading(database) as session:
        if not database.is_sqlite:
            connection = await session.connection()
            await connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
        yield session


def before_commit(session: AsyncSession, name: str, step: BeforeCommit) -> None:
    """Have `step` run once, last in the transaction; the first of a name counts.

    What locks a row that all transactions share belongs here, so that locks are always taken in one order.
    """
    session.info.setdefault("before_commit", {}).setdefault(name, step)


async def flush_or(session: AsyncSession, problem: Problem) -> None:
    """Send what is pending; raise `problem` where a unique constraint refuses it."""
    try:
        await session.flush()
    except IntegrityError as error:
        raise problem from error
