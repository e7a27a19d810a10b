"""Whether the chain of audit events is whole: nothing changed, nothing taken out of its middle."""

from sqlmodel.ext.asyncio.session import AsyncSession

from mizzen_controlplane.audit.chain_format import GENESIS, hash_of
from mizzen_controlplane.audit.record import chain_fields
from mizzen_controlplane.audit.repository import events_after
from mizzen_controlplane.audit.schemas import ChainReport

_BLOCK = 1000


async def verify_chain(session: AsyncSession) -> ChainReport:
    """Walk all events in order."""
    previous, number = GENESIS, 0
    while True:
        events = await events_after(session, number, _BLOCK)
        if not events:
            return ChainReport(whole=True, events=number)
        for event in events:
            number += 1
            if event.number != number or event.previous_hash != previous or event.hash != hash_of(chain_fields(event)):
                return ChainReport(whole=False, events=number, broken_at=number)
            previous = event.hash
