"""Does what depends on a month's amount cost what the page of prices says, and never less for more?"""

import json
import re
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mizzen_controlplane.kit.clock import utc_now
from mizzen_controlplane.kit.problem import Invalid
from mizzen_controlplane.pricing.models import RateCardVersion
from mizzen_controlplane.pricing.money import round_to_minor
from mizzen_controlplane.pricing.schemas import ModelPrice, TieredPrice
from mizzen_controlplane.pricing.service import _pico
from mizzen_controlplane.pricing.tier_texts import written_tiers
from mizzen_controlplane.pricing.tiers import Mode, Step, Tiers, tiers_of

PAGE = Path(__file__).parents[4] / "docs/explanation/pricing-and-invoices.md"
EXAMPLE = re.compile(r"```json\n(\{.*\})\n```\n\n\|.*\n\|[-|]+\n((?:\|.*\n)+)")


def kept(price: ModelPrice) -> dict[str, Tiers]:
    now = utc_now()
    version = RateCardVersion(
        id="rcv_1", rate_card_id="rc_1", effective_from=now, created_at=now, prices=[_pico(0, price)]
    )
    return tiers_of(version, "m")


def examples() -> list[tuple[TieredPrice, int, Decimal]]:
    found = []
    for text, table in EXAMPLE.findall(PAGE.read_text()):
        tier = TieredPrice.model_validate_json(text)
        for row in table.splitlines():
            count, _, amount = (cell.strip() for cell in row.strip("|").split("|"))
            found.append((tier, int(count.replace(",", "")), Decimal(amount)))
    return found


def test_the_page_of_prices_shows_every_mode() -> None:
    assert {tier.mode for tier, _, _ in examples()} == set(Mode)


@pytest.mark.parametrize(("tier", "count", "amount"), examples())
def test_the_worked_examples_are_what_is_charged(tier: TieredPrice, count: int, amount: Decimal) -> None:
    price = ModelPrice(per_million_input_tokens="1", per_request="1", tiers=[tier])
    cost = kept(price)[tier.meter].cost(count)
    assert round_to_minor(cost, "USD") == amount


def test_what_is_kept_is_shown_as_it_was_written() -> None:
    for text, _ in EXAMPLE.findall(PAGE.read_text()):
        tier = TieredPrice.model_validate_json(text)
        again = written_tiers(
            _pico(0, ModelPrice(per_million_input_tokens="1", per_request="1", tiers=[tier]))["tiers"]
        )
        assert [(step.up_to, Decimal(step.price), Decimal(step.flat)) for step in again[0].steps] == [
            (step.up_to, Decimal(step.price), Decimal(step.flat)) for step in tier.steps
        ]
        assert again[0].package_size == tier.package_size


@st.composite
def graduated(draw: st.DrawFn) -> Tiers:
    ends = sorted(draw(st.sets(st.integers(1, 10**9), max_size=5)))
    money = st.integers(0, 10**12)
    steps = [Step(end, draw(money), draw(money)) for end in [*ends, None]]
    return Tiers(Mode.GRADUATED, tuple(steps))


@settings(deadline=None, max_examples=200)
@given(graduated(), st.integers(0, 2 * 10**9), st.integers(0, 10**9))
def test_more_use_never_costs_less_by_graduated_prices(tiers: Tiers, count: int, more: int) -> None:
    assert tiers.cost(count) <= tiers.cost(count + more)


@settings(deadline=None)
@given(st.integers(1, 10**6), st.integers(0, 10**9), st.integers(0, 10**12))
def test_packages_hold_all_that_was_used_and_less_than_one_more(size: int, count: int, pico: int) -> None:
    cost = Tiers(Mode.PACKAGE, (Step(None, 0, pico),), size).cost(count)
    packages = cost // pico if pico else -(-count // size)
    assert (packages - 1) * size < count <= packages * size or count == packages == 0


@pytest.mark.parametrize(
    ("tier", "said"),
    [
        ({"meter": "colour", "mode": "volume", "steps": [{}]}, "is not one of requests"),
        ({"meter": "requests", "mode": "volume", "steps": [{"up_to": 5}]}, "the last step"),
        ({"meter": "requests", "mode": "volume", "steps": [{"up_to": 5}, {"up_to": 5}, {}]}, "must rise"),
        ({"meter": "requests", "mode": "package", "steps": [{"flat": "1"}]}, "package_size goes with"),
        ({"meter": "requests", "mode": "package", "steps": [{"price": "1"}], "package_size": 5}, "leave price out"),
        ({"meter": "output_tokens", "mode": "volume", "steps": [{}]}, "per_million_output_tokens above 0"),
        ({"meter": "requests", "mode": "volume", "steps": [{"price": "1.0000000000001"}]}, "at most 12"),
    ],
)
def test_steps_that_say_nothing_are_refused_with_their_place(tier: dict[str, object], said: str) -> None:
    price = ModelPrice.model_validate_json(json.dumps({"per_request": "1", "tiers": [tier]}))
    with pytest.raises(Invalid, match=said) as refused:
        _pico(0, price)
    assert refused.value.errors[0].pointer.startswith("/prices/0/tiers/0/")
