"""Which price wins?"""

from datetime import UTC, datetime, timedelta

from mizzen_controlplane.pricing.models import RateCard, RateCardVersion
from mizzen_controlplane.pricing.prices_in_force import price_of, prices_in_force

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def _price(model: str, pico: int) -> dict[str, object]:
    return {"model": model, "pico_per_input_token": pico, "pico_per_output_token": 0, "pico_per_request": 0}


def _version(card: str, number: int, effective_from: datetime, *prices: dict[str, object]) -> RateCardVersion:
    return RateCardVersion(
        id=f"rcv_{number}", rate_card_id=card, effective_from=effective_from, created_at=NOW, prices=list(prices)
    )


def test_a_project_s_own_price_comes_after_the_general_one_and_a_name_after_the_star() -> None:
    cards = [RateCard(id="rc_1", name="own", project_id="prj_a"), RateCard(id="rc_2", name="all")]
    versions = [
        _version("rc_1", 1, NOW, _price("m", 3), _price("*", 2)),
        _version("rc_2", 2, NOW, _price("m", 1), _price("*", 0)),
    ]
    order = [(price.project_id, price.model) for price in prices_in_force(cards, versions, NOW)]
    assert order == [(None, "*"), (None, "m"), ("prj_a", "*"), ("prj_a", "m")]


def test_the_newest_version_in_force_holds_and_a_later_one_waits() -> None:
    cards = [RateCard(id="rc_1", name="all")]
    versions = [
        _version("rc_1", 1, NOW - timedelta(days=9), _price("*", 1)),
        _version("rc_1", 2, NOW, _price("*", 2)),
        _version("rc_1", 3, NOW + timedelta(seconds=1), _price("*", 3)),
    ]
    assert [price.rate_card_id for price in prices_in_force(cards, versions, NOW)] == ["rcv_2"]
    assert [price.rate_card_id for price in prices_in_force(cards, versions, NOW + timedelta(days=1))] == ["rcv_3"]


def test_a_version_that_names_neither_the_model_nor_the_star_has_no_price() -> None:
    version = _version("rc_1", 1, NOW, _price("m", 1), _price("*", 5))
    assert price_of(version, "m").pico_per_input_token == 1
    assert price_of(version, "other").pico_per_input_token == 5
    assert price_of(_version("rc_1", 1, NOW, _price("m", 1)), "other") is None
    assert price_of(None, "m") is None
