"""Routes of audit events."""

from typing import Annotated

from fastapi import Depends

from mizzen_controlplane.audit.chain import verify_chain
from mizzen_controlplane.audit.models import AuditEvent
from mizzen_controlplane.audit.repository import events_of, personal_of
from mizzen_controlplane.audit.schemas import AuditEventView, ChainReport
from mizzen_controlplane.audit.views import event_view
from mizzen_controlplane.identity.scope import ProjectRef, project_or_404
from mizzen_controlplane.kit.auth import Allow, Permission, Subject
from mizzen_controlplane.kit.database import reading
from mizzen_controlplane.kit.pages import AskedPage, Page, PageQuery, page_of
from mizzen_controlplane.kit.plane import Plane, ThePlane
from mizzen_controlplane.kit.routing import api_router

router = api_router("audit")

AuditReader = Annotated[Subject, Depends(Allow(Permission.AUDIT_READ))]

FIELDS = {
    name: getattr(AuditEvent, name)
    for name in ("id", "number", "at", "actor", "action", "outcome", "resource", "resource_name", "project_id")
} | {"request_id": AuditEvent.request_id}


@router.get("/api/v1/audit-events")
async def list_audit_events(plane: ThePlane, _subject: AuditReader, asked: AskedPage) -> Page[AuditEventView]:
    """List what was done and refused, newest first; filter by actor, action, resource, project_id, at ..."""
    return await _page(plane, asked, "")


@router.get("/api/v1/projects/{project}/audit-events")
async def list_project_audit_events(
    project: ProjectRef, plane: ThePlane, _subject: AuditReader, asked: AskedPage
) -> Page[AuditEventView]:
    """The same for one project."""
    async with reading(plane.database) as session:
        found = await project_or_404(session, plane, project)
    return await _page(plane, asked, found.id)


@router.get("/api/v1/audit-events:verify")
async def verify_audit_events(plane: ThePlane, _subject: AuditReader) -> ChainReport:
    """Check the whole chain of hashes."""
    async with reading(plane.database) as session:
        return await verify_chain(session)


async def _page(plane: Plane, asked: PageQuery, project_id: str) -> Page[AuditEventView]:
    async with reading(plane.database) as session:
        rows, token = await page_of(
            session, events_of(project_id), asked, FIELDS, plane.secrets.page_key,
            default_order="number desc", scope=f"audit {project_id}",
        )  # fmt: skip
        personal = await personal_of(session, [row.number for row in rows])
    return Page(items=[event_view(row, personal.get(row.number, ())) for row in rows], next_page_token=token)
