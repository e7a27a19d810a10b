"""Where a version comes from: what its makers say of it, and the line of its parents and children."""

from sqlmodel.ext.asyncio.session import AsyncSession

from mizzen_controlplane.identity.models import Project
from mizzen_controlplane.kit.database import reading
from mizzen_controlplane.kit.plane import Plane
from mizzen_controlplane.kit.problem import NotFound, invalid_field
from mizzen_controlplane.models.models import Model, ModelVersion
from mizzen_controlplane.models.records.repository import children_of, version_and_model
from mizzen_controlplane.models.records.schemas import Descent, Lineage, Relative
from mizzen_controlplane.models.repository import find_model, find_version
from mizzen_controlplane.models.scope import model_or_404, version_or_404

MOST_RELATIVES = 100


async def write(
    session: AsyncSession, project: Project, version: ModelVersion, said: Lineage, *, imported: bool = False
) -> None:
    """Write what is said over what was; fields that are not given stay. Raises NotFound for a foreign parent."""
    given = said.model_dump(mode="json", exclude_unset=True)
    if not imported and given.get("origin", version.lineage.get("origin")) != version.lineage.get("origin"):
        raise invalid_field("/lineage/origin", "Only an import says where a version was fetched from; leave it out.")
    if "parent" in given:
        version.parent_id = await _parent_id(session, project, version, said)
    merged = {**version.lineage, **{name: value for name, value in given.items() if name != "parent"}}
    version.lineage = {name: value for name, value in merged.items() if value is not None}


async def _parent_id(session: AsyncSession, project: Project, version: ModelVersion, said: Lineage) -> str | None:
    if said.parent is None:
        return None
    model = await find_model(session, project.id, said.parent.model)
    parent = await find_version(session, model.id, said.parent.version) if model is not None else None
    if parent is None:
        raise NotFound(
            f"The project {project.name!r} has no version {said.parent.version} of {said.parent.model!r}, which "
            "lineage.parent names. A parent is a version of the same project.",
            code="parent_not_found",
        )
    if parent.id == version.id or parent.created_at >= version.created_at:
        # So no line of parents ever closes into a ring.
        raise invalid_field("/lineage/parent", "A parent is older than the version that was made from it.")
    return parent.id


async def view(session: AsyncSession, version: ModelVersion) -> Lineage:
    """On the wire."""
    parent = None
    if version.parent_id is not None:
        found = await version_and_model(session, version.parent_id)
        parent = {"model": found[1].name, "version": found[0].number} if found is not None else None
    return Lineage.model_validate({**version.lineage, "parent": parent})


async def descent(plane: Plane, project_ref: str, model_ref: str, number: int) -> Descent:
    """A version's line: parents up, children down; raises NotFound."""
    async with reading(plane.database) as session:
        _project, model = await model_or_404(session, plane, project_ref, model_ref)
        version = await version_or_404(session, model, number)
        ancestors: list[Relative] = []
        above = version.parent_id
        while above is not None and len(ancestors) < MOST_RELATIVES:
            found = await version_and_model(session, above)
            if found is None:
                break
            ancestors.append(_relative(*found))
            above = found[0].parent_id
        children = [_relative(*found) for found in await children_of(session, version.id, MOST_RELATIVES)]
        return Descent(lineage=await view(session, version), ancestors=ancestors, children=children)


def _relative(version: ModelVersion, model: Model) -> Relative:
    return Relative(version_id=version.id, model=model.name, version=version.number, state=version.state)
