"""What amount does a person mean? One above zero, in whole coins of the currency; pure."""

from mizzen_controlplane.kit.problem import invalid_field
from mizzen_controlplane.pricing.money import MoneyError, minor_digits, parse_amount, round_to_minor


def whole_coins(pointer: str, amount: str, currency: str) -> int:
    """Pico; raises Invalid for what is no amount, is nothing, or has a part of a coin."""
    name = pointer.strip("/")
    try:
        pico = parse_amount(amount)
    except MoneyError as error:
        raise invalid_field(pointer, f"{name}: {error}") from error
    if pico == 0:
        raise invalid_field(pointer, f"{name} is 0: it must be above 0")
    if int(round_to_minor(pico, currency).scaleb(12)) != pico:
        digits = minor_digits(currency)
        raise invalid_field(pointer, f"{name} has more than {digits} digits after the point; {currency} has {digits}")
    return pico
