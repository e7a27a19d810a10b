"""Rules of quotas: what would go beyond is refused before anything of it is kept."""

from collections.abc import Mapping, Sequence

from sqlmodel.ext.asyncio.session import AsyncSession

from mizzen_controlplane.cluster.objects import Document
from mizzen_controlplane.cluster.stores import store_of
from mizzen_controlplane.identity.models import Project
from mizzen_controlplane.identity.scope import project_or_404
from mizzen_controlplane.kit.auth import Subject
from mizzen_controlplane.kit.database import reading, unit_of_work
from mizzen_controlplane.kit.plane import Plane
from mizzen_controlplane.kit.problem import Forbidden
from mizzen_controlplane.limits.models import DECLARED
from mizzen_controlplane.limits.ownership import require_undeclared
from mizzen_controlplane.quotas import repository
from mizzen_controlplane.quotas.declared import Bounds, set_bounds
from mizzen_controlplane.quotas.demand import asked_for, refusal
from mizzen_controlplane.quotas.models import ProjectQuota
from mizzen_controlplane.quotas.schemas import AcceleratorQuotaView, QuotaView, QuotaWrite

EXCEEDED = "quota_exceeded"


async def read_quota(plane: Plane, project: str) -> QuotaView:
    """The quota and what is used of it."""
    async with reading(plane.database) as session:
        owner = await project_or_404(session, plane, project)
        return await _view(session, plane, owner, await repository.find_quota(session, owner.id))


async def write_quota(plane: Plane, subject: Subject, project: str, body: QuotaWrite) -> QuotaView:
    """Set it whole; a lower one than what is used removes nothing, and refuses what is new."""
    async with unit_of_work(plane.database) as session:
        owner = await project_or_404(session, plane, project, lock=True)
        row = await repository.find_quota(session, owner.id, lock=True)
        if row is not None and row.owner == DECLARED:
            await require_undeclared(session, owner.id, f"The quota of project {owner.name}", "quota")
        counts = {one.accelerator_class: one.count for one in body.accelerators}
        bounds = Bounds(body.storage_bytes, body.deployments, counts or None)
        row = await set_bounds(session, subject, owner, row, bounds, "")
        return await _view(session, plane, owner, row)


async def require_storage(session: AsyncSession, project: Project, files: Mapping[str, int]) -> None:
    """Raise Forbidden where these contents, bytes by digest, do not fit beside what the project keeps."""
    quota = await repository.find_quota(session, project.id, lock=True)
    if quota is None or quota.storage_bytes is None:
        return
    known = await repository.kept_contents(session, project.id, files)
    further = sum(size for digest, size in files.items() if digest not in known)
    used = await repository.stored_bytes(session, project.id)
    if further and used + further > quota.storage_bytes:
        raise Forbidden(
            f"The version brings {further} bytes that project {project.name} does not have yet; {used} of its quota of "
            f"{quota.storage_bytes} bytes are used. Archive versions that nobody needs, or have an administrator raise "
            "storage_bytes of the project's quota (`mizzen quotas set`).",
            code=EXCEEDED,
        )


async def require_deployment(session: AsyncSession, plane: Plane, project: Project) -> None:
    """Raise Forbidden where one more deployment is beyond the quota."""
    quota = await repository.find_quota(session, project.id, lock=True)
    if quota is None or quota.deployments is None:
        return
    used = len(await _deployments(session, plane, project))
    if used >= quota.deployments:
        raise Forbidden(
            f"Project {project.name} has {used} deployments, and its quota is {quota.deployments}. Delete one, or have "
            "an administrator raise deployments of the project's quota (`mizzen quotas set`).",
            code=EXCEEDED,
        )


async def require_accelerators(
    session: AsyncSession, plane: Plane, project: Project, document: Document, before: Document | None
) -> None:
    """Raise Forbidden where the deployment asks for accelerators beyond the quota, and for more than before."""
    quota = await repository.find_quota(session, project.id, lock=True)
    if quota is None or not quota.accelerators:
        return
    name = document["metadata"]["name"]
    others = [one["spec"] for one in await _deployments(session, plane, project) if one["metadata"]["name"] != name]
    why = refusal(name, document["spec"], before["spec"] if before else None, others, quota.accelerators)
    if why:
        raise Forbidden(
            f"{why}. Ask for less, free some of another deployment, or have an administrator raise accelerators of the "
            f"quota of project {project.name} (`mizzen quotas set`).",
            code=EXCEEDED,
        )


async def _deployments(session: AsyncSession, plane: Plane, project: Project) -> Sequence[Document]:
    return (await store_of(plane, session).list_objects("ModelDeployment", project.namespace)).items


async def _view(session: AsyncSession, plane: Plane, project: Project, row: ProjectQuota | None) -> QuotaView:
    deployments = await _deployments(session, plane, project)
    asked = asked_for(one["spec"] for one in deployments)
    counts = sorted((row.accelerators or {}).items()) if row else ()
    return QuotaView(
        project=project.name,
        storage_bytes=row.storage_bytes if row else None,
        storage_bytes_used=await repository.stored_bytes(session, project.id),
        deployments=row.deployments if row else None,
        deployments_used=len(deployments),
        accelerators=[
            AcceleratorQuotaView(accelerator_class=name, count=count, used=asked.get(name, 0)) for name, count in counts
        ],
        managed_by="project_object" if row and row.owner == DECLARED else "api",
    )
