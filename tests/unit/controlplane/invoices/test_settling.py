"""Is each use charged once however late it comes, and do credits, minimum, discount and tax add up? Prints examples."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mizzen_controlplane.invoices.document import Document, Payer, charged_lines, document_of
from mizzen_controlplane.invoices.drawing import InHand, drawn
from mizzen_controlplane.invoices.lines import Line, total_of
from mizzen_controlplane.invoices.settling import agreed_lines, left_to_charge, tax_line
from mizzen_controlplane.pricing.money import minor_digits, round_to_minor
from mizzen_crds.periods import EPOCH, Period

NOW = datetime(2026, 3, 1, tzinfo=UTC)
CURRENCIES = st.sampled_from(["USD", "JPY", "KWD"])
EXAMPLES: Counter[str] = Counter()


@pytest.fixture(scope="module", autouse=True)
def _examples_told() -> Iterator[None]:
    yield
    print("examples:", dict(EXAMPLES))


@st.composite
def rated(draw: st.DrawFn, currency: str) -> list[Line]:
    found = draw(st.dictionaries(st.sampled_from("abc"), st.tuples(st.integers(0, 10**6), st.integers(0, 10**15))))
    return [
        Line(model, "requests", count, "request", "1.00", round_to_minor(pico, currency), "rcv_1")
        for model, (count, pico) in sorted(found.items())
    ]


def document(month: str, lines: list[Line], currency: str) -> Document:
    return Document("prj_a", "a", month, Period(EPOCH, NOW), currency, Payer(), tuple(lines))


@settings(deadline=None)
@given(st.data(), CURRENCIES, st.integers(1, 5))
def test_what_comes_late_is_charged_once_whatever_comes_when(data: st.DataObject, currency: str, times: int) -> None:
    EXAMPLES["late"] += 1
    invoices = [document("2026-01", first := data.draw(rated(currency)), currency)]
    known = first
    for number in range(times):
        known = data.draw(rated(currency))
        lines = left_to_charge(known, charged_lines(invoices, "2026-01"), "2026-01", currency)
        invoices.append(document(f"2026-{number + 2:02}", lines, currency))
    charged = charged_lines(invoices, "2026-01")
    assert total_of(charged, currency) == total_of(known, currency)
    assert left_to_charge(known, charged, "2026-01", currency) == []


@settings(deadline=None)
@given(
    st.data(),
    CURRENCIES,
    st.builds(
        Payer, tax_name=st.sampled_from(["", "VAT"]), tax_ppm=st.integers(0, 10**6),
        monthly_fee_pico=st.integers(0, 10**6).map(lambda n: n * 10**12), minimum_pico=st.integers(0, 10**15),
        discount_ppm=st.integers(0, 10**6), discount_until=st.sampled_from(["", "2026-01", "2026-03"]),
    ),
)  # fmt: skip
def test_what_was_agreed_adds_up(data: st.DataObject, currency: str, payer: Payer) -> None:
    EXAMPLES["agreed"] += 1
    usage = data.draw(rated(currency))
    lines = usage + agreed_lines(usage, payer, "2026-02", currency)
    net = total_of(lines, currency)
    assert net >= round_to_minor(payer.minimum_pico, currency)
    assert net >= round_to_minor(payer.monthly_fee_pico, currency)
    lines += tax_line(lines, payer, currency)
    coin = Decimal(1).scaleb(-minor_digits(currency))
    exact = net * (1 + (Decimal(payer.tax_ppm).scaleb(-6) if payer.tax_name else 0))
    assert abs(total_of(lines, currency) - exact) <= coin / 2
    assert all(line.amount % coin == 0 for line in lines)
    whole = document("2026-02", lines, currency)
    assert document_of(whole.text) == whole
    assert document_of(whole.text).digest == whole.digest


IN_HAND = st.lists(
    st.builds(
        InHand, st.uuids().map(str), st.integers(0, 10**15), st.integers(0, 3),
        st.none() | st.integers(-5, 5).map(lambda days: NOW + timedelta(days=days)),
    ),
    max_size=8, unique_by=lambda each: each.id,
)  # fmt: skip


@settings(deadline=None)
@given(IN_HAND, st.integers(-(10**15), 10**16))
def test_credits_are_never_overdrawn_and_pay_what_they_can(in_hand: list[InHand], due: int) -> None:
    EXAMPLES["credits"] += 1
    taken = drawn(in_hand, due, NOW)
    left = {each.id: each for each in in_hand}
    usable = sum(each.left_pico for each in in_hand if each.expires_at is None or each.expires_at > NOW)
    assert all(0 < pico <= left[name].left_pico for name, pico in taken.items())
    assert sum(taken.values()) == max(0, min(due, usable))
    last = max((left[name].priority for name in taken), default=0)
    spent = {name for name, pico in taken.items() if pico == left[name].left_pico}
    for each in in_hand:
        if each.priority < last and each.left_pico and (each.expires_at is None or each.expires_at > NOW):
            assert each.id in spent
