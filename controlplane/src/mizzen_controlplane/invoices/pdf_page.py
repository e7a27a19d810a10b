"""An invoice as PDF, for people: who owes what to whom, a row a line, the total last.

The same invoice is always the same bytes.
"""

import io
from collections.abc import Sequence
from typing import Any, Final
from xml.sax.saxutils import escape

from reportlab.lib import colors  # type: ignore[import-untyped]  # it ships no types
from reportlab.lib.pagesizes import A4  # type: ignore[import-untyped]  # the same
from reportlab.lib.styles import ParagraphStyle  # type: ignore[import-untyped]  # the same
from reportlab.lib.units import mm  # type: ignore[import-untyped]  # the same
from reportlab.pdfbase import pdfmetrics  # type: ignore[import-untyped]  # the same
from reportlab.pdfbase.cidfonts import UnicodeCIDFont  # type: ignore[import-untyped]  # the same
from reportlab.platypus import Paragraph, SimpleDocTemplate, Spacer, Table, TableStyle  # type: ignore[import-untyped]  # the same

from mizzen_controlplane.invoices.schemas import InvoiceLine, InvoiceView

WIDTHS: Final = (52 * mm, 32 * mm, 28 * mm, 36 * mm, 26 * mm)
_LATIN: Final = "Helvetica"
_WIDE: Final = "STSong-Light"
"""Of the reader's own: for text that the 14 fonts of every PDF reader do not have."""
pdfmetrics.registerFont(UnicodeCIDFont(_WIDE))
_TEXT: Final = ParagraphStyle("text", fontName=_LATIN, fontSize=9, leading=12)
_RIGHT: Final = ParagraphStyle("right", parent=_TEXT, alignment=2)
_TITLE: Final = ParagraphStyle("title", parent=_TEXT, fontSize=16, leading=22)


def pdf_of(invoice: InvoiceView) -> bytes:
    """A4 pages."""
    made = io.BytesIO()
    pages = SimpleDocTemplate(made, pagesize=A4, title=_title(invoice), author="Mizzen", invariant=1)
    heads = ("What", "Quantity", "Unit", "Unit price", "Amount")
    rows: list[Sequence[Any]] = [[_paragraph(text, _RIGHT if at else _TEXT) for at, text in enumerate(heads)]]
    rows += [_row(line) for line in invoice.lines]
    rows.append([_paragraph(f"Total {invoice.currency}", _TEXT), "", "", "", _paragraph(invoice.total, _RIGHT)])
    ruled = TableStyle(
        [
            ("LINEBELOW", (0, 0), (-1, 0), 0.8, colors.black),
            ("LINEABOVE", (0, -1), (-1, -1), 0.8, colors.black),
            ("VALIGN", (0, 0), (-1, -1), "TOP"),
        ]
    )
    pages.build(
        [
            _paragraph(_title(invoice), _TITLE),
            *(_paragraph(text, _TEXT) for text in _opening(invoice)),
            Spacer(1, 8 * mm),
            Table(rows, colWidths=WIDTHS, style=ruled, repeatRows=1),
        ]
    )
    return made.getvalue()


def _title(invoice: InvoiceView) -> str:
    return f"Invoice {invoice.number}" if invoice.number else f"Draft of an invoice, {invoice.month}"


def _opening(invoice: InvoiceView) -> list[str]:
    told = [f"Project {invoice.project}, month {invoice.month}", f"State: {invoice.state}"]
    if invoice.finalized_at is not None and invoice.due_at is not None:
        told.append(f"Date {invoice.finalized_at:%Y-%m-%d}, due {invoice.due_at:%Y-%m-%d}: {invoice.due}")
    return [*told, *(f"From: {invoice.seller}" for _ in invoice.seller[:1]), *_to(invoice)]


def _to(invoice: InvoiceView) -> list[str]:
    return [f"To: {invoice.customer}"] if invoice.customer else []


def _row(line: InvoiceLine) -> Sequence[Any]:
    what = ": ".join(part for part in (line.model, line.kind.replace("_", " ")) if part)
    if line.adjusts:
        what += f" (adjusts {line.adjusts})"
    numbers = (str(line.quantity), line.unit, line.unit_price, line.amount)
    return [_paragraph(what, _TEXT), *(_paragraph(number, _RIGHT) for number in numbers)]


def _paragraph(text: str, style: Any) -> Any:
    """Text of others is never markup, and each stretch of it is in a font that has it."""
    lines = ("".join(map(_in_font, line)) for line in text.splitlines())
    return Paragraph("<br/>".join(lines), style)


def _in_font(character: str) -> str:
    try:
        character.encode("cp1252")
    except UnicodeEncodeError:
        return f'<font name="{_WIDE}">{escape(character)}</font>'
    return escape(character) if character.isprintable() else " "
