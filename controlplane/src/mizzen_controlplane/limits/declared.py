"""How do limits, budgets and quota of a Project object get into force? All of a generation at once, or none of it.

A generation with an entry that is refused changes nothing, so that those of before stay in force, and the refusal is
kept for the operator, who tells people.
"""

from mizzen_crds.project_limits import LimitsState, ProjectLimitsAnswer
from sqlmodel.ext.asyncio.session import AsyncSession

from mizzen_controlplane.access.counted_over import Parent
from mizzen_controlplane.identity.repository import find_project
from mizzen_controlplane.kit.database import reading, unit_of_work
from mizzen_controlplane.kit.plane import Plane
from mizzen_controlplane.kit.subject import Subject
from mizzen_controlplane.limits.declared_entries import (
    Declaration,
    EntryRefusedError,
    bring_in_line,
    hand_to_api,
)
from mizzen_controlplane.limits.models import ProjectDeclaration
from mizzen_controlplane.limits.repository import find_declaration
from mizzen_controlplane.quotas.declared import follow_quota, hand_quota_to_api, is_followed
from mizzen_controlplane.quotas.models import ProjectQuota


def is_settled(declared: Declaration, found: ProjectDeclaration | None, quota: ProjectQuota | None) -> bool:
    """Whether this generation needs no other look. A refused one does: a key that it names may be there by now."""
    if found is None or (found.uid, found.generation) != (declared.uid, declared.generation):
        return False
    if found.made_here != declared.made_here:  # or an earlier release settled it, which did not note that
        return False
    # A release that knew no declared quotas may have settled the generation.
    return found.state != LimitsState.REFUSED and is_followed(declared.quota, quota, made_here=declared.made_here)


async def follow_declaration(plane: Plane, subject: Subject, project: str, declared: Declaration) -> None:
    """Bring limits and budgets of a project in line with its object."""
    try:
        async with unit_of_work(plane.database) as session:
            parent = await _held(session, plane, project, declared)
            if parent is not None:
                await _tell(session, parent, declared, await _state_after(session, subject, parent, declared))
    except EntryRefusedError as error:
        async with unit_of_work(plane.database) as session:
            parent = await _held(session, plane, project, declared)
            if parent is not None:
                await _tell(session, parent, declared, LimitsState.REFUSED, str(error))


async def release(plane: Plane, project_id: str) -> None:
    """The object is gone: what it declared stays in force, and the API may change it.

    What the API leaves as it is an object that is made again takes up again, as where its file is applied anew.
    """
    async with unit_of_work(plane.database) as session:
        found = await find_declaration(session, project_id, lock=True)
        await hand_quota_to_api(session, project_id)
        if found is not None:
            await session.delete(found)


async def answer_about(plane: Plane, name: str, uid: str, generation: int) -> ProjectLimitsAnswer:
    """What became of one generation of a Project object."""
    async with reading(plane.database) as session:
        project = await find_project(session, plane.organization_id, name)
        found = await find_declaration(session, project.id) if project is not None else None
    if found is None or (found.uid, found.generation) != (uid, generation):
        return ProjectLimitsAnswer(state=LimitsState.PENDING)
    return ProjectLimitsAnswer(state=LimitsState(found.state), message=found.message)


async def _state_after(session: AsyncSession, subject: Subject, parent: Parent, declared: Declaration) -> LimitsState:
    if parent.project is not None:
        await follow_quota(session, subject, parent.project, declared.quota, made_here=declared.made_here)
    if not declared.made_here:
        await bring_in_line(session, subject, parent, declared)
        return LimitsState.IN_FORCE
    # An object of people, there before, may have declared some: of this one nobody could change them.
    await hand_to_api(session, parent)
    await hand_quota_to_api(session, parent.id)
    return LimitsState.MANAGED_THROUGH_API if declared.limits or declared.budgets else LimitsState.IN_FORCE


async def _held(session: AsyncSession, plane: Plane, name: str, declared: Declaration) -> Parent | None:
    """The project, held until the transaction ends; None where another replica has seen a later generation."""
    project = await find_project(session, plane.organization_id, name, lock=True)
    if project is None:
        return None
    found = await find_declaration(session, project.id, lock=True)
    if found is not None and found.uid == declared.uid and found.generation > declared.generation:
        return None
    return Parent(project.id, project)


async def _tell(
    session: AsyncSession, parent: Parent, declared: Declaration, state: LimitsState, message: str = ""
) -> None:
    found = await find_declaration(session, parent.id, lock=True)
    row = found or ProjectDeclaration(project_id=parent.id, uid="", generation=0, state="", message="")
    row.uid, row.generation, row.state, row.message = declared.uid, declared.generation, state.value, message
    row.made_here = declared.made_here
    session.add(row)
