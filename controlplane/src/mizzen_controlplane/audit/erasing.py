"""What does the trail forget of an erased person? Salt and text; event and commitment stay in the chain."""

from sqlmodel.ext.asyncio.session import AsyncSession

from mizzen_controlplane.audit import repository
from mizzen_controlplane.kit.erasure import erases


@erases("audit_events")
async def forget(session: AsyncSession, person: str) -> int:
    """Remove what events hold of `person`, as the one who acted and as the one acted upon."""
    return await repository.erase_person(session, [person, f"person:{person}"])
