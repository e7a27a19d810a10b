"""An invoice as CSV, for a spreadsheet: one row a line, the total last."""

import csv
import io
from typing import Final

from mizzen_controlplane.invoices.schemas import InvoiceView

COLUMNS: Final = (
    "month",
    "project",
    "model",
    "kind",
    "quantity",
    "unit",
    "unit_price",
    "amount",
    "currency",
    "adjusts",
    "number",
)
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


def csv_text(invoice: InvoiceView) -> str:
    """RFC 4180 with a header. A text that a spreadsheet would run as a formula gets an apostrophe in front."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    for line in invoice.lines:
        writer.writerow(
            [
                invoice.month,
                plain(invoice.project),
                plain(line.model),
                line.kind,
                line.quantity,
                line.unit,
                line.unit_price,
                line.amount,
                invoice.currency,
                line.adjusts,
                invoice.number,
            ]
        )
    writer.writerow(
        [
            invoice.month,
            plain(invoice.project),
            "",
            "total",
            "",
            "",
            "",
            invoice.total,
            invoice.currency,
            "",
            invoice.number,
        ]
    )
    return text.getvalue()


def plain(text: str) -> str:
    """The text; one that a spreadsheet would run as a formula with an apostrophe in front."""
    return "'" + text if text.startswith(_FORMULA) else text
