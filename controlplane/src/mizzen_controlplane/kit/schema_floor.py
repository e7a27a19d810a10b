"""When can an earlier release no longer work with what is kept? Once something is kept that it cannot read."""

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from mizzen_controlplane.kit.tables import SchemaFloor


async def raise_floor(session: AsyncSession, revision: str) -> None:
    """From now on only releases that know this migration can use the database; they say so at their start.

    Numbers of migrations have four digits, so that text compares as they do.
    """
    floor = (await session.exec(select(SchemaFloor).where(col(SchemaFloor.id) == 1).with_for_update())).one_or_none()
    if floor is None:
        session.add(SchemaFloor(id=1, revision=revision))
    elif floor.revision < revision:
        floor.revision = revision
