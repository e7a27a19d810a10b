"""SQL of objects, their changes and their occurrences."""

from collections.abc import Sequence
from datetime import datetime

from mizzen_crds.store import Occurrence
from sqlalchemy import delete, func, update
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from mizzen_controlplane.cluster.models import ObjectChange, ObjectOccurrence, StoredObject
from mizzen_controlplane.cluster.objects import Document, ObjectKey


async def find_object(session: AsyncSession, key: ObjectKey, *, lock: bool = False) -> StoredObject | None:
    """The object's row; `lock` holds it until the transaction ends."""
    return await session.get(StoredObject, (key.kind, key.namespace, key.name), with_for_update=lock or None)


async def objects_of(session: AsyncSession, kind: str, namespace: str | None) -> list[Document]:
    """Objects of a kind, by namespace and name."""
    statement = select(StoredObject).where(StoredObject.kind == kind)
    if namespace is not None:
        statement = statement.where(StoredObject.namespace == namespace)
    ordered = statement.order_by(col(StoredObject.namespace), col(StoredObject.name))
    return [row.document for row in (await session.exec(ordered)).all()]


async def changes_between(
    session: AsyncSession, kinds: Sequence[str], after: int, until: int, limit: int
) -> Sequence[ObjectChange]:
    """Changes of the kinds after one resource version until another, both known to be committed, oldest first."""
    statement = (
        select(ObjectChange)
        .where(col(ObjectChange.resource_version) > after, col(ObjectChange.resource_version) <= until)
        .where(col(ObjectChange.kind).in_(kinds))
        .order_by(col(ObjectChange.resource_version))
    )
    return (await session.exec(statement.limit(limit))).all()


async def oldest_change(session: AsyncSession) -> int | None:
    """Resource version of the oldest change that is kept."""
    return (await session.exec(select(func.min(ObjectChange.resource_version)))).one()


async def trim_changes(session: AsyncSession, until: int) -> None:
    """Forget changes up to a resource version."""
    await session.exec(delete(ObjectChange).where(col(ObjectChange.resource_version) <= until))


async def count_again(session: AsyncSession, fingerprint: str, occurrence: Occurrence) -> bool:
    """Count an occurrence that is known already; False where it is new."""
    counted = await session.exec(
        update(ObjectOccurrence)
        .where(col(ObjectOccurrence.fingerprint) == fingerprint)
        .values(count=col(ObjectOccurrence.count) + occurrence.count, last_seen=occurrence.time)
        .returning(col(ObjectOccurrence.id))
        .execution_options(synchronize_session=False)
    )
    return counted.first() is not None


async def occurrences_of(session: AsyncSession, key: ObjectKey, limit: int) -> Sequence[ObjectOccurrence]:
    """What happened to an object, newest first."""
    statement = (
        select(ObjectOccurrence)
        .where(ObjectOccurrence.kind == key.kind, ObjectOccurrence.namespace == key.namespace)
        .where(ObjectOccurrence.name == key.name)
        .order_by(col(ObjectOccurrence.last_seen).desc(), col(ObjectOccurrence.id).desc())
    )
    return (await session.exec(statement.limit(limit))).all()


async def forget_occurrences_before(session: AsyncSession, moment: datetime) -> None:
    """Remove occurrences that were last seen before the moment."""
    await session.exec(delete(ObjectOccurrence).where(col(ObjectOccurrence.last_seen) < moment))
