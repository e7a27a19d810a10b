"""Routes of invoices, and of what happens to them."""

import asyncio
from typing import Annotated, Literal

from fastapi import Depends, Path, Query, Request, Response

from mizzen_controlplane.identity.scope import ProjectRef
from mizzen_controlplane.invoices import service, verbs
from mizzen_controlplane.invoices.csv_text import csv_text
from mizzen_controlplane.invoices.schemas import (
    CreditNoteView,
    CreditNoteWrite,
    InvoiceSummary,
    InvoiceView,
    PaymentWrite,
    VoidWrite,
)
from mizzen_controlplane.invoices.service import Told
from mizzen_controlplane.invoices.wire_views import invoice_view, note_view, summary
from mizzen_controlplane.kit.auth import Allow, Permission, Subject
from mizzen_controlplane.kit.etag import IfMatch
from mizzen_controlplane.kit.pages import AskedPage, Page
from mizzen_controlplane.kit.plane import ThePlane
from mizzen_controlplane.kit.routing import api_router

router = api_router("invoices")
InvoiceReader = Annotated[Subject, Depends(Allow(Permission.INVOICES_READ))]
InvoiceWriter = Annotated[Subject, Depends(Allow(Permission.INVOICES_WRITE))]
PATH = "/api/v1/projects/{project}/invoices"
ONE = PATH + "/{invoice}"
InvoiceRef = Annotated[str, Path(max_length=64, description="Month (YYYY-MM), id or number of the invoice.")]
Format = Literal["json", "csv", "pdf"]
_TYPES: dict[str, Format] = {"text/csv": "csv", "application/pdf": "pdf"}


@router.get("/api/v1/invoices")
async def list_numbered_invoices(_: InvoiceReader, plane: ThePlane, page: AskedPage) -> Page[InvoiceSummary]:
    """All invoices of the organization that have a number, newest first."""
    found, token = await service.numbered_page(plane, page)
    return Page(items=[summary(told) for told in found], next_page_token=token)


@router.get(PATH)
async def list_invoices(_: InvoiceReader, plane: ThePlane, project: ProjectRef) -> Page[InvoiceSummary]:
    """The project's months since its first request, newest first, and what was void among them."""
    return Page(items=[summary(told) for told in await service.invoices_of(plane, project)])


@router.get(ONE, response_model=InvoiceView, responses={200: {"content": {"text/csv": {}, "application/pdf": {}}}})
async def get_invoice(
    _: InvoiceReader,
    plane: ThePlane,
    project: ProjectRef,
    invoice: InvoiceRef,
    request: Request,
    response: Response,
    format: Annotated[Format | None, Query()] = None,  # noqa: A002 - the name of the query parameter
) -> InvoiceView | Response:
    """One invoice, as JSON, or with `Accept: text/csv`, `application/pdf`, or `?format=`, as CSV or PDF."""
    told = await service.invoice_of(plane, project, invoice)
    accepted = request.headers.get("accept", "").split(",")[0].split(";")[0].strip()
    wanted = format or _TYPES.get(accepted, "json")
    return _answer(told, response) if wanted == "json" else await asyncio.to_thread(_file, told, wanted)


@router.post(ONE + ":finalize")
async def finalize_invoice(
    subject: InvoiceWriter,
    plane: ThePlane,
    project: ProjectRef,
    invoice: InvoiceRef,
    response: Response,
    if_match: IfMatch,
) -> InvoiceView:
    """Give a month that is over its number; from then on it never changes."""
    return _answer(await verbs.finalize(plane, subject, project, invoice, if_match), response)


@router.post(ONE + ":rerate")
async def rerate_invoice(
    subject: InvoiceWriter,
    plane: ThePlane,
    project: ProjectRef,
    invoice: InvoiceRef,
    response: Response,
    if_match: IfMatch,
) -> InvoiceView:
    """Price a draft's usage anew, by the rate cards as they are written now; doing it again changes nothing."""
    return _answer(await verbs.rerate(plane, subject, project, invoice, if_match), response)


@router.post(ONE + ":pay")
async def pay_invoice(
    subject: InvoiceWriter,
    plane: ThePlane,
    project: ProjectRef,
    invoice: InvoiceRef,
    body: PaymentWrite,
    response: Response,
    if_match: IfMatch,
) -> InvoiceView:
    """Say that a finalized invoice was paid."""
    paid = await verbs.pay(plane, subject, project, invoice, if_match, body.paid_at, body.reference)
    return _answer(paid, response)


@router.post(ONE + ":void")
async def void_invoice(
    subject: InvoiceWriter,
    plane: ThePlane,
    project: ProjectRef,
    invoice: InvoiceRef,
    body: VoidWrite,
    response: Response,
    if_match: IfMatch,
) -> InvoiceView:
    """Cancel a finalized invoice: its number stays taken, and its month is a draft again."""
    return _answer(await verbs.void(plane, subject, project, invoice, if_match, body.reason), response)


@router.get(ONE + "/credit-notes")
async def list_credit_notes(
    _: InvoiceReader, plane: ThePlane, project: ProjectRef, invoice: InvoiceRef
) -> Page[CreditNoteView]:
    """Credit notes of an invoice, oldest first."""
    return Page(items=[note_view(note) for note in await verbs.credit_notes_of(plane, project, invoice)])


@router.post(ONE + "/credit-notes", status_code=201)
async def create_credit_note(
    subject: InvoiceWriter, plane: ThePlane, project: ProjectRef, invoice: InvoiceRef, body: CreditNoteWrite
) -> CreditNoteView:
    """Take back a part of a finalized or paid invoice; all of them together never more than its total."""
    return note_view(await verbs.write_credit_note(plane, subject, project, invoice, body.amount, body.reason))


def _answer(told: Told, response: Response) -> InvoiceView:
    response.headers["ETag"] = told.etag
    return invoice_view(told)


def _file(told: Told, wanted: Format) -> Response:
    from mizzen_controlplane.invoices.pdf_page import pdf_of  # here: a start need not wait for its fonts

    view = invoice_view(told)
    content = csv_text(view).encode() if wanted == "csv" else pdf_of(view)
    kind = "text/csv; charset=utf-8" if wanted == "csv" else "application/pdf"
    name = f"invoice-{view.project}-{view.name}.{wanted}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Vary": "Accept", "ETag": told.etag}
    return Response(content, media_type=kind, headers=headers)
