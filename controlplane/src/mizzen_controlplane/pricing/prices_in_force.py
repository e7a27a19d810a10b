"""Which prices hold at a moment, in the order in which a later one wins? Of each card the newest version in force."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from mizzen_crds.access import BATCH_RATE, Price

from mizzen_controlplane.pricing.models import BATCH, RateCard, RateCardVersion


def prices_in_force(cards: Sequence[RateCard], versions: Sequence[RateCardVersion], now: datetime) -> list[Price]:
    """Prices by precedence: for all projects before one project's own, "*" before a model's name, older cards first.

    `versions` are sorted by their date in force, then by when they were written.
    """
    found = _in_force(cards, versions, now)
    prices = [Price(rate_card_id=version.id, project_id=project, **price) for version, project, price in found]
    return sorted(prices, key=lambda price: (price.project_id is not None, price.model != "*"))


def batch_prices_in_force(cards: Sequence[RateCard], versions: Sequence[RateCardVersion], now: datetime) -> list[Price]:
    """For lines of batches, of those prices that have a rate for them: each in whole."""
    return [
        _batch_price(version, price, project_id=project)
        for version, project, price in _in_force(cards, versions, now)
        if BATCH in price
    ]


def _batch_price(version: RateCardVersion, price: Mapping[str, Any], *, project_id: str | None = None) -> Price:
    """What it does not name costs as it does outside of batches."""
    return Price(**{**price, **price[BATCH], "rate_card_id": version.id + BATCH_RATE, "project_id": project_id})


def _in_force(
    cards: Sequence[RateCard], versions: Sequence[RateCardVersion], now: datetime
) -> Iterator[tuple[RateCardVersion, str | None, dict[str, Any]]]:
    current = {version.rate_card_id: version for version in versions if version.effective_from <= now}
    for card in cards:
        if card.id in current:
            for price in current[card.id].prices:
                yield current[card.id], card.project_id, price


def price_of(version: RateCardVersion | None, model: str, *, batch: bool = False) -> Price | None:
    """What a version says of a model, of a line of a `batch`; None where it names neither the model nor "*"."""
    found: dict[str, Any] | None = None
    for price in version.prices if version else ():
        if price["model"] == model or (price["model"] == "*" and found is None):
            found = price
    if version is None or found is None:
        return None
    return _batch_price(version, found) if batch and BATCH in found else Price(rate_card_id=version.id, **found)
