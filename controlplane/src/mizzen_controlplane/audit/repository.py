"""What is read of the audit events: the end of the chain, its blocks in order, and lists for people."""

from collections.abc import Sequence

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession
from sqlmodel.sql.expression import SelectOfScalar

from mizzen_controlplane.audit.models import AuditAnchor, AuditEvent, PersonalContent


async def hash_at(session: AsyncSession, number: int) -> str | None:
    """The hash of event `number`; None where there is none."""
    statement = select(AuditEvent.hash).where(AuditEvent.number == number)
    return (await session.exec(statement)).one_or_none()


async def base_hash(session: AsyncSession, number: int) -> str | None:
    """The hash of event `number` where all up to it were removed; None elsewhere."""
    statement = select(AuditAnchor.hash).where(AuditAnchor.number == number, AuditAnchor.kind == "base")
    return (await session.exec(statement)).one_or_none()


async def personal_between(session: AsyncSession, first: int, last: int) -> dict[int, list[PersonalContent]]:
    """What of the events from `first` to `last` is personal and not erased, by number."""
    statement = (
        select(PersonalContent)
        .where(PersonalContent.number >= first, PersonalContent.number <= last)
        .order_by(col(PersonalContent.number), col(PersonalContent.position))
    )
    found: dict[int, list[PersonalContent]] = {}
    for row in (await session.exec(statement)).all():
        found.setdefault(row.number, []).append(row)
    return found


async def personal_of(session: AsyncSession, numbers: Sequence[int]) -> dict[int, list[PersonalContent]]:
    """The same of the events `numbers`."""
    statement = select(PersonalContent).where(col(PersonalContent.number).in_(numbers))
    found: dict[int, list[PersonalContent]] = {}
    for row in (await session.exec(statement.order_by(col(PersonalContent.position)))).all():
        found.setdefault(row.number, []).append(row)
    return found


async def events_after(session: AsyncSession, number: int, limit: int) -> Sequence[AuditEvent]:
    """The next events of the chain, in order."""
    statement = select(AuditEvent).where(AuditEvent.number > number).order_by(col(AuditEvent.number)).limit(limit)
    return (await session.exec(statement)).all()


def events_of(project_id: str) -> SelectOfScalar[AuditEvent]:
    """The list of one project's events, or of all where `project_id` is empty."""
    statement = select(AuditEvent)
    return statement.where(col(AuditEvent.project_id) == project_id) if project_id else statement
