"""Which model, version or alias a path means; 404 for any that is not there."""

from typing import Annotated

from fastapi import Path
from sqlmodel.ext.asyncio.session import AsyncSession

from mizzen_controlplane.identity.models import Project
from mizzen_controlplane.identity.scope import project_or_404
from mizzen_controlplane.kit.plane import Plane
from mizzen_controlplane.kit.problem import NotFound
from mizzen_controlplane.models.models import Model, ModelVersion
from mizzen_controlplane.models.repository import find_model, find_version

ModelRef = Annotated[str, Path(max_length=64, description="Id or name of the model.")]
VersionNumber = Annotated[int, Path(ge=1, le=2**31 - 1, description="Number of the version.")]


async def model_or_404(
    session: AsyncSession, plane: Plane, project_ref: str, model_ref: str, *, lock: bool = False
) -> tuple[Project, Model]:
    """The model and its project; raises NotFound."""
    project = await project_or_404(session, plane, project_ref)
    model = await find_model(session, project.id, model_ref, lock=lock)
    if model is None:
        raise NotFound(f"The project {project.name!r} has no model {model_ref!r}.", code="model_not_found")
    return project, model


async def version_or_404(session: AsyncSession, model: Model, number: int, *, lock: bool = False) -> ModelVersion:
    """The version; raises NotFound."""
    version = await find_version(session, model.id, number, lock=lock)
    if version is None:
        newest = f"its newest is {model.last_number}" if model.last_number else "it has none yet"
        raise NotFound(f"The model {model.name!r} has no version {number}; {newest}.", code="version_not_found")
    return version
