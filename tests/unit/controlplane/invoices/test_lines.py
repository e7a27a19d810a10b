"""Is an invoice the same however its usage was cut, and does it add up?"""

import random
from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st
from mizzen_controlplane.invoices.csv_text import csv_text
from mizzen_controlplane.invoices.lines import UsedAtPrice, invoice_lines, total_of
from mizzen_controlplane.invoices.schemas import InvoiceLine, InvoiceView
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
    return UsedAtPrice(model, "rcv_1", cost > 0, requests, into, out, cost)


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
    exact = Decimal(sum(item.cost_pico for item in used)).scaleb(-12)
    coin = Decimal(1).scaleb(-minor_digits(currency))
    assert abs(total_of(lines, currency) - exact) <= coin / 2 * len(lines)


def test_a_request_that_failed_and_cost_nothing_is_not_on_the_invoice() -> None:
    failed = UsedAtPrice("a", "rcv_1", False, 3, 100, 0, 0)
    assert invoice_lines([failed], VERSIONS, "USD") == []


def test_free_usage_is_shown_at_nothing() -> None:
    lines = invoice_lines([_used("free", 3, 10, 20)], VERSIONS, "USD")
    assert [(line.kind, line.quantity, str(line.amount)) for line in lines] == [
        ("requests", 3, "0.00"),
        ("input_tokens", 10, "0.00"),
        ("output_tokens", 20, "0.00"),
    ]


def test_cost_that_no_price_explains_is_a_line_of_its_own() -> None:
    lines = invoice_lines([UsedAtPrice("a", "rcv_gone", True, 1, 0, 0, 2 * 10**12)], VERSIONS, "USD")
    assert [(line.kind, str(line.amount)) for line in lines] == [("requests", "0.00"), ("adjustment", "2.00")]
    assert total_of(lines, "USD") == Decimal("2.00")


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
