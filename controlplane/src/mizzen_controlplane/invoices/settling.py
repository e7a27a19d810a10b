"""What is still to be charged of a month, and what does tax add? Usage less what invoices have charged for it; pure."""

from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal
from typing import Final

from mizzen_controlplane.invoices.document import NOT_USAGE, Payer
from mizzen_controlplane.invoices.lines import Charge, Line, total_of
from mizzen_controlplane.pricing.money import PICO_DIGITS, amount_text, round_to_minor

TAX: Final = "tax"
MILLION: Final = 1_000_000


def left_to_charge(rated: Iterable[Line], charged: Iterable[Line], month: str, currency: str) -> list[Line]:
    """Lines that make up the difference, each adjusting `month`; none where all of it was charged.

    A line was rounded when it was rated, so the difference is in whole coins and is not rounded again.
    """
    nothing = (0, round_to_minor(0, currency))
    now, before = _by_charge(rated, currency), _by_charge(charged, currency)
    lines: list[Line] = []
    for charge in sorted(now.keys() | before.keys()):
        (count, amount), (had, paid) = now.get(charge, nothing), before.get(charge, nothing)
        if (count, amount) != (had, paid):
            lines.append(_line(charge, count - had, amount - paid, month))
    return lines


def agreed_lines(usage: Iterable[Line], payer: Payer, month: str, currency: str) -> list[Line]:
    """Discount on usage, monthly fee, and what a month's minimum lacks, in this order; none of what was not agreed."""
    of_usage = total_of(usage, currency)
    lines: list[Line] = []
    if payer.discount_ppm and (not payer.discount_until or month <= payer.discount_until):
        pico = -int(of_usage.scaleb(PICO_DIGITS)) * payer.discount_ppm
        lines.append(_agreed("discount", "percent", _percent(payer.discount_ppm), _parts(pico, currency)))
    if payer.monthly_fee_pico:
        text = amount_text(payer.monthly_fee_pico)
        lines.append(_agreed("monthly_fee", "month", text, round_to_minor(payer.monthly_fee_pico, currency)))
    lacking = round_to_minor(payer.minimum_pico, currency) - of_usage - total_of(lines, currency)
    if payer.minimum_pico and lacking > 0:
        lines.append(_agreed("minimum", "month", amount_text(payer.minimum_pico), lacking))
    return lines


def tax_line(lines: Iterable[Line], payer: Payer, currency: str) -> list[Line]:
    """Tax on the sum of the lines, rounded once; none where no tax was set."""
    if not payer.tax_name:
        return []
    net = total_of(lines, currency)
    pico = int(net.scaleb(PICO_DIGITS)) * payer.tax_ppm
    return [Line(payer.tax_name, TAX, 1, "percent", _percent(payer.tax_ppm), _parts(pico, currency), NOT_USAGE)]


def _agreed(kind: str, unit: str, price: str, amount: Decimal) -> Line:
    return Line("", kind, 1, unit, price, amount, NOT_USAGE)


def _parts(millionths: int, currency: str) -> Decimal:
    return round_to_minor(millionths, currency, parts=MILLION)


def _percent(ppm: int) -> str:
    return f"{Decimal(ppm).scaleb(-4).normalize():f}"


def _by_charge(lines: Iterable[Line], currency: str) -> dict[Charge, tuple[int, Decimal]]:
    found: dict[Charge, tuple[int, Decimal]] = {}
    for line in lines:
        count, amount = found.get(line.charge, (0, round_to_minor(0, currency)))
        found[line.charge] = (count + line.count, amount + line.amount)
    return found


def _line(charge: Charge, count: int, amount: Decimal, month: str) -> Line:
    made = Line(charge.model, charge.kind, count, charge.unit, charge.unit_price, amount, charge.rate_card_version)
    return replace(made, adjusts=month)
