"""How are prices by amount written, and how are they kept? Raises Invalid for steps that say nothing or contradict."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, Final

from mizzen_controlplane.kit.problem import Invalid, invalid_field
from mizzen_controlplane.pricing.meter_prices import METER_PRICES, MeterPrice
from mizzen_controlplane.pricing.money import MoneyError, amount_text, parse_amount
from mizzen_controlplane.pricing.schemas import PriceStep, TieredPrice
from mizzen_controlplane.pricing.tiers import Mode

SECONDS: Final = "accelerator_seconds"
_BY_NAME: Final[Mapping[str, MeterPrice]] = {
    SECONDS if price.meter == "accelerator_ms" else price.meter: price for price in METER_PRICES
}


def kept_tiers(index: int, tiers: Sequence[TieredPrice], unit_prices: Mapping[str, int]) -> list[dict[str, Any]]:
    """As a rate card's version keeps them, `index` being the place of their price, of which those are kept beside."""
    kept: list[dict[str, Any]] = []
    for at, tier in enumerate(tiers):
        place = f"prices[{index}].tiers[{at}]"
        if tier.meter not in _BY_NAME:
            raise _wrong(place, "meter", f"{tier.meter[:32]!r} is not one of {', '.join(_BY_NAME)}")
        if any(other.meter == tier.meter for other in tiers[:at]):
            raise _wrong(place, "meter", f"{tier.meter} has tiers already; keep one of them")
        _has_unit_price(place, tier, unit_prices)
        _steps_rise(place, tier)
        _package_is_one(place, tier)
        steps = [_kept(f"{place}.steps[{number}]", tier.meter, step) for number, step in enumerate(tier.steps)]
        size = _scaled(tier.meter, tier.package_size or 1)
        kept.append({"meter": _BY_NAME[tier.meter].meter, "mode": tier.mode.value, "steps": steps, "size": size})
    return kept


def written_tiers(kept: Sequence[Mapping[str, Any]]) -> list[TieredPrice]:
    """As they were written."""
    return [_written(tier) for tier in kept]


def _written(tier: Mapping[str, Any]) -> TieredPrice:
    name = next(name for name, price in _BY_NAME.items() if price.meter == tier["meter"])
    scale, mode = _scaled(name, 1), Mode(tier["mode"])
    steps = [
        PriceStep(
            up_to=None if step["up_to"] is None else step["up_to"] // scale,
            price=_BY_NAME[name].text(step["pico"]),
            flat=amount_text(step["flat_pico"]),
        )
        for step in tier["steps"]
    ]
    size = tier["size"] // scale if mode is Mode.PACKAGE else None
    return TieredPrice(meter=name, mode=mode, steps=steps, package_size=size)


def _kept(place: str, meter: str, step: PriceStep) -> dict[str, Any]:
    found: dict[str, Any] = {"up_to": None if step.up_to is None else _scaled(meter, step.up_to)}
    for field, name, parse in (("price", "pico", _BY_NAME[meter].parse), ("flat", "flat_pico", parse_amount)):
        try:
            found[name] = parse(getattr(step, field))
        except MoneyError as error:
            raise _wrong(place, field, str(error)) from error
    return found


def _has_unit_price(place: str, tier: TieredPrice, unit_prices: Mapping[str, int]) -> None:
    meter = _BY_NAME[tier.meter]
    stands_in = _BY_NAME.get(meter.otherwise, meter)
    if not (unit_prices.get(meter.kept) or unit_prices.get(stands_in.kept)):
        raise _wrong(
            place, "meter",
            f"{tier.meter} needs {meter.field} above 0 beside its tiers: budgets count with it, and requests that "
            "failed are told from others by it",
        )  # fmt: skip


def _steps_rise(place: str, tier: TieredPrice) -> None:
    ends = [step.up_to for step in tier.steps]
    if ends[-1] is not None or None in ends[:-1]:
        raise _wrong(place, "steps", "the last step, and no other, has no up_to: nothing may be without a price")
    rising = [end for end in ends if end is not None]
    if any(later <= earlier for earlier, later in pairwise(rising)):
        raise _wrong(place, "steps", f"up_to must rise from step to step, it is {rising}")


def _package_is_one(place: str, tier: TieredPrice) -> None:
    if (tier.package_size is not None) != (tier.mode is Mode.PACKAGE):
        raise _wrong(place, "package_size", "package_size goes with mode package, and with no other")
    if tier.mode is Mode.PACKAGE and (len(tier.steps) != 1 or tier.steps[0].price.strip("0.")):
        raise _wrong(place, "steps", "a package has one step, whose flat is its price; leave price out")


def _scaled(meter: str, count: int) -> int:
    return count * 1000 if meter == SECONDS else count


def _wrong(place: str, field: str, detail: str) -> Invalid:
    pointer = "/" + place.replace("[", "/").replace("]", "").replace(".", "/")
    return invalid_field(f"{pointer}/{field}", f"{place}.{field}: {detail}")
