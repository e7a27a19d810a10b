"""Is an amount what was written, in every unit?"""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mizzen_controlplane.budgets.amounts import AmountError, parse, text_of
from mizzen_crds.access import BudgetUnit


@given(st.sampled_from(list(BudgetUnit)), st.integers(0, 10**14))
def test_an_amount_is_read_back_as_it_was(unit: BudgetUnit, amount: int) -> None:
    assert parse(unit, text_of(unit, amount)) == amount


@pytest.mark.parametrize(
    ("unit", "text", "amount"),
    [("money", "25.00", 25 * 10**12), ("tokens", "1000000", 10**6), ("accelerator_seconds", "3600.5", 3_600_500)],
)
def test_an_amount_is_kept_in_the_smallest_part_of_its_unit(unit: str, text: str, amount: int) -> None:
    assert parse(BudgetUnit(unit), text) == amount


@pytest.mark.parametrize(
    ("unit", "text"),
    [("money", "-1"), ("tokens", "1.5"), ("tokens", "9" * 16), ("accelerator_seconds", "0.0001"), ("tokens", "")],
)
def test_what_cannot_be_kept_is_refused_with_what_would_fit(unit: str, text: str) -> None:
    with pytest.raises(AmountError, match=r"write|round"):
        parse(BudgetUnit(unit), text)
