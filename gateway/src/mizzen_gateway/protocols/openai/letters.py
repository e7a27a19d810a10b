"""By how much does a tokenizer lengthen a text before it counts it? By the few letters that grow when written plainly.

Tokenizers normalise: NFC ones count bytes of what comes of it, NFKC ones its letters, some write all in small letters.
"""

import re
from functools import cache
from unicodedata import normalize

BLOCKS = (
    (0xBC, 0xBF), (0x130, 0x131), (0x23A, 0x23F), (0x340, 0x390), (0x950, 0x9E0), (0xA30, 0xA60), (0xB50, 0xB60),
    (0xF40, 0xFC0), (0x2050, 0x2058), (0x2150, 0x2180), (0x2470, 0x2490), (0x2A00, 0x2AE0), (0x3200, 0x3400),
    (0xFA60, 0xFB50), (0xFDF0, 0xFE00), (0x1D150, 0x1D1D0),
)  # fmt: skip
"""Where those letters stand in Unicode: first, and the one behind the last."""


def plain_growth(raw: bytes) -> int:
    """Tokens beyond the bytes of a text, none of it in escapes, that the longest of these forms may have."""
    # Most texts have not even a byte that such letters begin with.
    if raw.isascii() or not raw.translate(None, _other_bytes()):
        return 0
    growth = _growth()
    return sum(growth[letter] for letter in _letters().findall(raw.decode()))


def grows_by(letter: str) -> int:
    """Tokens that one letter may be beyond its bytes."""
    longest = max(len(normalize("NFC", letter).encode()), len(normalize("NFKC", letter)), len(letter.lower().encode()))
    return longest - len(letter.encode())


@cache
def _growth() -> dict[str, int]:
    letters = (chr(point) for first, end in BLOCKS for point in range(first, end))
    return {letter: more for letter in letters if (more := grows_by(letter)) > 0}


@cache
def _letters() -> re.Pattern[str]:
    return re.compile(f"[{''.join(_growth())}]")


@cache
def _other_bytes() -> bytes:
    """Bytes that none of these letters begins with."""
    return bytes(set(range(256)) - {letter.encode()[0] for letter in _growth()})
