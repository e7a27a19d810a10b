"""Routes of quotas."""

from typing import Annotated

from fastapi import Depends

from mizzen_controlplane.identity.scope import ProjectRef
from mizzen_controlplane.kit.auth import Allow, Permission, Subject
from mizzen_controlplane.kit.plane import ThePlane
from mizzen_controlplane.kit.routing import api_router
from mizzen_controlplane.quotas import service
from mizzen_controlplane.quotas.schemas import QuotaView, QuotaWrite

router = api_router("limits")
QUOTA = "/api/v1/projects/{project}/quota"


@router.get(QUOTA)
async def get_quota(
    _: Annotated[Subject, Depends(Allow(Permission.LIMITS_READ))], plane: ThePlane, project: ProjectRef
) -> QuotaView:
    """What the project may keep and hold, and how much of it is used."""
    return await service.read_quota(plane, project)


@router.put(QUOTA)
async def put_quota(
    subject: Annotated[Subject, Depends(Allow(Permission.MANAGE))],
    plane: ThePlane,
    project: ProjectRef,
    body: QuotaWrite,
) -> QuotaView:
    """Set what the project may keep and hold; what is left out has no bound. For platform administrators."""
    return await service.write_quota(plane, subject, project, body)
