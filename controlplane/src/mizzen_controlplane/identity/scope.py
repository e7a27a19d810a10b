"""Which project a path means: by id or name, and 404 for any that is not there for the caller."""

from typing import Annotated

from fastapi import Path
from sqlmodel.ext.asyncio.session import AsyncSession

from mizzen_controlplane.identity.models import Project
from mizzen_controlplane.identity.repository import find_project
from mizzen_controlplane.kit.database import WRITES
from mizzen_controlplane.kit.plane import Plane
from mizzen_controlplane.kit.problem import Conflict, NotFound

ProjectRef = Annotated[str, Path(max_length=64, description="Id or name of the project.")]


async def project_or_404(
    session: AsyncSession, plane: Plane, id_or_name: str, *, lock: bool = False, even_archived: bool = False
) -> Project:
    """The project; raises NotFound, and Conflict where a writing session finds it archived and was not told otherwise.

    What is archived stays to be read; of what may be written there only the money of the past, and who may see it.
    """
    project = await find_project(session, plane.organization_id, id_or_name, lock=lock)
    if project is None:
        raise NotFound(f"There is no project {id_or_name!r}.", code="project_not_found")
    if project.archived_at is not None and WRITES in session.info and not even_archived:
        raise Conflict(
            f"The project {project.name!r} is archived since {project.archived_at:%Y-%m-%d}: nothing in it changes. "
            "Restore it first.",
            code="project_archived",
        )
    return project
