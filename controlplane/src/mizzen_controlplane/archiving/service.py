"""The rules of archiving: nothing may run, what people declare in the cluster ends there, and nothing is lost."""

from datetime import datetime
from typing import Final

from sqlmodel.ext.asyncio.session import AsyncSession

from mizzen_controlplane.audit.record import record
from mizzen_controlplane.cluster.stores import store_of
from mizzen_controlplane.identity.models import Project
from mizzen_controlplane.identity.scope import project_or_404
from mizzen_controlplane.kit.changes import next_access_version
from mizzen_controlplane.kit.clock import utc_now
from mizzen_controlplane.kit.database import unit_of_work
from mizzen_controlplane.kit.etag import require_match
from mizzen_controlplane.kit.plane import Plane
from mizzen_controlplane.kit.problem import Conflict
from mizzen_controlplane.kit.subject import Subject
from mizzen_controlplane.limits.repository import find_declaration

NAMED: Final = 10
"""Deployments that a refusal names."""


async def archive(plane: Plane, subject: Subject, ref: str, if_match: str | None) -> Project:
    """Archive; raises Conflict while it has deployments, or an object that people wrote. Twice is as once."""
    return await _set(plane, subject, ref, if_match, utc_now())


async def restore(plane: Plane, subject: Subject, ref: str, if_match: str | None) -> Project:
    """Bring back; one that is in use stays as it is."""
    return await _set(plane, subject, ref, if_match, None)


async def _set(plane: Plane, subject: Subject, ref: str, if_match: str | None, wanted: datetime | None) -> Project:
    async with unit_of_work(plane.database) as session:
        project = await project_or_404(session, plane, ref, lock=True, even_archived=True)
        require_match(if_match, project)
        if (project.archived_at is None) == (wanted is None):
            return project
        if wanted is not None:
            await _require_undeclared(session, project)
            await _require_empty(session, plane, project)
        before = project.model_dump()
        project.archived_at = wanted
        project.touch()
        await next_access_version(session)
        record(
            session, subject, "projects.restore" if wanted is None else "projects.archive", project.id,
            name=project.name, project_id=project.id, before=before, after=project.model_dump(),
        )  # fmt: skip
        return project


async def _require_undeclared(session: AsyncSession, project: Project) -> None:
    """Whoever applied the object would see the project come back with its next look at it."""
    found = await find_declaration(session, project.id)
    if found is not None and found.made_here is False:
        raise Conflict(
            f"The project {project.name!r} is declared by its Project object in the cluster, which owns it: delete "
            f"that first, by `kubectl delete projects.mizzen.dev {project.name}` or where it was applied from.",
            code="managed_by_project_object",
        )


async def _require_empty(session: AsyncSession, plane: Plane, project: Project) -> None:
    found = await store_of(plane, session).list_objects("ModelDeployment", project.namespace)
    names = sorted(one["metadata"]["name"] for one in found.items)
    if names:
        more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
        raise Conflict(
            f"The project {project.name!r} has deployments: {', '.join(names[:NAMED])}{more}. Delete them first.",
            code="project_in_use",
        )
