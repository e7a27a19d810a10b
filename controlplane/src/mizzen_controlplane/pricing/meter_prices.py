"""Which meters have a price, how is it written, and how is it kept? One row a meter."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from mizzen_crds.access import Price

from mizzen_controlplane.kit.problem import invalid_field
from mizzen_controlplane.pricing.money import (
    MoneyError,
    amount_text,
    parse_amount,
    parse_price_per_million,
    parse_price_per_second,
    price_per_million_text,
    price_per_second_text,
)


@dataclass(frozen=True, slots=True)
class MeterPrice:
    """The price of one meter."""

    meter: str
    """Column of the ledger's sums."""
    field: str
    """Of a rate card, on the wire."""
    kept: str
    """Of a price in the access snapshot, and of a rate card's version."""
    unit: str
    """What an invoice says that the price is for."""
    parse: Callable[[str], int]
    text: Callable[[int], str]
    otherwise: str = ""
    """Meter whose price holds where this one has none; empty: it costs nothing."""


_MILLION: Final = ("million tokens", parse_price_per_million, price_per_million_text)
_EACH: Final = ("request", parse_amount, amount_text)
METER_PRICES: Final = (
    MeterPrice("requests", "per_request", "pico_per_request", *_EACH),
    MeterPrice("input_tokens", "per_million_input_tokens", "pico_per_input_token", *_MILLION),
    MeterPrice("cached_tokens", "per_million_cached_tokens", "pico_per_cached_token", *_MILLION, "input_tokens"),
    MeterPrice("output_tokens", "per_million_output_tokens", "pico_per_output_token", *_MILLION),
    MeterPrice(
        "reasoning_tokens", "per_million_reasoning_tokens", "pico_per_reasoning_token", *_MILLION, "output_tokens"
    ),
    MeterPrice(
        "accelerator_ms", "per_accelerator_second", "pico_per_accelerator_ms", "accelerator second",
        parse_price_per_second, price_per_second_text,
    ),
    MeterPrice("response_cache_hits", "per_response_cache_hit", "pico_per_response_cache_hit", *_EACH),
)  # fmt: skip
"""In the order of an invoice's lines; a meter stands after the one whose price it may take."""


def kept_prices(place: str, written: Mapping[str, str | None]) -> dict[str, int]:
    """Prices by `kept`, of those that were written; raises Invalid for one that cannot be kept."""
    result: dict[str, int] = {}
    for price in METER_PRICES:
        text = written.get(price.field)
        if text is None:
            continue
        try:
            result[price.kept] = price.parse(text)
        except MoneyError as error:
            pointer = f"/{place.replace('[', '/').replace(']', '').replace('.', '/')}/{price.field}"
            raise invalid_field(pointer, f"{place}.{price.field}: {error}") from error
    return result


def written_prices(kept: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Field and text of each price that is kept."""
    for price in METER_PRICES:
        if kept.get(price.kept) is not None:
            yield price.field, price.text(kept[price.kept])


def pico_by_meter(price: Price | None) -> dict[str, int]:
    """What one of each meter costs."""
    found: dict[str, int] = {}
    for each in METER_PRICES:
        pico = None if price is None else getattr(price, each.kept)
        found[each.meter] = found.get(each.otherwise, 0) if pico is None else pico
    return found
