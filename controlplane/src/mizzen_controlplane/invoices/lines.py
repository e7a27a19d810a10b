"""What does a month cost? Lines by model, price and meter, each rounded once, and their sum; pure."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from mizzen_crds.access import BATCH_RATE

from mizzen_controlplane.metering.meters import Sums
from mizzen_controlplane.pricing.meter_prices import METER_PRICES, pico_by_meter
from mizzen_controlplane.pricing.models import RateCardVersion
from mizzen_controlplane.pricing.money import amount_text, round_to_minor
from mizzen_controlplane.pricing.prices_in_force import price_of
from mizzen_controlplane.pricing.tiers import Tiers, tiers_of

MILLISECONDS: Final = 1000
ACCELERATOR_SECONDS: Final = "accelerator_seconds"
_ALWAYS_SHOWN: Final = {"per_request", "per_million_input_tokens", "per_million_output_tokens"}
"""What has no price of its own is shown nevertheless; of the others only what costs something is."""


@dataclass(frozen=True, slots=True)
class UsedAtPrice:
    """Usage of one model at one price."""

    model: str
    rate_card_id: str
    billed: bool
    """Cost more than nothing."""
    sums: Sums


@dataclass(frozen=True, slots=True)
class _Prices:
    """What one of each meter costs, and the meters whose price depends on the amount."""

    pico: Mapping[str, int]
    tiers: Mapping[str, Tiers]


@dataclass(frozen=True, slots=True)
class Line:
    """One line."""

    model: str
    kind: str
    """A meter: requests, input_tokens, ...; adjustment for cost that no price of the card explains; or tax."""
    count: int
    """Of the meter's smallest unit: requests, tokens, milliseconds."""
    unit: str
    """What the unit price is for: request, million tokens, accelerator second, or lump."""
    unit_price: str
    amount: Decimal
    rate_card_version: str
    adjusts: str = ""
    """Month that it adds to, or takes from, where that is another than the invoice's."""

    @property
    def quantity(self) -> int | float:
        """For people: seconds where the meter counts milliseconds."""
        return self.count / MILLISECONDS if self.kind == ACCELERATOR_SECONDS else self.count

    @property
    def charge(self) -> "Charge":
        """What it is for, whichever invoice it stands on."""
        return Charge(self.model, self.kind, self.rate_card_version, self.unit, self.unit_price)


@dataclass(frozen=True, slots=True, order=True)
class Charge:
    """What a line is for."""

    model: str
    kind: str
    rate_card_version: str
    unit: str
    unit_price: str


def invoice_lines(used: Iterable[UsedAtPrice], versions: Mapping[str, RateCardVersion], currency: str) -> list[Line]:
    """Lines by model, then by price, then by kind."""
    lines: list[Line] = []
    for (model, rate_card_id), group in sorted(_by_price(used).items()):
        version = versions.get(version_of(rate_card_id))
        of_batch = rate_card_id.endswith(BATCH_RATE)
        pico = pico_by_meter(price_of(version, model, batch=of_batch))
        tiers = {} if of_batch else tiers_of(version, model)
        lines += _lines_of(model, rate_card_id, group, _Prices(pico, tiers), currency)
    return lines


def version_of(rate_card_id: str) -> str:
    """The version of the rate card that usage was priced with, by whichever of its rates."""
    return rate_card_id.removesuffix(BATCH_RATE)


def total_of(lines: Iterable[Line], currency: str) -> Decimal:
    """The sum of the rounded lines."""
    return sum((line.amount for line in lines), start=round_to_minor(0, currency))


def _by_price(used: Iterable[UsedAtPrice]) -> dict[tuple[str, str], list[UsedAtPrice]]:
    groups: dict[tuple[str, str], list[UsedAtPrice]] = {}
    for item in used:
        groups.setdefault((item.model, item.rate_card_id), []).append(item)
    return groups


def _lines_of(
    model: str, rate_card_id: str, group: list[UsedAtPrice], prices: "_Prices", currency: str
) -> Iterator[Line]:
    pico = prices.pico
    free = not any(pico.values())
    counted = [item.sums for item in group if item.billed or free]
    explained = 0
    for price in METER_PRICES:
        quantity = sum(charged(sums, price.meter) for sums in counted)
        explained += quantity * pico[price.meter]
        tiers = prices.tiers.get(price.meter)
        if quantity and (pico[price.meter] or tiers or price.field in _ALWAYS_SHOWN):
            cost = quantity * pico[price.meter] if tiers is None else tiers.cost(quantity)
            told = price.text(pico[price.meter]) if tiers is None else tiers.mode.value
            kind = ACCELERATOR_SECONDS if price.meter == "accelerator_ms" else price.meter
            amount = round_to_minor(cost, currency)
            yield Line(model, kind, quantity, price.unit, told, amount, rate_card_id)
    rest = sum(item.sums.cost_pico for item in group) - explained
    if rest:
        amount = round_to_minor(rest, currency)
        yield Line(model, "adjustment", 1, "lump", amount_text(rest), amount, rate_card_id)


def charged(sums: Sums, meter: str) -> int:
    """A request that the response cache answered is charged as a hit, and as nothing else."""
    if meter == "requests":
        return sums.requests - sums.response_cache_hits
    found: int = getattr(sums, meter)
    return found
