"""At which rate does a gateway charge the line of a batch?"""

from dataclasses import replace

from mizzen_crds.access import BATCH_RATE, Price
from mizzen_gateway.discovery.access_building import index_snapshot
from mizzen_gateway.discovery.access_index import AccessIndex
from mizzen_gateway.stages import Caller
from support.access_snapshots import a_price, a_snapshot

CALLER = Caller("org_a", "prj_a", "default", "default", "key_a")


def index() -> AccessIndex:
    """Every model has a price, `chat` one of its own; both cards have a rate for batches."""
    dear = a_price(rate_card_id="rcv_all", pico_per_request=100)
    chat = a_price(rate_card_id="rcv_chat", model="chat", pico_per_request=10)
    plain = a_price(rate_card_id="rcv_plain", model="plain", pico_per_request=1)
    rates = [
        one.model_copy(update={"rate_card_id": one.rate_card_id + BATCH_RATE, "pico_per_request": 5})
        for one in (dear, chat)
    ]
    return index_snapshot(a_snapshot(prices=[dear, chat, plain], batch_prices=rates))


def price_of(model: str, *, batch: bool) -> tuple[str, int]:
    price = index().price_of(replace(CALLER, batch=batch), model)
    assert isinstance(price, Price)
    return price.rate_card_id, price.pico_per_request


def test_a_line_of_a_batch_has_the_rate_of_the_price_that_would_hold_without_it() -> None:
    assert price_of("chat", batch=True) == ("rcv_chat/batch", 5)
    assert price_of("other", batch=True) == ("rcv_all/batch", 5)


def test_where_that_price_has_no_rate_for_batches_it_holds_itself() -> None:
    assert price_of("plain", batch=True) == ("rcv_plain", 1)


def test_other_requests_never_have_it() -> None:
    assert price_of("chat", batch=False) == ("rcv_chat", 10)
