"""SQL of the access clock."""

from sqlmodel import select
from sqlmodel.ext.asyncio.session import AsyncSession

from mizzen_controlplane.access.models import AccessClock


async def access_clock(session: AsyncSession, *, lock: bool = False) -> AccessClock | None:
    """The clock's only row, if it was made already."""
    statement = select(AccessClock)
    return (await session.exec(statement.with_for_update() if lock else statement)).one_or_none()
