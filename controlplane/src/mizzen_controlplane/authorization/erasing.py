"""What do roles forget of an erased person? All bindings: nobody holds anything in that name again."""

from sqlmodel.ext.asyncio.session import AsyncSession

from mizzen_controlplane.authorization import repository
from mizzen_controlplane.kit.erasure import erases


@erases("bindings")
async def forget(session: AsyncSession, person_id: str) -> int:
    """Remove the person's bindings; how many there were."""
    return await repository.delete_bindings_of(session, f"person:{person_id}")
