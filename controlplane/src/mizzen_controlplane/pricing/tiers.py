"""What does an amount of use cost where its price depends on how much it is? Graduated, by volume, in packages; pure.

Counts are of a meter's smallest unit, prices in pico of one; both whole, so that nothing is rounded here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from mizzen_controlplane.pricing.models import TIERS, RateCardVersion


class Mode(StrEnum):
    """How steps are read."""

    GRADUATED = "graduated"
    """Each part of the amount costs what its own step says."""
    VOLUME = "volume"
    """All of the amount costs what the step says that it ends in."""
    PACKAGE = "package"
    """Each package that was begun costs the same."""


@dataclass(frozen=True, slots=True)
class Step:
    """A stretch of amounts."""

    up_to: int | None
    """Last count of it; None for no end."""
    pico: int
    """Of one."""
    flat_pico: int = 0
    """Once, where anything is in it."""


@dataclass(frozen=True, slots=True)
class Tiers:
    """The price of one meter by its month's amount."""

    mode: Mode
    steps: tuple[Step, ...]
    size: int = 1
    """Of a package, whose price is the only step's `flat_pico`."""

    def cost(self, count: int) -> int:
        """Pico of so many."""
        if count <= 0:
            return 0
        if self.mode is Mode.PACKAGE:
            return -(-count // self.size) * self.steps[0].flat_pico
        if self.mode is Mode.VOLUME:
            step = next(step for step in self.steps if step.up_to is None or count <= step.up_to)
            return count * step.pico + step.flat_pico
        return _graduated(self.steps, count)


def _graduated(steps: Sequence[Step], count: int) -> int:
    cost = before = 0
    for step in steps:
        upper = count if step.up_to is None else min(count, step.up_to)
        if upper > before:
            cost += (upper - before) * step.pico + step.flat_pico
            before = upper
    return cost


def tiers_of(version: RateCardVersion | None, model: str) -> dict[str, Tiers]:
    """By meter, of what a version says of a model; those of its name before those of "*"."""
    named: dict[str, dict[str, Any]] = {price["model"]: price for price in version.prices} if version else {}
    price = named.get(model) or named.get("*") or {}
    return {
        kept["meter"]: Tiers(Mode(kept["mode"]), tuple(Step(**step) for step in kept["steps"]), kept["size"])
        for kept in price.get(TIERS, ())
    }
