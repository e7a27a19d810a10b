"""What does usage cost by the rate cards as they were written at a later moment? For a price that was corrected; pure.

Of usage that had no price, only what was answered well is charged: what a failed request would have cost is not known.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from mizzen_crds.access import BATCH_RATE, Price

from mizzen_controlplane.invoices.lines import UsedAtPrice, charged, version_of
from mizzen_controlplane.metering.meters import Sums
from mizzen_controlplane.pricing.meter_prices import METER_PRICES, pico_by_meter
from mizzen_controlplane.pricing.models import BATCH, RateCard, RateCardVersion
from mizzen_controlplane.pricing.prices_in_force import price_of, prices_in_force


@dataclass(frozen=True, slots=True)
class UsedAt:
    """Usage of one quarter-hour at the price that it had then."""

    quarter: datetime
    used: UsedAtPrice
    well: bool
    """The requests were answered with 2xx."""


class PriceHistory:
    """Which version holds for a project's model at a moment, of those written until then."""

    def __init__(
        self, cards: Sequence[RateCard], versions: Sequence[RateCardVersion], project_id: str, written_until: datetime
    ) -> None:
        known = [version for version in versions if version.created_at <= written_until]
        self.versions = {version.id: version for version in versions}
        self._starts = sorted({version.effective_from for version in known})
        self._prices = [
            [price for price in prices_in_force(cards, known, start) if price.project_id in (None, project_id)]
            for start in self._starts
        ]

    def price_at(self, moment: datetime, model: str) -> Price | None:
        """The last price that matches; None where there was none."""
        at = bisect_right(self._starts, moment) - 1
        matching = [price for price in (self._prices[at] if at >= 0 else ()) if price.model in ("*", model)]
        return matching[-1] if matching else None


def rerated(usage: Iterable[UsedAt], history: PriceHistory) -> Iterator[UsedAtPrice]:
    """The usage at the prices of the history, added up by model and price."""
    found: dict[tuple[str, str, bool], Sums] = {}
    for item in usage:
        again = _again(item, history)
        sums = found.setdefault((again.model, again.rate_card_id, again.billed), Sums())
        sums.add(again.sums)
    for (model, rate_card_id, billed), sums in found.items():
        yield UsedAtPrice(model, rate_card_id, billed, sums)


def _again(item: UsedAt, history: PriceHistory) -> UsedAtPrice:
    used = item.used
    price = history.price_at(item.quarter, used.model)
    rate_card_id = price.rate_card_id if price is not None else ""
    version = history.versions.get(rate_card_id)
    if used.rate_card_id.endswith(BATCH_RATE) and version is not None and _has_batch_rate(version, used.model):
        rate_card_id += BATCH_RATE
    pico = _pico(history.versions, rate_card_id, used.model)
    was_free = not any(_pico(history.versions, used.rate_card_id, used.model).values())
    chargeable = used.billed or (was_free and item.well)
    cost = sum(charged(used.sums, each.meter) * pico[each.meter] for each in METER_PRICES) if chargeable else 0
    return UsedAtPrice(used.model, rate_card_id, chargeable and any(pico.values()), replace(used.sums, cost_pico=cost))


def _pico(versions: Mapping[str, RateCardVersion], rate_card_id: str, model: str) -> dict[str, int]:
    version = versions.get(version_of(rate_card_id))
    return pico_by_meter(price_of(version, model, batch=rate_card_id.endswith(BATCH_RATE)))


def _has_batch_rate(version: RateCardVersion, model: str) -> bool:
    return any(BATCH in price for price in version.prices if price["model"] in (model, "*"))
