"""Is money kept exactly?"""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mizzen_controlplane.pricing import money


@given(st.integers(min_value=0, max_value=money.LARGEST_UNITS * 10**12))
def test_an_amount_survives_being_written_and_read(pico: int) -> None:
    assert money.parse_amount(money.amount_text(pico)) == pico


@given(st.integers(min_value=0, max_value=10**12))
def test_a_price_per_million_survives_being_written_and_read(pico: int) -> None:
    assert money.parse_price_per_million(money.price_per_million_text(pico)) == pico


def test_a_price_of_a_million_is_exact_for_one() -> None:
    assert money.parse_price_per_million("0.15") == 150_000
    assert money.parse_price_per_million("0.000001") == 1


def test_a_digit_that_cannot_be_kept_is_refused_with_the_limit() -> None:
    with pytest.raises(money.MoneyError, match="has 7 digits after the point, at most 6"):
        money.parse_price_per_million("0.0000001")
    with pytest.raises(money.MoneyError, match="at most 12"):
        money.parse_amount("0.0000000000001")


def test_trailing_zeros_do_not_count_as_digits() -> None:
    assert money.parse_price_per_million("0.150000000000") == 150_000


def test_an_amount_below_zero_is_told_to_be_so() -> None:
    with pytest.raises(money.MoneyError, match='"-3" is below zero'):
        money.parse_amount("-3")


@pytest.mark.parametrize("text", ["", "--1", "1e3", "1,5", " 1", "0x1", ".5", "5.", "NaN", "١"])
def test_what_is_not_a_plain_decimal_is_refused(text: str) -> None:
    with pytest.raises(money.MoneyError, match="is not an amount"):
        money.parse_amount(text)


def test_an_amount_that_would_not_fit_is_refused_with_the_limit() -> None:
    with pytest.raises(money.MoneyError, match="above the largest amount, 9000000"):
        money.parse_amount("9000000.01")
    assert money.parse_amount("9000000") == 9 * 10**18


def test_rounding_is_half_to_even_at_the_currency_s_smallest_coin() -> None:
    half_a_cent = 5 * 10**9
    assert str(money.round_to_minor(half_a_cent, "USD")) == "0.00"
    assert str(money.round_to_minor(3 * half_a_cent, "USD")) == "0.02"
    assert str(money.round_to_minor(15 * 10**11, "JPY")) == "2"
    assert str(money.round_to_minor(1_000_500_000, "KWD")) == "0.001"
