"""How is the amount of a budget written, and how is it kept? As a whole number of the smallest part of its unit."""

import re
from typing import Final

from mizzen_crds.access import BudgetUnit

from mizzen_controlplane.pricing.money import MoneyError, amount_text, parse_amount

MILLISECOND_DIGITS: Final = 3
MOST_TOKENS: Final = 10**15
_WHOLE = re.compile(r"[0-9]{1,16}")
_SECONDS = re.compile(r"[0-9]{1,12}(\.[0-9]{1,3})?")


class AmountError(ValueError):
    """An amount that cannot be kept; its text says why and what would fit."""


def parse(unit: BudgetUnit, text: str) -> int:
    """Money as "25.00", tokens as "1000000", accelerator-seconds as "3600" or "0.5"; raises AmountError."""
    try:
        return parse_amount(text) if unit is BudgetUnit.MONEY else _PARSERS[unit](text)
    except MoneyError as error:
        raise AmountError(str(error)) from error


def text_of(unit: BudgetUnit, amount: int) -> str:
    """As a person writes it."""
    if unit is BudgetUnit.MONEY:
        return amount_text(amount)
    if unit is BudgetUnit.TOKENS:
        return str(amount)
    whole, rest = divmod(amount, 10**MILLISECOND_DIGITS)
    return f"{whole}.{rest:03d}".rstrip("0").rstrip(".")


def _tokens(text: str) -> int:
    if not _WHOLE.fullmatch(text) or int(text) > MOST_TOKENS:
        raise AmountError(f'"{text[:60]}" is not a number of tokens: write a whole number up to {MOST_TOKENS}')
    return int(text)


def _accelerator_seconds(text: str) -> int:
    if not _SECONDS.fullmatch(text):
        raise AmountError(
            f'"{text[:60]}" is not a number of seconds: write digits, with at most {MILLISECOND_DIGITS} after a point'
        )
    whole, _, fraction = text.partition(".")
    return int(whole + fraction.ljust(MILLISECOND_DIGITS, "0"))


_PARSERS: Final = {BudgetUnit.TOKENS: _tokens, BudgetUnit.ACCELERATOR_SECONDS: _accelerator_seconds}
