"""Whether the chain of audit events is whole: nothing changed, nothing taken out of its middle."""

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from mizzen_controlplane.audit.models import AuditEvent
from mizzen_controlplane.audit.record import GENESIS, hash_of
from mizzen_controlplane.audit.schemas import ChainReport

_BLOCK = 1000


async def verify_chain(session: AsyncSession) -> ChainReport:
    """Walk all events in order."""
    previous, number = GENESIS, 0
    while True:
        statement = select(AuditEvent).where(AuditEvent.number > number).order_by(col(AuditEvent.number)).limit(_BLOCK)
        events = (await session.exec(statement)).all()
        if not events:
            return ChainReport(whole=True, events=number)
        for event in events:
            number += 1
            if event.number != number or event.previous_hash != previous or event.hash != hash_of(event):
                return ChainReport(whole=False, events=number, broken_at=number)
            previous = event.hash
