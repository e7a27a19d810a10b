"""Invoices on the wire."""

from datetime import datetime

from mizzen_controlplane.kit.wire import Body


class InvoiceLine(Body):
    """One line."""

    model: str
    """Served name."""
    kind: str
    """requests, input_tokens, cached_tokens, output_tokens, reasoning_tokens, accelerator_seconds,
    response_cache_hits, or adjustment."""
    quantity: int | float
    """Requests, tokens or seconds."""
    unit: str
    """What the unit price is for: request, million tokens, accelerator second, lump."""
    unit_price: str
    """Price of a unit, exact."""
    amount: str
    """Rounded to the currency's smallest coin."""
    rate_card_version: str
    """Price that was applied."""


class InvoiceSummary(Body):
    """An invoice without its lines."""

    id: str
    """inv_..."""
    name: str
    """The month, YYYY-MM."""
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
    """draft: computed from the ledger as it is now."""
    currency: str
    """ISO 4217 code."""
    total: str
    """Sum of the lines."""


class InvoiceView(InvoiceSummary):
    """An invoice."""

    lines: list[InvoiceLine]
    """Lines by model and kind."""
