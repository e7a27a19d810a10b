"""Routes of invoices: drafts, computed from the ledger when asked for."""

from typing import Annotated, Literal

from fastapi import Depends, Query, Request, Response

from mizzen_controlplane.identity.scope import ProjectRef
from mizzen_controlplane.invoices import service
from mizzen_controlplane.invoices.csv_text import csv_text
from mizzen_controlplane.invoices.lines import total_of
from mizzen_controlplane.invoices.schemas import InvoiceLine, InvoiceSummary, InvoiceView
from mizzen_controlplane.kit.auth import Allow, Permission, Subject
from mizzen_controlplane.kit.pages import Page
from mizzen_controlplane.kit.plane import ThePlane
from mizzen_controlplane.kit.routing import api_router

router = api_router("invoices")

InvoiceReader = Annotated[Subject, Depends(Allow(Permission.INVOICES_READ))]
PATH = "/api/v1/projects/{project}/invoices"


@router.get(PATH)
async def list_invoices(_: InvoiceReader, plane: ThePlane, project: ProjectRef) -> Page[InvoiceSummary]:
    """The project's months since its first request, newest first."""
    found = await service.invoices_of(plane, project)
    return Page(items=[InvoiceSummary.model_validate(_view(item).model_dump(exclude={"lines"})) for item in found])


@router.get(PATH + "/{month}", response_model=InvoiceView, responses={200: {"content": {"text/csv": {}}}})
async def get_invoice(
    _: InvoiceReader,
    plane: ThePlane,
    project: ProjectRef,
    month: str,
    request: Request,
    format: Annotated[Literal["json", "csv"] | None, Query()] = None,  # noqa: A002 - the name of the query parameter
) -> InvoiceView | Response:
    """One month, as JSON, or as CSV with `Accept: text/csv` or `?format=csv`."""
    view = _view(await service.invoice_of(plane, project, month))
    accepts_csv = request.headers.get("accept", "").split(",")[0].split(";")[0].strip() == "text/csv"
    if format == "csv" or (format is None and accepts_csv):
        name = f"invoice-{view.project}-{view.month}.csv"
        headers = {"Content-Disposition": f'attachment; filename="{name}"', "Vary": "Accept"}
        return Response(csv_text(view), media_type="text/csv; charset=utf-8", headers=headers)
    return view


def _view(invoice: service.Invoice) -> InvoiceView:
    return InvoiceView(
        id=f"inv_{invoice.project.id.removeprefix('prj_')}_{invoice.month}",
        name=invoice.month,
        project=invoice.project.name,
        project_id=invoice.project.id,
        month=invoice.month,
        period_start=invoice.period.start,
        period_end=invoice.period.end,
        state="draft",
        currency=invoice.currency,
        total=str(total_of(invoice.lines, invoice.currency)),
        lines=[
            InvoiceLine(
                model=line.model,
                kind=line.kind,
                quantity=line.quantity,
                unit=line.unit,
                unit_price=line.unit_price,
                amount=str(line.amount),
                rate_card_version=line.rate_card_version,
            )
            for line in invoice.lines
        ],
    )
