"""Which prices hold at a moment, in the order in which a later one wins? Of each card the newest version in force."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from mizzen_crds.access import Price

from mizzen_controlplane.pricing.models import RateCard, RateCardVersion


def prices_in_force(cards: Sequence[RateCard], versions: Sequence[RateCardVersion], now: datetime) -> list[Price]:
    """Prices by precedence: for all projects before one project's own, "*" before a model's name, older cards first.

    `versions` are sorted by their date in force, then by when they were written.
    """
    current = {version.rate_card_id: version for version in versions if version.effective_from <= now}
    prices = [
        Price(rate_card_id=current[card.id].id, project_id=card.project_id, **price)
        for card in cards
        if card.id in current
        for price in current[card.id].prices
    ]
    return sorted(prices, key=lambda price: (price.project_id is not None, price.model != "*"))


def price_of(version: RateCardVersion | None, model: str) -> Price | None:
    """What a version says of a model; None where it names neither the model nor "*"."""
    found: dict[str, Any] | None = None
    for price in version.prices if version else ():
        if price["model"] == model or (price["model"] == "*" and found is None):
            found = price
    return Price(rate_card_id=version.id, **found) if version and found else None
