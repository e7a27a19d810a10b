"""How is money written, and how is it kept? Decimal strings at the edge, whole numbers of 10^-12 of a unit inside."""

import re
from decimal import Context, Decimal
from typing import Final

PICO_DIGITS: Final = 12
"""Digits after the point that a whole number of pico can hold."""

PER_MILLION_DIGITS: Final = PICO_DIGITS - 6
"""Digits after the point of a price per million, so that one millionth of it is still whole."""

LARGEST_UNITS: Final = 9_000_000
"""Largest amount in units of the currency: a signed 64-bit number of pico ends a little above."""

PER_SECOND_DIGITS: Final = PICO_DIGITS - 3
"""Digits after the point of a price per second, so that a millisecond's is still whole."""

_EXACT: Final = Context(prec=80)
_DECIMAL = re.compile(r"[0-9]{1,16}(\.[0-9]{1,40})?")

_MINOR_DIGITS: Final = {
    **dict.fromkeys(["BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF"], 0),
    **dict.fromkeys(["UGX", "UYI", "VND", "VUV", "XAF", "XOF", "XPF"], 0),
    **dict.fromkeys(["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"], 3),
}


class MoneyError(ValueError):
    """An amount that cannot be kept exactly; its text says why and what would fit."""


def parse_amount(text: str) -> int:
    """An amount of money such as "12.50", as pico."""
    return _parse(text, PICO_DIGITS)


def parse_price_per_million(text: str) -> int:
    """A price per million tokens such as "0.15", as pico of one token."""
    return _parse(text, PER_MILLION_DIGITS)


def parse_price_per_second(text: str) -> int:
    """A price per second such as "0.001", as pico of a millisecond."""
    return _parse(text, PER_SECOND_DIGITS)


def _parse(text: str, digits: int) -> int:
    if text.startswith("-") and _DECIMAL.fullmatch(text[1:]):
        raise MoneyError(f'"{text[:60]}" is below zero, and money is charged, never paid out: write 0 or more')
    if not _DECIMAL.fullmatch(text):
        raise MoneyError(f'"{text[:60]}" is not an amount: write digits with at most one point, such as "0.15"')
    whole, _, fraction = text.partition(".")
    fraction = fraction.rstrip("0")
    if len(fraction) > digits:
        raise MoneyError(
            f'"{text[:60]}" has {len(fraction)} digits after the point, at most {digits} can be kept exactly: '
            f"round it to {digits}"
        )
    if int(whole) > LARGEST_UNITS or (int(whole) == LARGEST_UNITS and fraction):
        raise MoneyError(f'"{text[:60]}" is above the largest amount, {LARGEST_UNITS}: write a smaller one')
    return int(whole + fraction.ljust(digits, "0"))


def amount_text(pico: int) -> str:
    """Pico as the shortest exact decimal, at least two digits after the point: 12.50, 0.0000025."""
    return _text(pico, PICO_DIGITS)


def price_per_million_text(pico: int) -> str:
    """Pico of one token as the price of a million."""
    return _text(pico, PER_MILLION_DIGITS)


def price_per_second_text(pico: int) -> str:
    """Pico of a millisecond as the price of a second."""
    return _text(pico, PER_SECOND_DIGITS)


def _text(value: int, digits: int) -> str:
    sign = "-" if value < 0 else ""
    padded = str(abs(value)).rjust(digits + 1, "0")
    whole, fraction = padded[:-digits], padded[-digits:].rstrip("0").ljust(2, "0")
    return f"{sign}{whole}.{fraction}"


def minor_digits(currency: str) -> int:
    """Digits after the point of the currency's smallest coin, after ISO 4217."""
    return _MINOR_DIGITS.get(currency, 2)


def round_to_minor(pico: int, currency: str, parts: int = 1) -> Decimal:
    """`parts`-ths of pico rounded half to even to the currency's smallest coin; exact, however large."""
    digits = minor_digits(currency)
    coin = 10 ** (PICO_DIGITS - digits) * parts
    coins, rest = divmod(pico, coin)
    if 2 * rest > coin or (2 * rest == coin and coins % 2):
        coins += 1
    return Decimal(coins).scaleb(-digits, _EXACT)
