"""How do the quota of a project and `spec.quota` of its Project object stay one? Whoever made the project owns it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from sqlmodel.ext.asyncio.session import AsyncSession

from mizzen_controlplane.audit.record import record
from mizzen_controlplane.identity.models import Project
from mizzen_controlplane.kit.subject import Subject
from mizzen_controlplane.limits.models import DECLARED
from mizzen_controlplane.quotas import repository
from mizzen_controlplane.quotas.models import ProjectQuota


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a project may keep and hold; None for no bound."""

    storage_bytes: int | None = None
    deployments: int | None = None
    accelerators: dict[str, int] | None = None
    """By AcceleratorClass; never empty."""

    @classmethod
    def of_object(cls, quota: Mapping[str, Any]) -> Self:
        """As `spec.quota` of a Project object says it."""
        counts = {one["acceleratorClass"]: one["count"] for one in quota.get("accelerators") or ()}
        return cls(quota.get("storageBytes"), quota.get("deployments"), counts or None)

    @classmethod
    def of_row(cls, row: ProjectQuota) -> Self:
        """As the database keeps it."""
        return cls(row.storage_bytes, row.deployments, row.accelerators or None)

    def in_object(self, quota: Mapping[str, Any]) -> dict[str, Any]:
        """`spec.quota` with these bounds; what else it says, of resources, stays."""
        said = {"storageBytes": self.storage_bytes, "deployments": self.deployments}
        kept = {name: value for name, value in quota.items() if name not in (*said, "accelerators")}
        classes = sorted((self.accelerators or {}).items())
        counts = [{"acceleratorClass": name, "count": count} for name, count in classes]
        return kept | {name: value for name, value in said.items() if value is not None} | {"accelerators": counts}


def is_followed(quota: Mapping[str, Any], row: ProjectQuota | None, *, made_here: bool) -> bool:
    """Whether the database has taken over what the object says, or need not: of one made here it says what counts."""
    said = Bounds.of_object(quota)
    if made_here:
        return row is not None or said == Bounds()
    return row is not None and row.owner == DECLARED and Bounds.of_row(row) == said


async def follow_quota(
    session: AsyncSession, subject: Subject, project: Project, quota: Mapping[str, Any], *, made_here: bool
) -> None:
    """Take over what the object says. Of an object made here only once, where the API has said nothing yet."""
    row = await repository.find_quota(session, project.id, lock=True)
    if is_followed(quota, row, made_here=made_here):
        return
    await set_bounds(session, subject, project, row, Bounds.of_object(quota), "" if made_here else DECLARED)


async def hand_quota_to_api(session: AsyncSession, project_id: str) -> None:
    """It is the API's to change from now on, and stays in force as it is."""
    row = await repository.find_quota(session, project_id, lock=True)
    if row is not None:
        row.owner = ""


async def set_bounds(
    session: AsyncSession, subject: Subject, project: Project, row: ProjectQuota | None, bounds: Bounds, owner: str
) -> ProjectQuota:
    """Set all of them, with the audit event of what changed."""
    before = Bounds.of_row(row) if row else Bounds()
    row = row or ProjectQuota(project_id=project.id)
    row.storage_bytes, row.deployments, row.accelerators = bounds.storage_bytes, bounds.deployments, bounds.accelerators
    row.owner = owner
    session.add(row)
    if before != bounds:
        record(
            session, subject, "quotas.write", project.id, name=project.name, project_id=project.id,
            before=asdict(before), after=asdict(bounds),
        )  # fmt: skip
    return row
