"""How an invoice, a credit note and a billing profile are written on the wire; pure."""

from mizzen_controlplane.invoices.lines import Line
from mizzen_controlplane.invoices.models import BillingProfile, CreditNote
from mizzen_controlplane.invoices.profiles import percent_text
from mizzen_controlplane.invoices.schemas import (
    BillingProfileView,
    CreditNoteView,
    InvoiceLine,
    InvoiceSummary,
    InvoiceView,
)
from mizzen_controlplane.invoices.service import Told
from mizzen_controlplane.kit.etag import etag_of
from mizzen_controlplane.kit.wire import resource_fields
from mizzen_controlplane.pricing.money import amount_text, round_to_minor


def invoice_view(told: Told) -> InvoiceView:
    """An invoice."""
    document, row = told.document, told.row
    return InvoiceView(
        id=told.id,
        name=document.number or document.month,
        number=document.number,
        project=document.project,
        project_id=document.project_id,
        month=document.month,
        period_start=document.period.start,
        period_end=document.period.end,
        state=told.state,
        currency=document.currency,
        total=str(document.total),
        credited=str(round_to_minor(told.credited_pico, document.currency)),
        credits_drawn=str(round_to_minor(told.drawn_pico, document.currency)),
        due=str(round_to_minor(told.due_pico, document.currency)),
        rated_as_of=row.rated_as_of if row else None,
        finalized_at=row.finalized_at if row else None,
        due_at=told.due_at,
        paid_at=row.paid_at if row else None,
        payment_reference=row.payment_reference if row else "",
        voided_at=row.voided_at if row else None,
        void_reason=row.void_reason if row else "",
        digest=(row.digest if row else "") or "",
        etag=told.etag,
        seller=document.payer.seller,
        customer=document.payer.customer,
        lines=[_line(line) for line in document.lines],
    )


def summary(told: Told) -> InvoiceSummary:
    """An invoice without its lines."""
    return InvoiceSummary.model_validate(invoice_view(told).model_dump(exclude={"lines", "seller", "customer"}))


def note_view(note: CreditNote) -> CreditNoteView:
    """A credit note."""
    return CreditNoteView.model_validate(
        resource_fields(note)
        | {
            "number": note.number,
            "project_id": note.project_id,
            "invoice_id": note.invoice_id,
            "amount": str(round_to_minor(note.amount_pico, note.currency)),
            "currency": note.currency,
            "reason": note.reason,
        }
    )


def profile_view(profile: BillingProfile, organization_id: str) -> BillingProfileView:
    """A billing profile."""
    return BillingProfileView(
        tax_name=profile.tax_name,
        tax_percent=percent_text(profile.tax_ppm),
        seller=profile.seller,
        customer=profile.customer,
        payment_days=profile.payment_days,
        monthly_fee=None if profile.monthly_fee_pico is None else amount_text(profile.monthly_fee_pico),
        minimum=None if profile.minimum_pico is None else amount_text(profile.minimum_pico),
        discount_percent=percent_text(profile.discount_ppm),
        discount_until=profile.discount_until,
        project_id="" if profile.parent_id == organization_id else profile.parent_id,
        etag=etag_of(profile),
    )


def _line(line: Line) -> InvoiceLine:
    return InvoiceLine(
        model=line.model,
        kind=line.kind,
        quantity=line.quantity,
        unit=line.unit,
        unit_price=line.unit_price,
        amount=str(line.amount),
        rate_card_version=line.rate_card_version,
        adjusts=line.adjusts,
    )
