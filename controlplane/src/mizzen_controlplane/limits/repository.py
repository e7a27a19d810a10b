"""SQL of rate limits."""

from collections.abc import Sequence

from mizzen_crds.access import Scope
from sqlmodel import col, or_, select
from sqlmodel.ext.asyncio.session import AsyncSession
from sqlmodel.sql.expression import SelectOfScalar

from mizzen_controlplane.limits.models import DECLARED, Limit, ProjectDeclaration

PAGE_FIELDS = {
    "id": col(Limit.id),
    "name": col(Limit.name),
    "created_at": col(Limit.created_at),
    "scope": col(Limit.scope),
    "scope_id": col(Limit.scope_id),
    "model": col(Limit.model),
    "metric": col(Limit.metric),
}


def limits_of(parent_id: str) -> SelectOfScalar[Limit]:
    """All limits of a project or of the organization, for a page."""
    return select(Limit).where(Limit.parent_id == parent_id)


async def find_limit(session: AsyncSession, parent_id: str, id_or_name: str, *, lock: bool = False) -> Limit | None:
    """A limit by id or name."""
    statement = limits_of(parent_id).where(or_(Limit.id == id_or_name, Limit.name == id_or_name))
    return (await session.exec(statement.with_for_update() if lock else statement)).one_or_none()


async def limits_in_force(session: AsyncSession) -> Sequence[Limit]:
    """Every limit that is not off, by id."""
    return (await session.exec(select(Limit).where(Limit.enforcement != "off").order_by(col(Limit.id)))).all()


async def owner_scopes(session: AsyncSession) -> set[str]:
    """What limits of owners that are not off are counted over."""
    statement = select(Limit.scope_id).where(Limit.scope == Scope.OWNER, Limit.enforcement != "off")
    return set((await session.exec(statement)).all())


async def declared_limits(session: AsyncSession, project_id: str) -> Sequence[Limit]:
    """The project's limits that its object in the cluster declares, held until the transaction ends."""
    statement = limits_of(project_id).where(Limit.owner == DECLARED).order_by(col(Limit.id))
    return (await session.exec(statement.with_for_update())).all()


async def find_declaration(session: AsyncSession, project_id: str, *, lock: bool = False) -> ProjectDeclaration | None:
    """What was made of the last generation of the project's object."""
    return await session.get(ProjectDeclaration, project_id, with_for_update=True if lock else None)


async def all_declarations(session: AsyncSession) -> Sequence[ProjectDeclaration]:
    """Those of all projects."""
    return (await session.exec(select(ProjectDeclaration))).all()
