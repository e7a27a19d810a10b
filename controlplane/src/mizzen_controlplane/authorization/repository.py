"""SQL of roles and their bindings."""

from collections.abc import Mapping, Sequence

from sqlalchemy import delete, func
from sqlmodel import col, or_, select
from sqlmodel.ext.asyncio.session import AsyncSession
from sqlmodel.sql.expression import SelectOfScalar

from mizzen_controlplane.authorization.models import Role, RoleBinding
from mizzen_controlplane.identity.models import Project

BINDING_FIELDS = {
    name: getattr(RoleBinding, name)
    for name in ("id", "created_at", "principal", "role", "effect", "project_id", "resource", "created_by")
}


async def bindings_of(
    session: AsyncSession, organization_id: str, principals: Sequence[str]
) -> Sequence[tuple[RoleBinding, Role | None]]:
    """All bindings of these principals, each with its role where that is the organization's own."""
    statement = (
        select(RoleBinding, Role)
        .join(Role, col(Role.id) == col(RoleBinding.role), isouter=True)
        .where(RoleBinding.organization_id == organization_id, col(RoleBinding.principal).in_(principals))
    )
    return (await session.exec(statement)).all()


def all_bindings(organization_id: str, project_id: str | None = None) -> SelectOfScalar[RoleBinding]:
    """Those of a project, or all of the organization, for a page."""
    statement = select(RoleBinding).where(RoleBinding.organization_id == organization_id)
    return statement if project_id is None else statement.where(RoleBinding.project_id == project_id)


async def find_binding(
    session: AsyncSession, organization_id: str, binding_id: str, project_id: str | None, *, lock: bool = False
) -> RoleBinding | None:
    """A binding of the project or, without one, any of the organization's."""
    statement = all_bindings(organization_id, project_id).where(RoleBinding.id == binding_id)
    return (await session.exec(statement.with_for_update() if lock else statement)).one_or_none()


async def delete_bindings_of(session: AsyncSession, principal: str) -> int:
    """Remove all bindings of a principal; how many there were."""
    statement = delete(RoleBinding).where(col(RoleBinding.principal) == principal)
    return len((await session.exec(statement.returning(col(RoleBinding.id)))).all())


def own_roles(organization_id: str) -> SelectOfScalar[Role]:
    """The organization's own roles."""
    return select(Role).where(Role.organization_id == organization_id).order_by(col(Role.name))


async def find_role(session: AsyncSession, organization_id: str, id_or_name: str, *, lock: bool = False) -> Role | None:
    """One of the organization's own roles."""
    statement = own_roles(organization_id).where(or_(Role.id == id_or_name, Role.name == id_or_name))
    return (await session.exec(statement.with_for_update() if lock else statement)).one_or_none()


async def count_roles(session: AsyncSession, organization_id: str) -> int:
    """How many roles of its own the organization has."""
    statement = select(func.count()).select_from(Role).where(Role.organization_id == organization_id)
    return (await session.exec(statement)).one()


async def count_bindings_of_role(session: AsyncSession, role_id: str) -> int:
    """How many bindings name the role."""
    statement = select(func.count()).select_from(RoleBinding).where(RoleBinding.role == role_id)
    return (await session.exec(statement)).one()


async def names_of_projects(session: AsyncSession, ids: Sequence[str]) -> Mapping[str, str]:
    """Id -> name."""
    return dict((await session.exec(select(Project.id, Project.name).where(col(Project.id).in_(ids)))).all())


async def names_of_roles(session: AsyncSession, ids: Sequence[str]) -> Mapping[str, str]:
    """Id -> name, of the organization's own roles."""
    return dict((await session.exec(select(Role.id, Role.name).where(col(Role.id).in_(ids)))).all())
