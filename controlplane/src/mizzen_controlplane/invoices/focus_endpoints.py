"""Route of usage as FOCUS 1.2, for tools that read costs of many providers."""

from typing import Annotated

from fastapi import Depends, Query, Response

from mizzen_controlplane.identity.scope import ProjectRef
from mizzen_controlplane.invoices import focus_export
from mizzen_controlplane.kit.auth import Allow, Permission, Subject
from mizzen_controlplane.kit.plane import ThePlane
from mizzen_controlplane.kit.routing import api_router

router = api_router("invoices")
InvoiceReader = Annotated[Subject, Depends(Allow(Permission.INVOICES_READ))]


@router.get(
    "/api/v1/projects/{project}/usage:exportFocus", response_class=Response,
    responses={200: {"content": {"text/csv": {}}, "description": "FOCUS 1.2, one row a day, key, model and meter."}},
)  # fmt: skip
async def export_focus(
    _: InvoiceReader, plane: ThePlane, project: ProjectRef, month: Annotated[str, Query(max_length=7)] = ""
) -> Response:
    """A month's usage as CSV of FOCUS 1.2; `month` as 2027-01, absent for the month under way.

    Costs are by unit prices: what an invoice rates by the month's amount, and discounts, fees and taxes, are on the
    invoice alone.
    """
    content = await focus_export.focus_of(plane, project, month)
    return Response(content, media_type="text/csv; charset=utf-8")
