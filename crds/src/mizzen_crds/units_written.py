"""Which number did a person mean who wrote a unit beside it, where a field takes the number alone?"""

import re
from collections.abc import Mapping
from typing import Final

SECONDS: Final[Mapping[str, float]] = {"ms": 0.001, "s": 1, "sec": 1, "m": 60, "min": 60, "h": 3600, "d": 86_400}
BYTES: Final[Mapping[str, float]] = {
    "": 1,
    "k": 1000,
    "m": 1000**2,
    "g": 1000**3,
    "ki": 1024,
    "mi": 1024**2,
    "gi": 1024**3,
}
NUMBER = r"(\d{1,12}(?:\.\d{1,6})?)"
TIME = re.compile(NUMBER + r"\s*(ms|s|sec|m|min|h|d)")
SIZE = re.compile(NUMBER + r"\s*(k|m|g|ki|mi|gi|)b?", re.IGNORECASE)
MONEY = re.compile(r"[$€£¥]?\s*" + NUMBER + r"\s*(?:[$€£¥]|[A-Z]{3})?")


def number_alone(written: str, location: tuple[str | int, ...]) -> str:
    """What to write instead, for the end of a sentence; empty where nobody can tell."""
    names = [part.lower() for part in location if isinstance(part, str)]
    field = names[-1] if names else ""
    if "seconds" in field or "timeouts" in names:
        found, unit, table = TIME.fullmatch(written), "seconds", SECONDS
    elif "bytes" in field:
        found, unit, table = SIZE.fullmatch(written), "bytes", BYTES
    else:
        found = MONEY.fullmatch(written)
        return f"; write the number alone: {found[1]}" if found else ""
    if found is None:
        return f"; write a number of {unit}"
    return f"; write {unit} as a number alone: {float(found[1]) * table[found[2].lower()]:.12g}"
