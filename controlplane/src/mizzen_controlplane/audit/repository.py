"""What is read of the audit events: the end of the chain, its blocks in order, and lists for people."""

from collections.abc import Sequence

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession
from sqlmodel.sql.expression import SelectOfScalar

from mizzen_controlplane.audit.models import AuditEvent


async def hash_at(session: AsyncSession, number: int) -> str | None:
    """The hash of event `number`; None where there is none."""
    statement = select(AuditEvent.hash).where(AuditEvent.number == number)
    return (await session.exec(statement)).one_or_none()


async def events_after(session: AsyncSession, number: int, limit: int) -> Sequence[AuditEvent]:
    """The next events of the chain, in order."""
    statement = select(AuditEvent).where(AuditEvent.number > number).order_by(col(AuditEvent.number)).limit(limit)
    return (await session.exec(statement)).all()


def events_of(project_id: str) -> SelectOfScalar[AuditEvent]:
    """The list of one project's events, or of all where `project_id` is empty."""
    statement = select(AuditEvent)
    return statement.where(col(AuditEvent.project_id) == project_id) if project_id else statement
