"""How events for people are kept: equal ones counted, and none longer than a week."""

import hashlib
from datetime import timedelta
from typing import Final

from mizzen_crds.store import Occurrence
from sqlmodel.ext.asyncio.session import AsyncSession

from mizzen_controlplane.cluster import repository
from mizzen_controlplane.cluster.models import ObjectOccurrence
from mizzen_controlplane.kit.database import flush_or
from mizzen_controlplane.kit.ids import new_id
from mizzen_controlplane.kit.problem import Conflict

KEPT_FOR: Final = timedelta(days=7)
_MESSAGE_LENGTH: Final = 4096


async def keep(session: AsyncSession, occurrence: Occurrence) -> None:
    """Count the occurrence, or write it where it is new."""
    message = occurrence.message[:_MESSAGE_LENGTH]
    parts = (occurrence.kind, occurrence.namespace, occurrence.name, occurrence.type, occurrence.reason, message)
    fingerprint = hashlib.sha256("\0".join(parts).encode()).hexdigest()
    if await repository.count_again(session, fingerprint, occurrence):
        return
    await repository.forget_occurrences_before(session, occurrence.time - KEPT_FOR)
    session.add(
        ObjectOccurrence(
            id=new_id("occ"),
            fingerprint=fingerprint,
            kind=occurrence.kind,
            namespace=occurrence.namespace,
            name=occurrence.name,
            type=occurrence.type,
            reason=occurrence.reason,
            message=message,
            first_seen=occurrence.time,
            last_seen=occurrence.time,
            count=occurrence.count,
        )
    )
    await flush_or(session, Conflict("The same occurrence was written at this moment. Repeat.", code="repeat"))
