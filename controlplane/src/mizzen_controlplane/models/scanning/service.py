"""The rules of scans: what is found quarantines a version, until it is released with a reason."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from sqlmodel.ext.asyncio.session import AsyncSession

from mizzen_controlplane.audit.record import record
from mizzen_controlplane.identity.models import Project
from mizzen_controlplane.kit.auth import Subject
from mizzen_controlplane.kit.clock import utc_now
from mizzen_controlplane.kit.database import reading, unit_of_work
from mizzen_controlplane.kit.etag import require_match
from mizzen_controlplane.kit.ids import new_id
from mizzen_controlplane.kit.pages import PageQuery, page_of
from mizzen_controlplane.kit.plane import Plane
from mizzen_controlplane.kit.problem import Conflict, NotFound, invalid_field
from mizzen_controlplane.kit.schema_floor import raise_floor
from mizzen_controlplane.kit.wire import resource_fields
from mizzen_controlplane.models.at_hand import at_hand
from mizzen_controlplane.models.models import Model, ModelVersion, VersionFile
from mizzen_controlplane.models.repository import files_of
from mizzen_controlplane.models.scanning.findings import Finding, rank
from mizzen_controlplane.models.scanning.models import QuarantineRelease, VersionScan
from mizzen_controlplane.models.scanning.policy import policy_of
from mizzen_controlplane.models.scanning.repository import newest_scan, release_in_force, scans_of
from mizzen_controlplane.models.scanning.scan import RULES_VERSION
from mizzen_controlplane.models.scanning.scanner import Scanned, scanner_of
from mizzen_controlplane.models.scanning.schemas import ReleaseCreate, ReleaseView, ScanView, Verdict
from mizzen_controlplane.models.schemas import VersionState
from mizzen_controlplane.models.scope import model_or_404, version_or_404
from mizzen_controlplane.models.standing import state_now

QUARANTINE_KNOWN_SINCE = "0016"
"""Migration whose release first knew the state."""
FIELDS = {"id": VersionScan.id, "verdict": VersionScan.name, "created_at": VersionScan.created_at}


def view(version: ModelVersion, scan: VersionScan) -> ScanView:
    """On the wire."""
    own = scan.model_dump(include={"rules", "findings", "left_out", "created_by"})
    return ScanView.model_validate({**resource_fields(scan), **own, "version": version.number, "verdict": scan.name})


async def examine(
    plane: Plane, project: Project, files: Sequence[VersionFile], contents: Mapping[str, Path]
) -> Scanned:
    """Have a version's files scanned, in a process of its own; `contents` says where each lies."""
    lying = {file.path: (contents[file.path], file.size) for file in files}
    return await scanner_of(plane).scan(lying, allow_code=project.allow_code)


async def settle(
    session: AsyncSession, subject: Subject, project: Project, version: ModelVersion, scanned: Scanned
) -> VersionScan:
    """Keep what was found, and set the state of a version that is READY or QUARANTINED by it."""
    least = rank((await policy_of(session, project)).quarantine_from)
    grave = [finding for finding in scanned.findings if rank(finding.severity) >= least]
    release = await release_in_force(session, version.id)
    covered = set(release.covered) if release is not None and _holds(release) else set()
    open_ones = [finding for finding in grave if _mark(finding) not in covered]
    # What was left out of the list is in no release: nobody has read it.
    if scanned.left_out and grave and not open_ones:
        open_ones = grave
    verdict = Verdict.QUARANTINED if open_ones else Verdict.RELEASED if grave else Verdict.CLEAN
    scan = VersionScan(
        id=new_id("vsc"), name=verdict, version_id=version.id, rules=RULES_VERSION, left_out=scanned.left_out,
        findings=[_told(finding) for finding in scanned.findings], created_by=subject.name,
    )  # fmt: skip
    session.add(scan)
    if version.state in (VersionState.READY, VersionState.QUARANTINED):
        if verdict == Verdict.QUARANTINED:
            await _quarantine(session, version, release, _reason(open_ones))
        else:
            version.state = VersionState.READY
            version.release_expires_at = release.expires_at if verdict == Verdict.RELEASED and release else None
    return scan


def _holds(release: QuarantineRelease) -> bool:
    return release.expires_at is None or release.expires_at > utc_now()


def _mark(finding: Finding) -> str:
    return f"{finding.rule} {finding.severity} {finding.file} {finding.detail}"


def _told(finding: Finding) -> dict[str, str]:
    return {
        "file": finding.file, "rule": finding.rule, "severity": finding.severity, "detail": finding.detail,
    }  # fmt: skip


def _reason(grave: Sequence[Finding]) -> str:
    worst = max(grave, key=lambda finding: rank(finding.severity))
    where = f"{worst.file}: " if worst.file else ""
    more = f" (and {len(grave) - 1} more)" if len(grave) > 1 else ""
    return f"Its scan found {worst.rule}, {worst.severity}: {where}{worst.detail}{more}."[:4000]


async def _quarantine(
    session: AsyncSession, version: ModelVersion, release: QuarantineRelease | None, reason: str
) -> None:
    await raise_floor(session, QUARANTINE_KNOWN_SINCE)  # earlier releases cannot read the state
    version.state, version.reason, version.release_expires_at = VersionState.QUARANTINED, reason, None
    if release is not None:
        release.ended_at = utc_now()
        session.add(release)


async def scan_again(plane: Plane, subject: Subject, project_ref: str, model_ref: str, number: int) -> ScanView:
    """Scan a version again, by the rules and the policy of now; raises Conflict for one that is not whole."""
    async with reading(plane.database) as session:
        project, model = await model_or_404(session, plane, project_ref, model_ref)
        version = await version_or_404(session, model, number)
        files = await files_of(session, version.id)
    if version.state in (VersionState.PENDING, VersionState.FAILED):
        raise Conflict(
            f"Version {number} is {version.state}, and only one whose files are here and checked can be scanned.",
            code="version_not_ready",
        )
    async with at_hand(plane, version, files) as contents:
        scanned = await examine(plane, project, files, contents)
    async with unit_of_work(plane.database) as session:
        project, model = await model_or_404(session, plane, project_ref, model_ref)
        version = await version_or_404(session, model, number, lock=True)
        before = version.model_dump()
        scan = await settle(session, subject, project, version, scanned)
        _leave_trace(session, subject, "versions.scan", model, version, before, {"verdict": scan.name})
        return view(version, scan)


def _leave_trace(
    session: AsyncSession, subject: Subject, action: str, model: Model, version: ModelVersion,
    before: dict[str, object], more: dict[str, object],
) -> None:  # fmt: skip
    if version.model_dump() != before:
        version.touch()
    record(
        session, subject, action, version.id, name=f"{model.name}@{version.number}", project_id=version.project_id,
        before={"state": before["state"]}, after={"state": version.state, **more},
    )  # fmt: skip


async def release(
    plane: Plane,
    subject: Subject,
    project_ref: str,
    model_ref: str,
    number: int,
    body: ReleaseCreate,
    if_match: str | None,
) -> ReleaseView:
    """Let a quarantined version be used, for its digest and what is known of it now alone."""
    now = utc_now()
    if body.expires_at is not None and body.expires_at <= now:
        raise invalid_field("/expires_at", "expires_at is past. Give a time to come, or none.")
    async with unit_of_work(plane.database) as session:
        _project, model = await model_or_404(session, plane, project_ref, model_ref)
        version = await version_or_404(session, model, number, lock=True)
        require_match(if_match, version)
        if state_now(version, now) != VersionState.QUARANTINED:
            raise Conflict(f"Version {number} is {version.state}, not QUARANTINED.", code="version_not_quarantined")
        before = version.model_dump()
        earlier = await release_in_force(session, version.id)
        if earlier is not None:
            earlier.ended_at = now
            session.add(earlier)
        made = await _new_release(session, subject, model, version, body)
        version.state, version.release_expires_at = VersionState.READY, body.expires_at
        told: dict[str, object] = {"reason": body.reason, "expires_at": body.expires_at, "digest": version.digest}
        _leave_trace(session, subject, "versions.release", model, version, before, told)
        own = made.model_dump(include={"reason", "digest", "expires_at", "created_by"})
        return ReleaseView.model_validate({**resource_fields(made), **own})


async def _new_release(
    session: AsyncSession, subject: Subject, model: Model, version: ModelVersion, body: ReleaseCreate
) -> QuarantineRelease:
    scan = await newest_scan(session, version.id)
    found = [Finding(**row) for row in scan.findings] if scan is not None else []
    made = QuarantineRelease(
        id=new_id("qrl"), name=f"{model.name}@{version.number}", version_id=version.id, digest=version.digest,
        reason=body.reason, covered=[_mark(finding) for finding in found], expires_at=body.expires_at,
        created_by=subject.name,
    )  # fmt: skip
    session.add(made)
    return made


async def quarantine(
    plane: Plane, subject: Subject, project_ref: str, model_ref: str, number: int, reason: str, if_match: str | None
) -> None:
    """Take a READY version out of use until it is released."""
    async with unit_of_work(plane.database) as session:
        _project, model = await model_or_404(session, plane, project_ref, model_ref)
        version = await version_or_404(session, model, number, lock=True)
        require_match(if_match, version)
        if version.state != VersionState.READY:
            raise Conflict(f"Version {number} is {version.state}, not READY.", code="version_not_ready")
        before = version.model_dump()
        earlier = await release_in_force(session, version.id)
        await _quarantine(session, version, earlier, f"{subject.name} said: {reason}")
        _leave_trace(session, subject, "versions.quarantine", model, version, before, {"reason": reason})


async def newest(plane: Plane, project_ref: str, model_ref: str, number: int) -> ScanView:
    """The scan that counts; raises NotFound."""
    async with reading(plane.database) as session:
        _project, model = await model_or_404(session, plane, project_ref, model_ref)
        version = await version_or_404(session, model, number)
        scan = await newest_scan(session, version.id)
    if scan is None:
        raise NotFound(f"Version {number} of {model.name!r} was not scanned yet.", code="scan_not_found")
    return view(version, scan)


async def page(
    plane: Plane, project_ref: str, model_ref: str, number: int, asked: PageQuery
) -> tuple[list[ScanView], str]:
    """One page of a version's scans, newest first."""
    async with reading(plane.database) as session:
        _project, model = await model_or_404(session, plane, project_ref, model_ref)
        version = await version_or_404(session, model, number)
        rows, token = await page_of(
            session, scans_of(version.id), asked, FIELDS, plane.secrets.page_key,
            default_order="id desc", scope=f"scans {version.id}",
        )  # fmt: skip
    return [view(version, row) for row in rows], token
