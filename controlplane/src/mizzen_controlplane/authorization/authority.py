"""What every route asks: may this caller do this here? Read from the database each time: a change holds at once.

Who may do nothing at all in a place is told that it is not there.
"""

from dataclasses import replace

from sqlmodel.ext.asyncio.session import AsyncSession

from mizzen_controlplane.authorization.decision import Bound, Decision, Effect, decide, held_at, reach_of
from mizzen_controlplane.authorization.models import Role, RoleBinding
from mizzen_controlplane.authorization.repository import bindings_of
from mizzen_controlplane.authorization.roles import BUILT_IN
from mizzen_controlplane.identity.repository import find_project
from mizzen_controlplane.kit.database import reading
from mizzen_controlplane.kit.permission import GRANTABLE, Permission
from mizzen_controlplane.kit.place import Place, Reach
from mizzen_controlplane.kit.plane import Plane
from mizzen_controlplane.kit.problem import Forbidden, Hidden
from mizzen_controlplane.kit.subject import Subject
from mizzen_controlplane.models.repository import find_model


class RolesDecide:
    """The guard's authority: the caller's bindings."""

    async def admit(self, plane: Plane, subject: Subject, permission: Permission, asked: Place) -> None:
        """Let the caller pass; raises Forbidden, and Hidden where the caller may not even know of the place."""
        async with reading(plane.database) as session:
            bindings = await bound_to(session, plane, subject)
            place = await resolved(session, plane, asked, bindings)
        if place is None or not (decision := decide(bindings, permission, place)).allowed:
            if asked.project and (place is None or not held_at(bindings, place)):
                raise Hidden(f"There is no project {asked.project!r}.", code="project_not_found")
            raise Forbidden(refusal(subject, permission, decision))

    async def reach(self, plane: Plane, subject: Subject, permission: Permission) -> Reach:
        """In which projects the caller may do it."""
        async with reading(plane.database) as session:
            return reach_of(await bound_to(session, plane, subject), permission)

    async def held(self, plane: Plane, subject: Subject, place: Place) -> frozenset[Permission]:
        """All that the caller may do there."""
        async with reading(plane.database) as session:
            return subject.permissions | held_at(await bound_to(session, plane, subject), place)


async def bound_to(session: AsyncSession, plane: Plane, subject: Subject) -> list[Bound]:
    """All bindings that concern the caller."""
    principals = [subject.principal, *(f"group:{name}" for name in sorted(subject.groups))]
    rows = await bindings_of(session, plane.organization_id, principals)
    told = [bound(binding, role) for binding, role in rows]
    if subject.project_id:
        return [one for one in told if one.place.project == subject.project_id]
    return [*told, *_of_settings(subject)]


def _of_settings(subject: Subject) -> list[Bound]:
    return [
        Bound("of-sign-in-settings", subject.principal, role, BUILT_IN[role].permissions, Effect.ALLOW, Place())
        for role in sorted(subject.roles)
    ]


def bound(binding: RoleBinding, role: Role | None) -> Bound:
    """What a binding gives or denies: nothing where its role is gone; permissions that are no more are passed over."""
    built_in = BUILT_IN.get(binding.role)
    permissions = built_in.permissions if built_in is not None else permissions_in(role)
    name = role.name if role is not None else binding.role
    place = Place(binding.project_id, binding.resource)
    return Bound(binding.id, binding.principal, name, permissions, Effect(binding.effect), place)


def permissions_in(role: Role | None) -> frozenset[Permission]:
    """What one of the organization's own roles holds."""
    return frozenset(one for one in GRANTABLE if role is not None and one in role.permissions)


async def resolved(session: AsyncSession, plane: Plane, asked: Place, bindings: list[Bound]) -> Place | None:
    """The place by its project's id and its resource's name; None where there is no such project."""
    if not asked.project:
        return asked
    project = await find_project(session, plane.organization_id, asked.project)
    if project is None:
        return None
    place = replace(asked, project=project.id)
    kind, _, name = asked.resource.partition("/")
    # A model may be named by its id as well: a binding to its name must hold for both.
    if kind == "model" and any(bound.place.resource for bound in bindings):
        model = await find_model(session, project.id, name)
        return replace(place, resource=f"model/{model.name}") if model is not None else place
    return place


def refusal(subject: Subject, permission: Permission, decision: Decision) -> str:
    """Why the caller may not."""
    if decision.because:
        denying = decision.because[0]
        return f"{subject.principal} is denied {permission} by the binding {denying.binding_id} (role {denying.role})."
    holding = ", ".join(role.name for role in BUILT_IN.values() if permission in role.permissions)
    return f"{subject.principal} needs the permission {permission} here, which no role of its own holds; {holding} do."
