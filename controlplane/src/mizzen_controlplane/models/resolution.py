"""What those who run models ask: which version a reference means, which files it has, and where their bytes lie."""

from mizzen_crds.registry import ArtifactFile, ArtifactManifest, ResolvedVersion, Signature
from sqlmodel.ext.asyncio.session import AsyncSession

from mizzen_controlplane.identity.models import Project
from mizzen_controlplane.identity.repository import project_of_namespace
from mizzen_controlplane.kit.database import reading
from mizzen_controlplane.kit.plane import Plane
from mizzen_controlplane.kit.problem import Conflict, NotFound, invalid_field
from mizzen_controlplane.models.aliases import alias_missing
from mizzen_controlplane.models.models import Model, ModelVersion, VersionFile
from mizzen_controlplane.models.repository import files_of, find_alias, find_file, find_model, version_by_id
from mizzen_controlplane.models.schemas import VersionState
from mizzen_controlplane.models.scope import version_or_404
from mizzen_controlplane.models.signing.requirement import require_signed
from mizzen_controlplane.models.standing import quarantined, state_now

_SERVED = (VersionState.READY, VersionState.ARCHIVED)
"""An archived version is not resolved any more, but pods that run it may restart."""


async def resolve(
    plane: Plane, namespace: str, model_name: str, number: int | None, alias_name: str | None
) -> ResolvedVersion:
    """The READY version that a deployment's versionRef means."""
    if (number is None) == (alias_name is None):
        raise invalid_field("query:version", "Give exactly one of version and alias.")
    async with reading(plane.database) as session:
        project, model = await _model(session, namespace, model_name)
        if alias_name is not None:
            alias = await find_alias(session, model.id, alias_name)
            if alias is None:
                raise alias_missing(model, alias_name)
            number = alias.number
        assert number is not None
        version = await version_or_404(session, model, number)
        named = f"Version {number} of {model.name!r}"
        if state_now(version) != VersionState.READY:
            raise _unusable(named, version)
        await require_signed(session, named, version)
    return _resolved(project, model, version)


def _unusable(named: str, version: ModelVersion) -> Conflict:
    """Waiting helps for a PENDING version alone: FAILED and ARCHIVED are final, and have codes of their own."""
    if state_now(version) == VersionState.QUARANTINED:
        return quarantined(named, version)
    if version.state == VersionState.FAILED:
        final = "" if version.damaged_at else ", which is final"
        return Conflict(f"{named} is FAILED{final}: {version.reason}", code="version_failed")
    if version.state == VersionState.ARCHIVED:
        return Conflict(f"{named} is ARCHIVED: it was taken out of use.", code="version_archived")
    return Conflict(
        f"{named} is {version.state}: its files are not all here and checked yet.", code="version_not_ready"
    )


async def _model(session: AsyncSession, namespace: str, name: str) -> tuple[Project, Model]:
    project = await project_of_namespace(session, namespace)
    if project is None:
        raise NotFound(
            f"No project has the namespace {namespace!r}, so there is no model {name!r} in it and no key for its "
            f"callers. `mizzen projects create {namespace}` makes one.",
            code="model_not_found",
        )
    model = await find_model(session, project.id, name)
    if model is None:
        raise NotFound(f"There is no model {name!r} in the project of {namespace!r}.", code="model_not_found")
    return project, model


def _resolved(project: Project, model: Model, version: ModelVersion) -> ResolvedVersion:
    return ResolvedVersion(
        version_id=version.id,
        model=model.name,
        version=version.number,
        digest=version.digest,
        format=version.format,
        size_bytes=version.size_bytes,
        state=version.state,
        signature=Signature.model_validate(version.signature),
        allow_code=project.allow_code,
        created_at=version.created_at,
    )


async def manifest(plane: Plane, version_id: str, namespace: str | None = None) -> ArtifactManifest:
    """Every file of a version that may be served; `namespace`: of its project alone."""
    async with reading(plane.database) as session:
        version = await _served(session, version_id, namespace)
        project = await session.get_one(Project, version.project_id)
        files = await files_of(session, version.id)
    return ArtifactManifest(
        version_id=version.id,
        digest=version.digest,
        format=version.format,
        files=[ArtifactFile(path=file.path, size=file.size, sha256=file.sha256) for file in files],
        allow_code=project.allow_code,
    )


async def content(plane: Plane, version_id: str, path: str, namespace: str | None = None) -> VersionFile:
    """A file of a version that may be served, its content here; `namespace`: of its project alone."""
    async with reading(plane.database) as session:
        version = await _served(session, version_id, namespace)
        file = await find_file(session, version.id, path)
    if file is None:
        raise NotFound(f"The version {version_id} has no file {path!r}.", code="file_not_found")
    if not await plane.content.held([file.sha256]):
        raise NotFound(
            f"The content of {path!r} is gone from where artifacts are kept. Restore it from a backup, or push again.",
            code="content_missing",
        )
    return file


async def _served(session: AsyncSession, version_id: str, namespace: str | None) -> ModelVersion:
    version = await version_by_id(session, version_id)
    if version is not None and namespace is not None:
        project = await project_of_namespace(session, namespace)
        if project is None or project.id != version.project_id:
            version = None  # another tenant's is one that does not exist
    if version is None:
        raise NotFound(f"There is no version {version_id!r}.", code="version_not_found")
    if state_now(version) not in _SERVED:
        raise _unusable(f"The version {version_id}", version)
    await require_signed(session, f"The version {version_id}", version)
    return version
