"""What a line of a batch costs, from the rate card to the invoice."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from mizzen_controlplane.invoices.lines import UsedAtPrice, invoice_lines
from mizzen_controlplane.kit.problem import Invalid
from mizzen_controlplane.metering.meters import Sums
from mizzen_controlplane.pricing.models import RateCard, RateCardVersion
from mizzen_controlplane.pricing.prices_in_force import batch_prices_in_force, prices_in_force
from mizzen_controlplane.pricing.schemas import BatchPrice, ModelPrice
from mizzen_controlplane.pricing.service import _pico as kept

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def version(*prices: dict[str, Any]) -> RateCardVersion:
    return RateCardVersion(id="rcv_1", rate_card_id="rc_1", effective_from=NOON, created_at=NOON, prices=list(prices))


CARD = RateCard(id="rc_1", name="list")
CHAT = ModelPrice(
    model="chat",
    per_million_input_tokens="2",
    per_million_output_tokens="8",
    per_request="0.01",
    batch=BatchPrice(per_million_input_tokens="1", per_million_output_tokens="4"),
)


def test_gateways_get_the_rate_beside_the_price_and_what_it_does_not_name_costs_the_same() -> None:
    made = version(kept(0, CHAT), kept(1, ModelPrice(model="other", per_request="1")))
    (price, other) = prices_in_force([CARD], [made], NOON)
    (rate,) = batch_prices_in_force([CARD], [made], NOON)
    assert (price.rate_card_id, price.pico_per_input_token, other.model) == ("rcv_1", 2_000_000, "other")
    assert (rate.rate_card_id, rate.model) == ("rcv_1/batch", "chat")
    assert (rate.pico_per_input_token, rate.pico_per_output_token, rate.pico_per_request) == (
        1_000_000,
        4_000_000,
        10**10,
    )


def test_an_invoice_has_lines_of_their_own_for_batches_at_their_rate() -> None:
    made = [
        UsedAtPrice("chat", "rcv_1", True, Sums(1, 1_000_000, cost_pico=2 * 10**12 + 10**10)),
        UsedAtPrice("chat", "rcv_1/batch", True, Sums(1, 1_000_000, cost_pico=10**12 + 10**10)),
    ]
    lines = invoice_lines(made, {"rcv_1": version(kept(0, CHAT))}, "EUR")
    told = {(line.rate_card_version, line.kind): line.amount for line in lines if line.kind == "input_tokens"}
    assert told == {("rcv_1", "input_tokens"): Decimal("2.00"), ("rcv_1/batch", "input_tokens"): Decimal("1.00")}
    assert "adjustment" not in {line.kind for line in lines}


def test_a_digit_that_cannot_be_kept_is_named_at_its_place() -> None:
    with pytest.raises(Invalid) as refused:
        kept(3, ModelPrice(batch=BatchPrice(per_request="0.0000000000001")))
    assert refused.value.errors[0].pointer == "/prices/3/batch/per_request"
    assert "prices[3].batch.per_request" in refused.value.detail
