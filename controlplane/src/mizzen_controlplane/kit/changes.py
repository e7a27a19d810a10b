"""Versions of what others follow, from one locked counter in the transaction that makes the change.

A sequence would let a late commit slip behind a reader's cursor; a locked counter makes commits happen in its order.
"""

from sqlalchemy import delete, update
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from mizzen_controlplane.kit.tables import AccessChange, Counter

ACCESS = "access"
OBJECTS = "objects"
AUDIT = "audit"
KEPT_VERSIONS = 100_000
"""Whose changes are known: a gateway that was away for more gets a whole snapshot."""
TRIM_EVERY = 1_000
MOST_CHANGES = 1_000
"""That one delta tells: a gateway reads it without a pause."""
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


async def next_access_version(session: AsyncSession, *keys: str) -> int:
    """Say that this transaction changes access: of these keys alone, or anything where none is named.

    Once in a transaction it takes a version; later calls answer the same.
    """
    if "access_version" not in session.info:
        session.info["access_version"] = await next_version(session, ACCESS)
        session.info["access_changes"] = set()
    version, noted = int(session.info["access_version"]), session.info["access_changes"]
    wanted = {("key", key) for key in keys} or {("all", "")}
    session.add_all(AccessChange(version=version, kind=kind, item_id=item) for kind, item in wanted - noted)
    noted |= wanted
    if not version % TRIM_EVERY:
        await session.exec(delete(AccessChange).where(col(AccessChange.version) <= version - KEPT_VERSIONS))
    return version


async def raise_access_version(session: AsyncSession, beyond: int) -> None:
    """Go on beyond a version that a reader has had: it had it of a database whose backup this one comes from."""
    where = (col(Counter.name) == ACCESS, col(Counter.value) <= beyond)
    connection = await session.connection()
    await connection.execute(update(Counter).where(*where).values(value=beyond + 1))
    session.info.setdefault("topics", set()).add(ACCESS)


async def keys_changed_after(session: AsyncSession, after: int, version: int) -> set[str] | None:
    """Ids of the keys that changed in the versions after `after` up to `version`; None where that does not say all."""
    if version - after > MOST_CHANGES:
        return None
    rows = await session.exec(
        select(AccessChange.version, AccessChange.kind, AccessChange.item_id)
        .where(AccessChange.version > after, AccessChange.version <= version)
        .limit(MOST_CHANGES + 1)
    )
    found = rows.all()
    if len(found) > MOST_CHANGES or any(kind != "key" for _, kind, _ in found):
        return None
    if len({number for number, _, _ in found}) != version - after:
        return None
    return {item for _, _, item in found}
