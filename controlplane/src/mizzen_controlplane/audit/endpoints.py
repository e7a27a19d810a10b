"""Routes of audit events."""

from typing import Annotated

from fastapi import Depends, Query
from fastapi.responses import StreamingResponse

from mizzen_controlplane.audit.anchoring import anchor_now, keys_of
from mizzen_controlplane.audit.chain import verify_chain
from mizzen_controlplane.audit.export import exported
from mizzen_controlplane.audit.models import AuditEvent
from mizzen_controlplane.audit.repository import events_of, personal_of
from mizzen_controlplane.audit.schemas import AnchorView, AuditEventView, ChainReport, PublicKeys
from mizzen_controlplane.audit.views import event_view
from mizzen_controlplane.identity.scope import ProjectRef, project_or_404
from mizzen_controlplane.kit.auth import Allow, Permission, Subject
from mizzen_controlplane.kit.database import reading
from mizzen_controlplane.kit.pages import AskedPage, Page, PageQuery, page_of
from mizzen_controlplane.kit.plane import Plane, ThePlane
from mizzen_controlplane.kit.problem import NotFound
from mizzen_controlplane.kit.routing import api_router
from mizzen_controlplane.kit.stream import NDJSON

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
    """Check the whole chain of hashes, and hold it to every anchor that was signed."""
    return await verify_chain(plane)


@router.post("/api/v1/audit-events:anchor")
async def anchor_audit_events(plane: ThePlane, _subject: AuditReader) -> AnchorView:
    """Sign where the chain stands now, and send that to the sink; 404 where there is no event yet."""
    anchor = await anchor_now(plane)
    if anchor is None:
        raise NotFound("There is no audit event yet.", code="event_not_found")
    return AnchorView.model_validate(anchor)


@router.get("/api/v1/audit-events:keys")
async def list_audit_keys(plane: ThePlane, _subject: AuditReader) -> PublicKeys:
    """The public keys of anchors: give them to whoever verifies an export."""
    return PublicKeys(keys=keys_of(plane).public)


@router.get(
    "/api/v1/audit-events:export",
    response_class=StreamingResponse,
    responses={200: {"content": {NDJSON: {}}}, 404: {"description": "There is no event `after`"}},
)
async def export_audit_events(
    plane: ThePlane,
    _subject: AuditReader,
    after: Annotated[int, Query(ge=0, le=1 << 62)] = 0,
    personal: Annotated[bool, Query()] = True,
) -> StreamingResponse:
    """All events behind number `after` as JSON lines, with anchors; `personal=false` leaves names out."""
    lines = await exported(plane, after, personal)
    headers = {"Cache-Control": "no-store", "Content-Disposition": 'attachment; filename="audit-events.jsonl"'}
    return StreamingResponse(lines, media_type=NDJSON, headers=headers)


async def _page(plane: Plane, asked: PageQuery, project_id: str) -> Page[AuditEventView]:
    async with reading(plane.database) as session:
        rows, token = await page_of(
            session, events_of(project_id), asked, FIELDS, plane.secrets.page_key,
            default_order="number desc", scope=f"audit {project_id}",
        )  # fmt: skip
        personal = await personal_of(session, [row.number for row in rows])
    return Page(items=[event_view(row, personal.get(row.number, ())) for row in rows], next_page_token=token)
