"""Is an invoice the same however its usage was cut, and does it add up?"""

import random
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st
from mizzen_controlplane.invoices.csv_text import csv_text
from mizzen_controlplane.invoices.lines import UsedAtPrice, invoice_lines, total_of
from mizzen_controlplane.invoices.schemas import InvoiceLine, InvoiceView
from mizzen_controlplane.metering.meters import Sums
from mizzen_controlplane.pricing.models import RateCardVersion
from mizzen_controlplane.pricing.money import minor_digits

NOW = datetime(2026, 3, 1, tzinfo=UTC)
PRICES = {"a": (150_000, 600_000, 10**9), "b": (0, 0, 333_333_333_333), "free": (0, 0, 0)}
VERSIONS = {
    "rcv_1": RateCardVersion(
        id="rcv_1",
        rate_card_id="rc",
        effective_from=NOW,
        created_at=NOW,
        prices=[
            {"model": model, "pico_per_input_token": into, "pico_per_output_token": out, "pico_per_request": each}
            for model, (into, out, each) in PRICES.items()
        ],
    )
}


def _used(model: str, requests: int, into: int, out: int) -> UsedAtPrice:
    per_input, per_output, per_request = PRICES[model]
    cost = requests * per_request + into * per_input + out * per_output
    return UsedAtPrice(model, "rcv_1", cost > 0, Sums(requests, into, output_tokens=out, cost_pico=cost))


USED = st.lists(
    st.builds(_used, st.sampled_from(list(PRICES)), st.integers(1, 50), st.integers(0, 10**7), st.integers(0, 10**7)),
    max_size=30,
)


@given(USED, st.integers(0, 2**32))
def test_mixing_usage_changes_nothing(used: list[UsedAtPrice], seed: int) -> None:
    print(f"seed {seed}")
    mixed = used[:]
    random.Random(seed).shuffle(mixed)
    assert invoice_lines(mixed, VERSIONS, "USD") == invoice_lines(used, VERSIONS, "USD")


@given(st.sampled_from(list(PRICES)), st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 10**6)), min_size=1))
def test_splitting_usage_changes_nothing(model: str, requests: list[tuple[int, int]]) -> None:
    whole = _used(model, len(requests), sum(into for into, _ in requests), sum(out for _, out in requests))
    parts = [_used(model, 1, into, out) for into, out in requests]
    assert invoice_lines(parts, VERSIONS, "USD") == invoice_lines([whole], VERSIONS, "USD")


@given(USED, st.sampled_from(["USD", "JPY", "KWD"]))
def test_the_total_is_the_sum_of_the_lines_and_near_the_exact_cost(used: list[UsedAtPrice], currency: str) -> None:
    lines = invoice_lines(used, VERSIONS, currency)
    assert total_of(lines, currency) == sum((line.amount for line in lines), Decimal(0))
    exact = Decimal(sum(item.sums.cost_pico for item in used)).scaleb(-12)
    coin = Decimal(1).scaleb(-minor_digits(currency))
    assert abs(total_of(lines, currency) - exact) <= coin / 2 * len(lines)


def test_a_request_that_failed_and_cost_nothing_is_not_on_the_invoice() -> None:
    failed = UsedAtPrice("a", "rcv_1", False, Sums(3, 100))
    assert invoice_lines([failed], VERSIONS, "USD") == []


def test_free_usage_is_shown_at_nothing() -> None:
    lines = invoice_lines([_used("free", 3, 10, 20)], VERSIONS, "USD")
    assert [(line.kind, line.quantity, str(line.amount)) for line in lines] == [
        ("requests", 3, "0.00"),
        ("input_tokens", 10, "0.00"),
        ("output_tokens", 20, "0.00"),
    ]


def test_cost_that_no_price_explains_is_a_line_of_its_own() -> None:
    lines = invoice_lines([UsedAtPrice("a", "rcv_gone", True, Sums(1, cost_pico=2 * 10**12))], VERSIONS, "USD")
    assert [(line.kind, str(line.amount)) for line in lines] == [("requests", "0.00"), ("adjustment", "2.00")]
    assert total_of(lines, "USD") == Decimal("2.00")


METERED = Sums(
    requests=10, input_tokens=1000, cached_tokens=500, output_tokens=200, reasoning_tokens=100, accelerator_ms=2500,
    response_cache_hits=4, cost_pico=0,
)  # fmt: skip


def _lines_at(prices: dict[str, int], cost_pico: int) -> list[tuple[str, int | float, str, str]]:
    version = RateCardVersion(
        id="rcv_m", rate_card_id="rc", effective_from=NOW, created_at=NOW, prices=[{"model": "*", **prices}]
    )
    used = UsedAtPrice("a", "rcv_m", True, replace(METERED, cost_pico=cost_pico))
    lines = invoice_lines([used], {"rcv_m": version}, "USD")
    return [(line.kind, line.quantity, line.unit_price, str(line.amount)) for line in lines]


def test_each_meter_has_its_line_at_its_price() -> None:
    million = 10**6
    prices = {
        "pico_per_input_token": 2 * million, "pico_per_cached_token": million, "pico_per_output_token": 8 * million,
        "pico_per_reasoning_token": 4 * million, "pico_per_request": 10**10, "pico_per_accelerator_ms": 10**9,
        "pico_per_response_cache_hit": 10**9,
    }  # fmt: skip
    cost = 1000 * 2 * million + 500 * million + 200 * 8 * million + 100 * 4 * million + 6 * 10**10 + 2500 * 10**9
    assert _lines_at(prices, cost + 4 * 10**9) == [
        ("requests", 6, "0.01", "0.06"),
        ("input_tokens", 1000, "2.00", "0.00"),
        ("cached_tokens", 500, "1.00", "0.00"),
        ("output_tokens", 200, "8.00", "0.00"),
        ("reasoning_tokens", 100, "4.00", "0.00"),
        ("accelerator_seconds", 2.5, "1.00", "2.50"),
        ("response_cache_hits", 4, "0.001", "0.00"),
    ]


def test_cached_and_reasoning_tokens_without_a_price_of_their_own_cost_what_the_others_cost() -> None:
    prices = {"pico_per_input_token": 10**9, "pico_per_output_token": 10**10, "pico_per_request": 0}
    lines = {kind: amount for kind, _, _, amount in _lines_at(prices, 1500 * 10**9 + 300 * 10**10)}
    assert lines == {
        "requests": "0.00", "input_tokens": "1.00", "cached_tokens": "0.50", "output_tokens": "2.00",
        "reasoning_tokens": "1.00",
    }  # fmt: skip


def test_a_name_that_a_spreadsheet_would_run_is_written_as_text() -> None:
    text = csv_text(_invoice([_line("=cmd()")]))
    assert "'=cmd()" in text
    assert text.splitlines()[-1].split(",")[3:4] == ["total"]


def _line(model: str) -> InvoiceLine:
    return InvoiceLine(
        model=model, kind="requests", quantity=1, unit="request", unit_price="0.01", amount="0.01",
        rate_card_version="rcv_1",
    )  # fmt: skip


def _invoice(lines: Iterable[InvoiceLine]) -> InvoiceView:
    return InvoiceView(
        id="inv_1", name="2026-03", project="default", project_id="prj_a", month="2026-03", period_start=NOW,
        period_end=NOW, state="draft", currency="USD", total="0.01", lines=list(lines),
    )  # fmt: skip
