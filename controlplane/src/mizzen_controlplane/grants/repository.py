"""SQL of grants."""

from collections.abc import Sequence

from sqlmodel import col, or_, select
from sqlmodel.ext.asyncio.session import AsyncSession
from sqlmodel.sql.expression import SelectOfScalar

from mizzen_controlplane.grants.models import Grant

PAGE_FIELDS = {"id": col(Grant.id), "name": col(Grant.name), "created_at": col(Grant.created_at)}


def grants_of(project_id: str) -> SelectOfScalar[Grant]:
    """All grants of a project, for a page."""
    return select(Grant).where(Grant.project_id == project_id)


async def find_grant(session: AsyncSession, project_id: str, id_or_model: str, *, lock: bool = False) -> Grant | None:
    """A grant by its id or its model."""
    statement = grants_of(project_id).where(or_(Grant.id == id_or_model, Grant.name == id_or_model))
    return (await session.exec(statement.with_for_update() if lock else statement)).one_or_none()


async def all_grants(session: AsyncSession) -> Sequence[Grant]:
    """Every grant, by id."""
    return (await session.exec(select(Grant).order_by(col(Grant.id)))).all()
