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
                _plain(invoice.project),
                _plain(line.model),
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
            _plain(invoice.project),
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


def _plain(text: str) -> str:
    return "'" + text if text.startswith(_FORMULA) else text
