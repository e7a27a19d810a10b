"""What is on an invoice: its lines, what they add up to, and the text that is kept of it once it is final; pure."""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

import orjson
from mizzen_crds.periods import Period

from mizzen_controlplane.invoices.lines import Line, total_of

NOT_USAGE: Final = "-"
"""Instead of a rate card's version: the line is for the invoice as a whole, such as tax."""


@dataclass(frozen=True, slots=True)
class Payer:
    """What a billing profile adds to an invoice."""

    tax_name: str = ""
    tax_ppm: int = 0
    """Millionths of the net amount."""
    seller: str = ""
    customer: str = ""
    payment_days: int = 30
    monthly_fee_pico: int = 0
    minimum_pico: int = 0
    discount_ppm: int = 0
    """Millionths of what usage comes to."""
    discount_until: str = ""
    """Last month of it; empty for no end."""


@dataclass(frozen=True, slots=True)
class Document:
    """An invoice."""

    project_id: str
    project: str
    """Its name at that time."""
    month: str
    period: Period
    currency: str
    payer: Payer
    lines: tuple[Line, ...]
    number: str = ""

    @property
    def total(self) -> Decimal:
        """The sum of the lines."""
        return total_of(self.lines, self.currency)

    @property
    def text(self) -> str:
        """Canonical JSON: the same invoice is always the same text."""
        return orjson.dumps(asdict(self), default=str, option=orjson.OPT_SORT_KEYS).decode()

    @property
    def digest(self) -> str:
        """SHA-256 of the text, hex."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    def numbered(self, number: str) -> "Document":
        """The same with its number."""
        return replace(self, number=number)


def document_of(text: str) -> Document:
    """The invoice that a text is of."""
    kept: dict[str, Any] = orjson.loads(text)
    period = Period(*(datetime.fromisoformat(kept["period"][name]) for name in ("start", "end")))
    lines = tuple(_line(line) for line in kept["lines"])
    return Document(**{**kept, "period": period, "payer": Payer(**kept["payer"]), "lines": lines})


def _line(kept: dict[str, Any]) -> Line:
    return Line(**{**kept, "amount": Decimal(kept["amount"])})


def charged_lines(documents: Sequence[Document], month: str) -> list[Line]:
    """Lines of usage of a month on any of the invoices."""
    return [
        line
        for document in documents
        for line in document.lines
        if (line.adjusts or document.month) == month and line.rate_card_version != NOT_USAGE
    ]
