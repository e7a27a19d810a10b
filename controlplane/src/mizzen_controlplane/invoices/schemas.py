"""Invoices, credit notes and billing profiles on the wire."""

from datetime import datetime
from typing import Annotated

from pydantic import AwareDatetime, ConfigDict, Field, StringConstraints

from mizzen_controlplane.kit.wire import Body, Labels, Resource, ResourceName, example

Reason = Annotated[str, StringConstraints(min_length=1, max_length=1024)]
Text = Annotated[str, StringConstraints(max_length=1024)]


AmountText = Annotated[str, StringConstraints(min_length=1, max_length=64)]
Percent = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,3}(\.[0-9]{1,4})?$")]


class InvoiceLine(Body):
    """One line."""

    model: str
    """Served name; of a line for the invoice as a whole, such as tax, its name."""
    kind: str
    """requests, input_tokens, cached_tokens, output_tokens, reasoning_tokens, accelerator_seconds,
    response_cache_hits, adjustment, discount, monthly_fee, minimum, or tax."""
    quantity: int | float
    """Requests, tokens or seconds; below zero where an earlier month was charged too much."""
    unit: str
    """What the unit price is for: request, million tokens, accelerator second, lump, percent."""
    unit_price: str
    """Price of a unit, exact; graduated, volume or package where it depends on the month's amount."""
    amount: str
    """Rounded to the currency's smallest coin."""
    rate_card_version: str
    """Price that was applied."""
    adjusts: str = ""
    """Earlier month whose usage came to be known after its invoice was final; empty for the invoice's own."""


class InvoiceSummary(Body):
    """An invoice without its lines."""

    id: str
    """inv_..."""
    name: str
    """Its number; before it has one, the month, YYYY-MM."""
    number: str = ""
    """INV-..., without a gap in the organization; empty before it is finalized."""
    project: str
    """Name of the project."""
    project_id: str
    """prj_..."""
    month: str
    """YYYY-MM, in the organization's time zone."""
    period_start: datetime
    """Begin of the month, UTC."""
    period_end: datetime
    """End of the month, UTC, exclusive."""
    state: str
    """gathering: the month is under way; draft: it is over, and the ledger says what is on it; finalized, paid, void:
    it never changes."""
    currency: str
    """ISO 4217 code."""
    total: str
    """Sum of the lines."""
    credited: str = "0"
    """Taken back by credit notes."""
    credits_drawn: str = "0"
    """Paid by credits when it was finalized."""
    due: str = "0"
    """Still to be paid."""
    rated_as_of: datetime | None = None
    """Usage is priced by the rate cards as they were written then; null: as it was priced when it was used."""
    finalized_at: datetime | None = None
    """UTC."""
    due_at: datetime | None = None
    """UTC."""
    paid_at: datetime | None = None
    """UTC."""
    payment_reference: str = ""
    """As it was told when it was paid."""
    voided_at: datetime | None = None
    """UTC."""
    void_reason: str = ""
    """As it was told when it was made void."""
    digest: str = ""
    """SHA-256 of the invoice as it is kept; empty before it is finalized."""
    etag: str = ""
    """For If-Match: a draft's changes with all that is on it."""


class InvoiceView(InvoiceSummary):
    """An invoice."""

    seller: str = ""
    """Who sends it."""
    customer: str = ""
    """Who pays it."""
    lines: list[InvoiceLine]
    """Lines by model and kind."""


class PaymentWrite(Body):
    """That an invoice was paid."""

    model_config = example({"reference": "transfer 4711"})

    paid_at: AwareDatetime | None = None
    """When; absent for now."""
    reference: Annotated[str, StringConstraints(max_length=253)] = ""
    """The payment's own."""


class VoidWrite(Body):
    """That an invoice is void."""

    model_config = example({"reason": "billed to the wrong project"})

    reason: Reason
    """Why."""


class CreditNoteWrite(Body):
    """A part of an invoice that is taken back."""

    model_config = example({"amount": "12.50", "reason": "an outage of two hours"})

    amount: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    """In whole coins of the currency; at most what is left of the invoice."""
    reason: Reason
    """Why."""


class CreditNoteView(Resource):
    """A credit note; it never changes."""

    number: str
    """CRN-..., without a gap in the organization."""
    project_id: str
    """prj_..."""
    invoice_id: str
    """inv_..."""
    amount: str
    """Taken back."""
    currency: str
    """ISO 4217 code."""
    reason: str
    """Why."""


class CreditWrite(Body):
    """Money that a project gets in hand."""

    model_config = example(
        {
            "name": "welcome",
            "amount": "100.00",
            "expires_at": "2099-01-31T00:00:00Z",
            "reason": "a first month to try",
        }
    )

    name: ResourceName
    """Unique in the project."""
    labels: Labels = Field(default_factory=dict)
    """The caller's own."""
    amount: AmountText
    """In whole coins of the currency."""
    priority: Annotated[int, Field(ge=0, le=1000)] = 100
    """Those with the lowest are drawn first; of equal ones what expires first."""
    expires_at: AwareDatetime | None = None
    """From when on it is not drawn any more; absent for never."""
    reason: Reason
    """Why."""


class CreditView(Resource):
    """A credit, and what is left of it."""

    project_id: str
    """prj_..."""
    amount: str
    """What it was made with."""
    left: str
    """What invoices have not drawn."""
    currency: str
    """ISO 4217 code."""
    priority: int
    """Those with the lowest are drawn first."""
    expires_at: datetime | None
    """UTC; null for never."""
    reason: str
    """Why."""


class BillingProfilePatch(Body):
    """What invoices say beside usage. Null takes a value away: the organization's holds then, or none."""

    model_config = example({"tax_name": "VAT", "tax_percent": "19", "payment_days": 30})

    tax_name: Annotated[str, StringConstraints(min_length=1, max_length=64)] | None = None
    """Name of the tax's line."""
    tax_percent: Percent | None = None
    """Percent of the net amount, at most 100, with at most 4 digits after the point."""
    seller: Text | None = None
    """Name and address of who sends it."""
    customer: Text | None = None
    """Name and address of who pays it."""
    payment_days: Annotated[int, Field(ge=0, le=366)] | None = None
    """Days from its date until it is due; 30 where nobody says."""
    monthly_fee: AmountText | None = None
    """Charged each month, used or not."""
    minimum: AmountText | None = None
    """What a month comes to at least, before tax."""
    discount_percent: Percent | None = None
    """Percent of what usage comes to, at most 100."""
    discount_until: Annotated[str, StringConstraints(pattern=r"^[0-9]{4}-(0[1-9]|1[0-2])$")] | None = None
    """Last month of the discount, YYYY-MM; null for no end."""


class BillingProfileView(BillingProfilePatch):
    """What invoices say beside usage."""

    model_config = ConfigDict(json_schema_extra=None)

    project_id: str
    """Project whose it is; empty for the organization's."""
    etag: str
    """For If-Match."""
