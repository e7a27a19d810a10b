"""The rules of an organization's own roles: none holds what its maker does not, none goes while it is bound."""

from sqlmodel.ext.asyncio.session import AsyncSession

from mizzen_controlplane.audit.record import record
from mizzen_controlplane.authorization import repository
from mizzen_controlplane.authorization.authority import permissions_in
from mizzen_controlplane.authorization.bindings import require_no_more
from mizzen_controlplane.authorization.models import Role
from mizzen_controlplane.authorization.roles import BUILT_IN, BuiltIn
from mizzen_controlplane.authorization.schemas import RoleCreate, RolePatch, RoleView
from mizzen_controlplane.kit.auth import Subject
from mizzen_controlplane.kit.database import flush_or, reading, unit_of_work
from mizzen_controlplane.kit.etag import require_match
from mizzen_controlplane.kit.ids import new_id
from mizzen_controlplane.kit.pages import PageQuery, page_of_names
from mizzen_controlplane.kit.permission import PROGRAMS_OWN, Permission
from mizzen_controlplane.kit.place import Place
from mizzen_controlplane.kit.plane import Plane
from mizzen_controlplane.kit.problem import Conflict, NotFound, invalid_field
from mizzen_controlplane.kit.wire import resource_fields

MOST_ROLES = 200
"""Of an organization's own: people choose among them."""


def view(role: Role | BuiltIn) -> RoleView:
    """On the wire."""
    if isinstance(role, BuiltIn):
        return RoleView(
            id=role.name, name=role.name, description=role.description, permissions=sorted(role.permissions),
            built_in=True,
        )  # fmt: skip
    held = sorted(permissions_in(role))
    return RoleView.model_validate(
        {**resource_fields(role), "description": role.description, "permissions": held, "built_in": False}
    )


async def page(plane: Plane, asked: PageQuery) -> tuple[list[RoleView], str]:
    """One page of all roles that can be bound, by name."""
    async with reading(plane.database) as session:
        own = (await session.exec(repository.own_roles(plane.organization_id))).all()
    roles: list[Role | BuiltIn] = [*BUILT_IN.values(), *own]
    found = [view(role).model_dump() for role in sorted(roles, key=lambda role: role.name)]
    rows, token = page_of_names(found, [role["name"] for role in found], asked, plane.secrets.page_key, scope="roles")
    return [RoleView.model_validate(row) for row in rows], token


async def get(plane: Plane, ref: str) -> Role | BuiltIn:
    """One role by name or id; raises NotFound."""
    if ref in BUILT_IN:
        return BUILT_IN[ref]
    async with reading(plane.database) as session:
        return await _role_or_404(session, plane, ref)


async def create(plane: Plane, subject: Subject, body: RoleCreate) -> Role:
    """Make a role; raises Forbidden for more than the caller holds, Conflict where the name is taken."""
    permissions = _grantable(body.permissions)
    taken = Conflict(f"There is a role named {body.name!r} already. Choose another name.", code="name_taken")
    if body.name in BUILT_IN:
        raise taken
    async with unit_of_work(plane.database) as session:
        await require_no_more(session, plane, subject, permissions, Place())
        if await repository.count_roles(session, plane.organization_id) >= MOST_ROLES:
            raise Conflict(
                f"The organization has {MOST_ROLES} roles of its own, the most that it may have. Delete one first.",
                code="too_many_roles",
            )
        role = Role(
            id=new_id("rol"), name=body.name, organization_id=plane.organization_id, description=body.description,
            permissions=sorted(permissions), labels=body.labels,
        )  # fmt: skip
        session.add(role)
        await flush_or(session, taken)
        record(session, subject, "roles.create", role.id, name=role.name, after=role.model_dump())
    return role


async def change(plane: Plane, subject: Subject, ref: str, body: RolePatch, if_match: str | None) -> Role:
    """Change a role, at once for all who hold it; raises Forbidden where what changes is more than the caller holds."""
    _refuse_built_in(ref)
    async with unit_of_work(plane.database) as session:
        role = await _role_or_404(session, plane, ref, lock=True)
        require_match(if_match, role)
        before = role.model_dump()
        if body.permissions is not None:
            permissions = _grantable(body.permissions)
            await require_no_more(session, plane, subject, permissions ^ permissions_in(role), Place())
            role.permissions = sorted(permissions)
        role.description = role.description if body.description is None else body.description
        role.labels = role.labels if body.labels is None else body.labels
        if role.model_dump() != before:
            role.touch()
            record(session, subject, "roles.change", role.id, name=role.name, before=before, after=role.model_dump())
    return role


async def delete(plane: Plane, subject: Subject, ref: str, if_match: str | None) -> None:
    """Delete a role that nobody is bound to; raises Conflict with the number of bindings."""
    _refuse_built_in(ref)
    async with unit_of_work(plane.database) as session:
        role = await _role_or_404(session, plane, ref, lock=True)
        require_match(if_match, role)
        bindings = await repository.count_bindings_of_role(session, role.id)
        if bindings:
            raise Conflict(
                f"The role {role.name!r} is bound {bindings} times. Delete those bindings first.",
                code="role_in_use",
                more={"bindings": bindings},
            )
        await session.delete(role)
        record(session, subject, "roles.delete", role.id, name=role.name, before=role.model_dump())


def _refuse_built_in(ref: str) -> None:
    if ref in BUILT_IN:
        raise Conflict(
            f"The role {ref!r} comes with the release and stays as it is. Make one of your own.", code="role_built_in"
        )


def _grantable(asked: list[Permission]) -> frozenset[Permission]:
    for number, permission in enumerate(asked):
        if permission in PROGRAMS_OWN:
            raise invalid_field(
                f"/permissions/{number}", f"{permission} is for programs of the installation alone. Leave it out."
            )
    return frozenset(asked)


async def _role_or_404(session: AsyncSession, plane: Plane, ref: str, *, lock: bool = False) -> Role:
    role = await repository.find_role(session, plane.organization_id, ref, lock=lock)
    if role is None:
        raise NotFound(f"There is no role {ref!r}.", code="role_not_found")
    return role
