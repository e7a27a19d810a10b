"""Is the content of a version still what was pushed? All of it is read again; what was changed is not served again."""

import asyncio
import hashlib
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

from sqlmodel.ext.asyncio.session import AsyncSession

from mizzen_controlplane.audit.record import Trace, record_trace
from mizzen_controlplane.identity.models import Project
from mizzen_controlplane.kit.auth import Subject
from mizzen_controlplane.kit.clock import utc_now
from mizzen_controlplane.kit.database import reading, unit_of_work
from mizzen_controlplane.kit.plane import Plane
from mizzen_controlplane.kit.problem import Conflict, NotFound, Unavailable
from mizzen_controlplane.models.models import ModelVersion, VersionFile
from mizzen_controlplane.models.repository import files_of, version_by_id, versions_with
from mizzen_controlplane.models.schemas import VersionState
from mizzen_controlplane.models.scope import model_or_404, version_or_404
from mizzen_controlplane.operations import service as operations
from mizzen_controlplane.operations.models import Operation
from mizzen_controlplane.operations.work import Report, TryLaterError, Work

KIND: Final = "versions.verify"
_STORE_AWAY: Final = timedelta(seconds=30)


async def begin(
    plane: Plane, subject: Subject, project_ref: str, model_ref: str, number: int
) -> tuple[Project, Operation]:
    """Queue the verification; raises Conflict for a version whose files are not all here."""
    async with unit_of_work(plane.database) as session:
        project, model = await model_or_404(session, plane, project_ref, model_ref)
        version = await version_or_404(session, model, number)
        if version.state == VersionState.PENDING or (version.state == VersionState.FAILED and not version.damaged_at):
            raise Conflict(
                f"Version {number} is {version.state}, and only one whose files are here and checked can be verified.",
                code="version_not_ready",
            )
        arguments = {"version_id": version.id}
        return project, operations.begin(session, subject, project, KIND, f"{model.name}@{number}", arguments)


async def run(plane: Plane, operation: Operation, report: Report) -> dict[str, Any]:
    """Read all of it; raises Conflict naming each file that is not what was pushed."""
    version_id = str(operation.arguments["version_id"])
    async with reading(plane.database) as session:
        files = await files_of(session, version_id)
    report.done_bytes, report.total_bytes = 0, sum(file.size for file in files)
    damaged: list[tuple[VersionFile, str]] = []
    for file in files:
        report.stage = f"reading {file.path}"
        try:
            wrong = await _wrong(plane, file, report)
        except Unavailable as error:
            raise TryLaterError(error.detail, _STORE_AWAY, error.problem_code) from error
        if wrong:
            damaged.append((file, wrong))
    if damaged:
        await _refuse_from_now_on(plane, operation, damaged)
        told = "; ".join(f"{file.path} {wrong}" for file, wrong in damaged[:5])
        raise Conflict(
            f"{len(damaged)} of {len(files)} files are not what was pushed: {told}. Every version with them is FAILED. "
            "Restore them from a backup and verify again, or push again.",
            code="content_damaged",
        )
    await _found_right(plane, operation, version_id)
    return {"files": len(files), "bytes": report.total_bytes}


async def _wrong(plane: Plane, file: VersionFile, report: Report) -> str:
    """What is wrong with the content, empty for nothing. One byte more than there should be is asked for."""
    digest, size = hashlib.sha256(), 0
    if not await plane.content.held([file.sha256]):
        return "is gone"
    try:
        async for chunk in plane.content.read(file.sha256, 0, file.size + 1 if file.size else 0):
            await asyncio.to_thread(digest.update, chunk)
            size += len(chunk)
            report.done_bytes += len(chunk)
    except NotFound:
        return "is gone"
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    return "" if size == file.size and digest.hexdigest() == file.sha256 else "was changed"


async def _refuse_from_now_on(plane: Plane, operation: Operation, damaged: Sequence[tuple[VersionFile, str]]) -> None:
    """Content is shared: no version of any project that has it is served, or lends it to a push, any more."""
    wrong = {file.sha256: what for file, what in damaged}
    async with unit_of_work(plane.database) as session:
        for version, path in await versions_with(session, sorted(wrong)):
            if version.damaged_at is None:
                _mark(session, operation, version, path)


def _mark(session: AsyncSession, operation: Operation, version: ModelVersion, path: str) -> None:
    before = {"state": version.state}
    version.damage = {"state": version.state, "reason": version.reason}
    version.damaged_at, version.state = utc_now(), VersionState.FAILED
    version.reason = (
        f"The content of {path} is not what was pushed, as a verification found. Restore it from a backup and verify "
        "the version again, or push it again."
    )
    version.touch()
    session.add(version)
    _trace(session, operation, "versions.damage", version, before, {"state": version.state, "file": path})


async def _found_right(plane: Plane, operation: Operation, version_id: str) -> None:
    async with unit_of_work(plane.database) as session:
        version = await version_by_id(session, version_id, lock=True)
        if version is None:
            return
        version.verified_at = utc_now()
        before = {"state": version.state}
        if version.damaged_at is not None and version.damage is not None:
            version.state, version.reason = version.damage["state"], version.damage["reason"]
            version.damaged_at = version.damage = None
            version.touch()
        _trace(session, operation, "versions.verify", version, before, {"state": version.state})


def _trace(
    session: AsyncSession, operation: Operation, action: str, version: ModelVersion, before: dict[str, str],
    after: dict[str, str],
) -> None:  # fmt: skip
    target = operation.target if version.id == operation.arguments["version_id"] else version.name
    record_trace(
        session,
        Trace(operation.created_by, action, version.id, target, version.project_id, "done", before, after),
    )


WORK: Final = Work(run)
