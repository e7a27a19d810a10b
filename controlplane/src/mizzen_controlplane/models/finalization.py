"""How a version becomes READY: all files here, each held to its digest again, its format checked and read."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import structlog
from mizzen_crds.registry import Signature

from mizzen_controlplane.audit.record import record
from mizzen_controlplane.kit.auth import Subject
from mizzen_controlplane.kit.clock import utc_now
from mizzen_controlplane.kit.database import reading, unit_of_work
from mizzen_controlplane.kit.etag import require_match
from mizzen_controlplane.kit.plane import Plane
from mizzen_controlplane.kit.problem import Conflict, FieldError
from mizzen_controlplane.models.at_hand import at_hand
from mizzen_controlplane.models.blob_folder import blobs_lock, forget_uploads, sha256_of
from mizzen_controlplane.models.completion import complete_all
from mizzen_controlplane.models.formats.artifact import Artifact, UnfitArtifactError
from mizzen_controlplane.models.formats.check import check_artifact
from mizzen_controlplane.models.gathering import hold_alone
from mizzen_controlplane.models.models import ModelVersion, VersionFile
from mizzen_controlplane.models.repository import contents_in_use, files_of
from mizzen_controlplane.models.scanning.scanner import Scanned
from mizzen_controlplane.models.scanning.service import examine, settle
from mizzen_controlplane.models.schemas import VersionDetail, VersionState
from mizzen_controlplane.models.scope import model_or_404, version_or_404
from mizzen_controlplane.models.versions import detail

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the check found."""

    signature: Signature | None
    reason: str = ""


async def finalize(
    plane: Plane, subject: Subject, project_ref: str, model_ref: str, number: int, if_match: str | None
) -> tuple[ModelVersion, VersionDetail]:
    """Make the version READY, QUARANTINED or FAILED with a reason; once more changes nothing."""
    async with reading(plane.database) as session:
        project, model = await model_or_404(session, plane, project_ref, model_ref)
        version = await version_or_404(session, model, number)
        require_match(if_match, version)
        files = list(await files_of(session, version.id))
    if version.state == VersionState.PENDING:
        await complete_all(plane, version, files)
        _refuse_incomplete(number, files)
        allow_code = project.allow_code
        async with at_hand(plane, version, files) as contents:
            verdict = await asyncio.to_thread(_check, contents, version.format, files, allow_code)
            scanned = await examine(plane, project, files, contents) if verdict.signature is not None else None
        await _settle(plane, subject, project_ref, model_ref, number, verdict, scanned)
        forget_uploads(plane.settings.data_dir, version.id)
    async with reading(plane.database) as session:
        project, model = await model_or_404(session, plane, project_ref, model_ref)
        version = await version_or_404(session, model, number)
        done = await detail(session, project, model, version)
    if version.state == VersionState.FAILED:
        await _drop_content(plane, files)
    return version, done


async def _drop_content(plane: Plane, files: Sequence[VersionFile]) -> None:
    """Remove what a FAILED version alone was made of; after a crash in between, the next finalize does so.

    Under the lock no upload becomes content, and whoever announces the same digest has committed before it uploads.
    """
    data_dir, digests = plane.settings.data_dir, sorted({file.sha256 for file in files})
    with blobs_lock(data_dir) as lock:
        await hold_alone(lock.fileno())
        async with reading(plane.database) as session:
            used = await contents_in_use(session, digests)
        unused = [sha256 for sha256 in digests if sha256 not in used]
        await plane.content.remove(unused)


def _refuse_incomplete(number: int, files: Sequence[VersionFile]) -> None:
    missing = [file for file in files if not file.received]
    if missing:
        raise Conflict(
            f"{len(missing)} of {len(files)} files of version {number} are not here whole, such as {missing[0].path}. "
            "Upload the rest, then finalize again.",
            code="upload_incomplete",
            errors=[FieldError(f"file:{file.path}", "not received whole") for file in missing[:100]],
        )


def _check(contents: Mapping[str, Path], format_name: str, files: Sequence[VersionFile], allow_code: bool) -> Verdict:
    """Blocks: runs in a thread."""
    for file in files:
        reason = _damage(file, contents[file.path])
        if reason:
            return Verdict(None, reason)
    try:
        return Verdict(check_artifact(format_name, Artifact(contents, allow_code)))
    except UnfitArtifactError as error:
        return Verdict(None, str(error))
    except Exception as error:  # outermost guard of parsers that read foreign bytes
        log.warning("an artifact's check failed", format=format_name, exc_info=error)
        return Verdict(None, f"The artifact cannot be read as {format_name} ({type(error).__name__}). Export it again.")


def _damage(file: VersionFile, content: Path) -> str:
    try:
        whole = content.stat().st_size == file.size and sha256_of(content) == file.sha256
    except OSError as error:
        return f"{file.path} cannot be read from the data folder ({error.strerror}). Push the version again."
    return "" if whole else f"{file.path} was changed on the disk after its upload. Check the disk, then push again."


async def _settle(
    plane: Plane, subject: Subject, project_ref: str, model_ref: str, number: int, verdict: Verdict,
    scanned: Scanned | None,
) -> None:  # fmt: skip
    async with unit_of_work(plane.database) as session:
        project, model = await model_or_404(session, plane, project_ref, model_ref)
        version = await version_or_404(session, model, number, lock=True)
        if version.state != VersionState.PENDING:
            return  # another finalize of the same bytes was faster
        before = version.model_dump()
        if verdict.signature is not None:
            version.state, version.ready_at = VersionState.READY, utc_now()
            version.signature = verdict.signature.model_dump(mode="json")
            if scanned is not None:
                await settle(session, subject, project, version, scanned)
        else:
            version.state, version.reason = VersionState.FAILED, verdict.reason[:4000]
        version.touch()
        record(
            session, subject, "versions.finalize", version.id, name=f"{model.name}@{number}",
            project_id=version.project_id, before=before, after=version.model_dump(),
        )  # fmt: skip
