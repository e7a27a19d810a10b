"""SQL of scans, releases and policies."""

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession
from sqlmodel.sql.expression import SelectOfScalar

from mizzen_controlplane.models.scanning.models import ModelPolicy, QuarantineRelease, VersionScan


def scans_of(version_id: str) -> SelectOfScalar[VersionScan]:
    """All scans of a version, for a page."""
    return select(VersionScan).where(VersionScan.version_id == version_id)


async def newest_scan(session: AsyncSession, version_id: str) -> VersionScan | None:
    """The scan that counts."""
    newest = scans_of(version_id).order_by(col(VersionScan.created_at).desc(), col(VersionScan.id).desc()).limit(1)
    return (await session.exec(newest)).one_or_none()


async def release_in_force(session: AsyncSession, version_id: str) -> QuarantineRelease | None:
    """The release that was not taken back; it may have expired."""
    statement = select(QuarantineRelease).where(
        QuarantineRelease.version_id == version_id, col(QuarantineRelease.ended_at).is_(None)
    )
    return (await session.exec(statement.order_by(col(QuarantineRelease.id).desc()).limit(1))).one_or_none()


async def find_policy(session: AsyncSession, project_id: str, *, lock: bool = False) -> ModelPolicy | None:
    """A project's policy; None where it has the default."""
    statement = select(ModelPolicy).where(ModelPolicy.project_id == project_id)
    return (await session.exec(statement.with_for_update() if lock else statement)).one_or_none()
