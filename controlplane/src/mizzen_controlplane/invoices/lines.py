"""What does a month cost? Lines by model, price and kind, each rounded once, and their sum; pure."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from mizzen_crds.access import Price

from mizzen_controlplane.pricing.models import RateCardVersion
from mizzen_controlplane.pricing.money import amount_text, price_per_million_text, round_to_minor
from mizzen_controlplane.pricing.prices_in_force import price_of

KINDS: Final = ("requests", "input_tokens", "output_tokens")


@dataclass(frozen=True, slots=True)
class UsedAtPrice:
    """Usage of one model at one price."""

    model: str
    rate_card_id: str
    billed: bool
    """Cost more than nothing."""
    requests: int
    input_tokens: int
    output_tokens: int
    cost_pico: int


@dataclass(frozen=True, slots=True)
class Line:
    """One line."""

    model: str
    kind: str
    """requests, input_tokens, output_tokens; adjustment for cost that no price of the card explains."""
    quantity: int
    unit: str
    """request, million tokens, or lump."""
    unit_price: str
    amount: Decimal
    rate_card_version: str


def invoice_lines(used: Iterable[UsedAtPrice], versions: Mapping[str, RateCardVersion], currency: str) -> list[Line]:
    """Lines by model, then by price, then by kind."""
    lines: list[Line] = []
    for (model, rate_card_id), group in sorted(_by_price(used).items()):
        price = price_of(versions.get(rate_card_id), model)
        lines += _lines_of(model, rate_card_id, group, price, currency)
    return lines


def total_of(lines: Iterable[Line], currency: str) -> Decimal:
    """The sum of the rounded lines."""
    return sum((line.amount for line in lines), start=round_to_minor(0, currency))


def _by_price(used: Iterable[UsedAtPrice]) -> dict[tuple[str, str], list[UsedAtPrice]]:
    groups: dict[tuple[str, str], list[UsedAtPrice]] = {}
    for item in used:
        groups.setdefault((item.model, item.rate_card_id), []).append(item)
    return groups


def _lines_of(
    model: str, rate_card_id: str, group: list[UsedAtPrice], price: Price | None, currency: str
) -> Iterator[Line]:
    prices = _pico(price)
    free = not any(prices.values())
    counted = [item for item in group if item.billed or free]
    explained = 0
    for kind in KINDS:
        quantity = sum(getattr(item, kind) for item in counted)
        explained += quantity * prices[kind]
        if quantity:
            yield _line(model, rate_card_id, kind, quantity, prices[kind], currency)
    rest = sum(item.cost_pico for item in group) - explained
    if rest:
        amount = round_to_minor(rest, currency)
        yield Line(model, "adjustment", 1, "lump", amount_text(rest), amount, rate_card_id)


def _line(model: str, rate_card_id: str, kind: str, quantity: int, pico: int, currency: str) -> Line:
    amount = round_to_minor(quantity * pico, currency)
    if kind == "requests":
        return Line(model, kind, quantity, "request", amount_text(pico), amount, rate_card_id)
    return Line(model, kind, quantity, "million tokens", price_per_million_text(pico), amount, rate_card_id)


def _pico(price: Price | None) -> dict[str, Any]:
    if price is None:
        return dict.fromkeys(KINDS, 0)
    return {
        "requests": price.pico_per_request,
        "input_tokens": price.pico_per_input_token,
        "output_tokens": price.pico_per_output_token,
    }
