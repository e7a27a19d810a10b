"""What is read and removed of the audit events: the end of the chain, its blocks in order, anchors, lists."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import CursorResult, delete, func, or_, update
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


async def newest_event(session: AsyncSession) -> AuditEvent | None:
    """The end of the chain; None where there is no event."""
    statement = select(AuditEvent).order_by(col(AuditEvent.number).desc()).limit(1)
    return (await session.exec(statement)).one_or_none()


async def all_anchors(session: AsyncSession) -> Sequence[AuditAnchor]:
    """Those that the database has, in order."""
    return (await session.exec(select(AuditAnchor).order_by(col(AuditAnchor.number)))).all()


async def unsent_anchors(session: AsyncSession, limit: int) -> Sequence[AuditAnchor]:
    """The oldest ones that the sink has not had."""
    statement = select(AuditAnchor).where(col(AuditAnchor.sent_at).is_(None))
    return (await session.exec(statement.order_by(col(AuditAnchor.number)).limit(limit))).all()


async def mark_sent(session: AsyncSession, anchor: AuditAnchor, now: datetime) -> None:
    """Say that the sink has `anchor`."""
    this = (col(AuditAnchor.number) == anchor.number, col(AuditAnchor.kind) == anchor.kind)
    await (await session.connection()).execute(update(AuditAnchor).where(*this).values(sent_at=now))


async def head_before(session: AsyncSession, moment: datetime, sent: bool) -> AuditAnchor | None:
    """The newest anchor of an event from before `moment`; with `sent`, of those that the sink has."""
    statement = (
        select(AuditAnchor)
        .join(AuditEvent, col(AuditEvent.number) == col(AuditAnchor.number))
        .where(AuditAnchor.kind == "head", col(AuditEvent.at) < moment)
    )
    if sent:
        statement = statement.where(col(AuditAnchor.sent_at).is_not(None))
    return (await session.exec(statement.order_by(col(AuditAnchor.number).desc()).limit(1))).one_or_none()


async def newest_base(session: AsyncSession) -> int:
    """Number up to which events were removed; 0 where none were."""
    statement = select(func.coalesce(func.max(AuditAnchor.number), 0)).where(AuditAnchor.kind == "base")
    return int((await session.exec(statement)).one())


async def remove_up_to(session: AsyncSession, number: int, at_once: int) -> int:
    """Remove the oldest events up to `number`, `at_once` at most, with what is personal in them; how many went."""
    oldest = (await session.exec(select(func.min(AuditEvent.number)))).one()
    if oldest is None or oldest > number:
        await (await session.connection()).execute(delete(AuditAnchor).where(col(AuditAnchor.number) < number))
        return 0
    last = min(number, oldest + at_once - 1)
    connection = await session.connection()
    await connection.execute(delete(PersonalContent).where(col(PersonalContent.number) <= last))
    gone: CursorResult[object] = await connection.execute(delete(AuditEvent).where(col(AuditEvent.number) <= last))
    return gone.rowcount


async def erase_person(session: AsyncSession, names: Sequence[str]) -> int:
    """Remove what all events hold of the person of these names, salt and text; how many events held something."""
    connection = await session.connection()
    gone = await connection.execute(delete(PersonalContent).where(col(PersonalContent.person).in_(names)))
    return int(gone.rowcount)


async def knows_of(session: AsyncSession, person: str) -> bool:
    """Whether any event is by, or of, the person of this id."""
    found = or_(col(AuditEvent.actor) == f"person:{person}", col(AuditEvent.resource) == person)
    return (await session.exec(select(AuditEvent.number).where(found).limit(1))).one_or_none() is not None
