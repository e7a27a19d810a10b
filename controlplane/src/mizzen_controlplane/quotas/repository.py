"""SQL of quotas, and of what they bound."""

from collections.abc import Collection, Sequence

from sqlalchemy import ColumnElement, func
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from mizzen_controlplane.models.models import ModelVersion, VersionFile
from mizzen_controlplane.models.repository import keeps_content
from mizzen_controlplane.quotas.models import ProjectQuota


async def find_quota(session: AsyncSession, project_id: str, *, lock: bool = False) -> ProjectQuota | None:
    """The project's; with `lock` held until the transaction ends, so that no two writers take the last place."""
    return await session.get(ProjectQuota, project_id, with_for_update=True if lock else None)


async def all_quotas(session: AsyncSession) -> Sequence[ProjectQuota]:
    """Those of all projects."""
    return (await session.exec(select(ProjectQuota))).all()


def _counted() -> tuple[ColumnElement[bool], ...]:
    return keeps_content(), col(ModelVersion.state) != "ARCHIVED"


async def stored_bytes(session: AsyncSession, project_id: str) -> int:
    """Announced bytes of all versions that are neither archived nor FAILED for good, each content once."""
    contents = (
        select(VersionFile.sha256, func.max(VersionFile.size).label("size"))
        .join(ModelVersion, col(ModelVersion.id) == col(VersionFile.version_id))
        .where(ModelVersion.project_id == project_id, *_counted())
        .group_by(col(VersionFile.sha256))
        .subquery()
    )
    return int((await session.exec(select(func.coalesce(func.sum(contents.c.size), 0)))).one())


async def kept_contents(session: AsyncSession, project_id: str, digests: Collection[str]) -> set[str]:
    """Those of the digests that a version of the project has already."""
    statement = (
        select(VersionFile.sha256)
        .join(ModelVersion, col(ModelVersion.id) == col(VersionFile.version_id))
        .where(ModelVersion.project_id == project_id, *_counted())
        .where(col(VersionFile.sha256).in_(sorted(digests)))
    )
    return set((await session.exec(statement)).all())
