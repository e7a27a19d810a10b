"""Versions of what others follow, from one locked counter in the transaction that makes the change.

A sequence would let a late commit slip behind a reader's cursor; a locked counter makes commits happen in its order.
"""

from sqlalchemy import update
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from mizzen_controlplane.kit.tables import Counter

ACCESS = "access"
OBJECTS = "objects"
AUDIT = "audit"
COUNTERS = (ACCESS, OBJECTS, AUDIT)
"""Rows that the first migration makes."""


async def next_version(session: AsyncSession, counter: str) -> int:
    """Raise `counter` and hold its row until this transaction ends; wakes its followers after the commit."""
    connection = await session.connection()
    raised = await connection.execute(
        update(Counter)
        .where(col(Counter.name) == counter)
        .values(value=col(Counter.value) + 1)
        .returning(col(Counter.value))
    )
    session.info.setdefault("topics", set()).add(counter)
    return int(raised.scalar_one())


async def current_version(session: AsyncSession, counter: str) -> int:
    """Where `counter` stands."""
    return (await session.exec(select(Counter.value).where(Counter.name == counter))).one()


async def next_access_version(session: AsyncSession) -> int:
    """Say that this transaction changes access; once in a transaction, later calls answer the same."""
    if "access_version" not in session.info:
        session.info["access_version"] = await next_version(session, ACCESS)
    return int(session.info["access_version"])
