"""The rules of bindings: who gets a role, and that nobody gives or takes away more than they hold themselves."""

from sqlmodel.ext.asyncio.session import AsyncSession

from mizzen_controlplane.audit.record import record
from mizzen_controlplane.authorization import repository
from mizzen_controlplane.authorization.authority import bound, bound_to, permissions_in
from mizzen_controlplane.authorization.decision import Effect, held_throughout
from mizzen_controlplane.authorization.models import Role, RoleBinding
from mizzen_controlplane.authorization.principals import require_principal
from mizzen_controlplane.authorization.roles import BUILT_IN
from mizzen_controlplane.authorization.schemas import BindingCreate, BindingView, ProjectBindingCreate
from mizzen_controlplane.identity.scope import project_or_404
from mizzen_controlplane.kit.auth import Subject
from mizzen_controlplane.kit.database import flush_or, reading, unit_of_work
from mizzen_controlplane.kit.etag import require_match
from mizzen_controlplane.kit.ids import new_id
from mizzen_controlplane.kit.pages import PageQuery, page_of
from mizzen_controlplane.kit.permission import Permission
from mizzen_controlplane.kit.place import Place
from mizzen_controlplane.kit.plane import Plane
from mizzen_controlplane.kit.problem import Conflict, Forbidden, NotFound, invalid_field
from mizzen_controlplane.kit.wire import resource_fields


async def create(plane: Plane, subject: Subject, project_ref: str | None, body: BindingCreate) -> RoleBinding:
    """Bind a principal to a role in the project or, without one, the organization; raises Forbidden, Conflict."""
    made = new_id("rbd")
    async with unit_of_work(plane.database) as session:
        place = await _place(session, plane, project_ref)
        resource = (body.resource or "") if isinstance(body, ProjectBindingCreate) else ""
        role, permissions = await _role(session, plane, body.role)
        await require_principal(session, body.principal, place.project)
        await require_no_more(session, plane, subject, permissions, Place(place.project, resource))
        row = RoleBinding(
            id=made, name=made, organization_id=plane.organization_id, principal=body.principal, role=role,
            effect=body.effect, project_id=place.project, resource=resource, labels=body.labels,
            created_by=subject.principal,
        )  # fmt: skip
        session.add(row)
        await flush_or(session, Conflict("There is such a binding already; nothing needs to be done.", code="bound"))
        record(session, subject, "bindings.create", row.id, project_id=row.project_id, after=row.model_dump())
    return row


async def page(plane: Plane, project_ref: str | None, asked: PageQuery) -> tuple[list[BindingView], str]:
    """One page of a project's bindings or, without one, of all that the organization has."""
    async with reading(plane.database) as session:
        place = await _place(session, plane, project_ref)
        statement = repository.all_bindings(plane.organization_id, place.project if project_ref is not None else None)
        rows, token = await page_of(
            session, statement, asked, repository.BINDING_FIELDS, plane.secrets.page_key,
            scope=f"bindings {place.project}",
        )  # fmt: skip
        return await _views(session, rows), token


async def get(plane: Plane, project_ref: str | None, binding_id: str) -> tuple[RoleBinding, BindingView]:
    """One binding; raises NotFound."""
    async with reading(plane.database) as session:
        row = await _found(session, plane, project_ref, binding_id)
        return row, (await _views(session, [row]))[0]


async def delete(plane: Plane, subject: Subject, project_ref: str | None, ref: str, if_match: str | None) -> None:
    """Take a binding away: it holds no more from the next request on. Raises Forbidden, NotFound."""
    async with unit_of_work(plane.database) as session:
        row = await _found(session, plane, project_ref, ref, lock=True)
        require_match(if_match, row)
        own = await repository.find_role(session, plane.organization_id, row.role)
        told = bound(row, own)
        await require_no_more(session, plane, subject, told.permissions, told.place)
        await session.delete(row)
        record(session, subject, "bindings.delete", row.id, project_id=row.project_id, before=row.model_dump())


async def require_no_more(
    session: AsyncSession, plane: Plane, subject: Subject, permissions: frozenset[Permission], place: Place
) -> None:
    """Raise Forbidden where the caller does not hold all of `permissions` throughout `place`."""
    lacking = permissions - subject.permissions
    if lacking and not subject.is_program:
        lacking -= held_throughout(await bound_to(session, plane, subject), place)
    if lacking:
        raise Forbidden(
            f"Nobody gives or takes away more than they hold: you lack {', '.join(sorted(lacking)[:8])} here. "
            "Ask somebody who holds it.",
            code="more_than_you_hold",
        )


async def require_all_that_it_holds(session: AsyncSession, plane: Plane, subject: Subject, other: Subject) -> None:
    """Raise Forbidden where the caller lacks anything that is bound to `other`: to act as it would be more."""
    for one in await bound_to(session, plane, other):
        if one.effect == Effect.ALLOW:
            await require_no_more(session, plane, subject, one.permissions, one.place)


async def _place(session: AsyncSession, plane: Plane, project_ref: str | None) -> Place:
    if project_ref is None:
        return Place()
    return Place((await project_or_404(session, plane, project_ref, even_archived=True)).id)


async def _role(session: AsyncSession, plane: Plane, name: str) -> tuple[str, frozenset[Permission]]:
    if name in BUILT_IN:
        return name, BUILT_IN[name].permissions
    # Locked, so that nobody deletes it before the binding is there.
    own: Role | None = await repository.find_role(session, plane.organization_id, name, lock=True)
    if own is None:
        raise invalid_field("/role", f"There is no role {name!r}.", code="no_such_role")
    return own.id, permissions_in(own)


async def _found(
    session: AsyncSession, plane: Plane, project_ref: str | None, binding_id: str, *, lock: bool = False
) -> RoleBinding:
    project = (await _place(session, plane, project_ref)).project if project_ref is not None else None
    row = await repository.find_binding(session, plane.organization_id, binding_id, project, lock=lock)
    if row is None:
        raise NotFound(f"There is no binding {binding_id!r} here.", code="binding_not_found")
    return row


async def _views(session: AsyncSession, rows: list[RoleBinding]) -> list[BindingView]:
    projects = await repository.names_of_projects(session, [row.project_id for row in rows])
    roles = await repository.names_of_roles(session, [row.role for row in rows])
    return [
        BindingView.model_validate(
            {
                **resource_fields(row),
                "role": roles.get(row.role, row.role),
                "principal": row.principal,
                "effect": row.effect,
                "project": projects.get(row.project_id),
                "resource": row.resource or None,
                "created_by": row.created_by,
            }
        )
        for row in rows
    ]
