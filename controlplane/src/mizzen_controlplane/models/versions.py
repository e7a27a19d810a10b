"""The rules of versions: announced whole, numbered 1, 2, 3 ..., immutable once READY, archived rather than removed."""

from collections.abc import Sequence

from mizzen_crds.registry import Signature
from mizzen_crds.signing import digest_of
from sqlmodel.ext.asyncio.session import AsyncSession

from mizzen_controlplane.audit.record import record
from mizzen_controlplane.identity.models import Project
from mizzen_controlplane.kit.auth import Subject
from mizzen_controlplane.kit.database import reading, unit_of_work
from mizzen_controlplane.kit.etag import require_match
from mizzen_controlplane.kit.ids import new_id
from mizzen_controlplane.kit.pages import PageQuery, page_of
from mizzen_controlplane.kit.plane import Plane
from mizzen_controlplane.kit.problem import Conflict, invalid_field
from mizzen_controlplane.kit.wire import resource_fields
from mizzen_controlplane.models.blob_folder import disk_full, free_bytes
from mizzen_controlplane.models.models import Model, ModelVersion, VersionFile
from mizzen_controlplane.models.records import lineage
from mizzen_controlplane.models.records.tags import merged_tags
from mizzen_controlplane.models.repository import aliases_by_number, contents_known, files_of, versions_of
from mizzen_controlplane.models.scanning.policy import require_format
from mizzen_controlplane.models.schemas import (
    AnnouncedFile,
    FileView,
    VersionCreate,
    VersionDetail,
    VersionPatch,
    VersionState,
    VersionView,
)
from mizzen_controlplane.models.scope import model_or_404, version_or_404
from mizzen_controlplane.models.standing import state_now
from mizzen_controlplane.quotas.service import require_storage

FIELDS = {
    "id": ModelVersion.id,
    "version": ModelVersion.number,
    "state": ModelVersion.state,
    "format": ModelVersion.format,
    "created_at": ModelVersion.created_at,
}


async def create(
    plane: Plane, subject: Subject, project_ref: str, model_ref: str, body: VersionCreate, *, made_as: str = ""
) -> tuple[ModelVersion, VersionDetail]:
    """Announce a version; files whose content the project has already need no upload. `made_as`: its id, if given.

    Only who gives an id may say where it was imported from.
    """
    files = sorted(body.files, key=lambda file: file.path)
    refuse_clashes(files)
    digests = sorted({file.sha256 for file in files})
    here = await content_here(plane, project_ref, model_ref, digests)
    async with unit_of_work(plane.database) as session:
        project, model = await model_or_404(session, plane, project_ref, model_ref, lock=True)
        await require_storage(session, project, {one.sha256: one.size for one in body.files})
        await require_format(session, project, body.format)
        known = here & await contents_known(session, project.id, digests)
        if sum(file.size for file in files if file.sha256 not in known) > free_bytes(plane.settings.data_dir):
            raise disk_full()
        model.last_number += 1
        version = _new_version(project, model, subject, body, files)
        version.id = made_as or version.id
        await lineage.write(session, project, version, body.lineage, imported=bool(made_as))
        session.add(version)
        await session.flush()
        session.add_all(
            VersionFile(version_id=version.id, received=file.sha256 in known, **file.model_dump()) for file in files
        )
        record(
            session, subject, "versions.create", version.id, name=f"{model.name}@{version.number}",
            project_id=project.id, after=version.model_dump(),
        )  # fmt: skip
        await session.flush()
        return version, await detail(session, project, model, version)


async def content_here(plane: Plane, project_ref: str, model_ref: str, digests: Sequence[str]) -> set[str]:
    """Those of `digests` that need not be sent again; looked up outside of the transaction, as a store may be slow."""
    async with reading(plane.database) as session:
        project, _model = await model_or_404(session, plane, project_ref, model_ref)
        known = await contents_known(session, project.id, digests)
    return await plane.content.held(sorted(known))


def _new_version(
    project: Project, model: Model, subject: Subject, body: VersionCreate, files: Sequence[AnnouncedFile]
) -> ModelVersion:
    return ModelVersion(
        id=new_id("mv"),
        name=str(model.last_number),
        project_id=project.id,
        model_id=model.id,
        number=model.last_number,
        format=body.format,
        state=VersionState.PENDING,
        digest=digest_of(files),
        size_bytes=sum(file.size for file in files),
        facts=body.metadata,
        tags=body.tags,
        labels=body.labels,
        created_by=subject.name,
    )


def refuse_clashes(files: Sequence[AnnouncedFile]) -> None:
    """Raise Invalid for a path that is there twice, or is a file and a folder."""
    seen: set[str] = set()
    for file in files:
        folders = {file.path[:at] for at, character in enumerate(file.path) if character == "/"}
        if file.path in seen or folders & seen:
            raise invalid_field("/files", f"{file.path!r} is there twice, or is both a file and a folder.")
        seen.add(file.path)


async def change(
    plane: Plane,
    subject: Subject,
    project_ref: str,
    model_ref: str,
    number: int,
    body: VersionPatch,
    if_match: str | None,
) -> tuple[ModelVersion, VersionDetail]:
    """Change what people say of a version; never its artifact."""
    async with unit_of_work(plane.database) as session:
        project, model = await model_or_404(session, plane, project_ref, model_ref)
        version = await version_or_404(session, model, number, lock=True)
        require_match(if_match, version)
        before = version.model_dump()
        if body.labels is not None:
            version.labels = body.labels
        if body.tags is not None:
            version.tags = merged_tags(version.tags, body.tags)
        if body.lineage is not None:
            await lineage.write(session, project, version, body.lineage)
        if body.metadata is not None:
            merged = {**version.facts, **body.metadata}
            version.facts = {name: value for name, value in merged.items() if value is not None}
        await _leave_trace(session, subject, "versions.change", model, version, before)
        return version, await detail(session, project, model, version)


async def archive(
    plane: Plane, subject: Subject, project_ref: str, model_ref: str, number: int, if_match: str | None
) -> tuple[ModelVersion, VersionDetail]:
    """Take a version out of use: no alias may point at it, nothing new resolves to it, its files stay."""
    async with unit_of_work(plane.database) as session:
        project, model = await model_or_404(session, plane, project_ref, model_ref, lock=True)
        version = await version_or_404(session, model, number, lock=True)
        require_match(if_match, version)
        pointing = (await aliases_by_number(session, model.id)).get(number, [])
        if pointing:
            raise Conflict(
                f"The alias {pointing[0]!r} points at version {number}. Move or delete it first.", code="version_in_use"
            )
        if version.state == VersionState.PENDING:
            raise Conflict(f"Version {number} is not finished yet. Finalize it first.", code="version_not_ready")
        before = version.model_dump()
        version.state = VersionState.ARCHIVED
        await _leave_trace(session, subject, "versions.archive", model, version, before)
        return version, await detail(session, project, model, version)


async def _leave_trace(
    session: AsyncSession,
    subject: Subject,
    action: str,
    model: Model,
    version: ModelVersion,
    before: dict[str, object],
) -> None:
    if version.model_dump() == before:
        return
    version.touch()
    record(
        session, subject, action, version.id, name=f"{model.name}@{version.number}", project_id=version.project_id,
        before=before, after=version.model_dump(),
    )  # fmt: skip
    await session.flush()


async def get(plane: Plane, project_ref: str, model_ref: str, number: int) -> tuple[ModelVersion, VersionDetail]:
    """One version with its files; raises NotFound."""
    async with reading(plane.database) as session:
        project, model = await model_or_404(session, plane, project_ref, model_ref)
        version = await version_or_404(session, model, number)
        return version, await detail(session, project, model, version)


async def page(plane: Plane, project_ref: str, model_ref: str, asked: PageQuery) -> tuple[list[VersionView], str]:
    """One page of a model's versions, newest first."""
    async with reading(plane.database) as session:
        project, model = await model_or_404(session, plane, project_ref, model_ref)
        rows, token = await page_of(
            session, versions_of(model.id), asked, FIELDS, plane.secrets.page_key,
            default_order="version desc", scope=f"versions {model.id}",
        )  # fmt: skip
        aliases = await aliases_by_number(session, model.id)
    return [VersionView.model_validate(_fields(project, model, row, aliases)) for row in rows], token


async def detail(session: AsyncSession, project: Project, model: Model, version: ModelVersion) -> VersionDetail:
    """On the wire, with files."""
    aliases = await aliases_by_number(session, model.id)
    files = [
        FileView(path=file.path, size=file.size, sha256=file.sha256, received=file.received)
        for file in await files_of(session, version.id)
    ]
    said = await lineage.view(session, version)
    return VersionDetail.model_validate({**_fields(project, model, version, aliases), "lineage": said, "files": files})


def _fields(project: Project, model: Model, version: ModelVersion, aliases: dict[int, list[str]]) -> dict[str, object]:
    return {
        **resource_fields(version),
        "project": project.name,
        "model": model.name,
        "version": version.number,
        "format": version.format,
        "state": (state := state_now(version)),
        "reason": "" if state == VersionState.READY else version.reason,
        "digest": version.digest,
        "size_bytes": version.size_bytes,
        "signature": Signature.model_validate(version.signature),
        "metadata": version.facts,
        "tags": version.tags,
        "aliases": aliases.get(version.number, []),
        "ready_at": version.ready_at,
        "verified_at": version.verified_at,
        "created_by": version.created_by,
    }
