"""The rules of imports for those who ask: what can be refused at once is; the rest is long work."""

from typing import Any, Final

from sqlmodel.ext.asyncio.session import AsyncSession

from mizzen_controlplane.identity.models import Project
from mizzen_controlplane.imports.credentials.place import place_of
from mizzen_controlplane.imports.credentials.schemas import CredentialKind
from mizzen_controlplane.imports.credentials.showing import credential_or_404
from mizzen_controlplane.imports.origins.mlflow import model_named
from mizzen_controlplane.imports.origins.oci import artifact_named
from mizzen_controlplane.imports.schemas import VersionImport
from mizzen_controlplane.imports.source import Source, bucket_of, source_of
from mizzen_controlplane.kit.auth import Subject
from mizzen_controlplane.kit.database import unit_of_work
from mizzen_controlplane.kit.plane import Plane
from mizzen_controlplane.kit.problem import invalid_field
from mizzen_controlplane.models.scanning.policy import require_format
from mizzen_controlplane.models.scope import model_or_404
from mizzen_controlplane.operations.models import Operation
from mizzen_controlplane.operations.service import begin

KIND: Final = "versions.import"


async def begin_import(
    plane: Plane, subject: Subject, project_ref: str, model_ref: str, body: VersionImport
) -> tuple[Project, Operation]:
    """Queue the work; raises Invalid for a source that cannot be taken, NotFound for a model that is not there."""
    source = source_of(body.source)
    _require_names(source, body)
    async with unit_of_work(plane.database) as session:
        project, model = await model_or_404(session, plane, project_ref, model_ref)
        if body.format is not None:
            await require_format(session, project, body.format)
        arguments: dict[str, Any] = {**body.model_dump(mode="json"), "model": model.id}
        if body.credential is not None:
            arguments["credential"] = await _credential_for(session, project, body.credential, plane, source)
        return project, begin(session, subject, project, KIND, model.name, arguments)


async def _credential_for(session: AsyncSession, project: Project, ref: str, plane: Plane, source: Source) -> str:
    """Its id; raises NotFound, and Invalid where it would never be shown."""
    row = await credential_or_404(session, project.id, ref)
    asked = place_of(source.asked_at(plane.settings.hub_url))
    if asked != row.host:
        raise invalid_field(
            "/credential",
            f"The credential {row.name!r} is for {row.host} and sent nowhere else; this source asks {asked}.",
            code="credential_of_another_host",
        )
    if (row.kind == CredentialKind.ACCESS_KEY) != (source.scheme == "s3"):
        raise invalid_field(
            "/credential",
            f"The credential {row.name!r} is of kind {row.kind}; s3:// takes an access_key, and nothing else does.",
            code="credential_of_another_kind",
        )
    return row.id


def _require_names(source: Source, body: VersionImport) -> None:
    if source.scheme == "s3":
        bucket_of(source)
    if source.scheme == "oci":
        artifact_named(source)
    if source.scheme == "mlflow":
        model_named(source)
    if source.scheme != "https":
        return
    folder = source.path.endswith("/") or not source.path
    if folder and (not body.files or any(character in name for name in body.files for character in "*?[")):
        raise invalid_field(
            "/files",
            "A folder of https:// cannot be listed: name each of its files, without `*`, or give the URL of one file.",
            code="files_needed",
        )
    if body.files and not folder:
        raise invalid_field("/files", "The source is one file. End it with `/` to fetch several below it.")
