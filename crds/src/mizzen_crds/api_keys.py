"""How does an API key look, so that scanners know one that leaked, and a mistyped one needs no look-up?

`mzk_<20 characters a-z2-7>_<43 characters A-Za-z0-9><8 hexadecimal digits>`: the last eight are the CRC-32 of all that
comes before them. Keys of the first release have none, and stay valid.
"""

from typing import Final
from zlib import crc32

KEY_PATTERN: Final = "mzk_[a-z2-7]{20}_[A-Za-z0-9]{43}([0-9a-f]{8})?"
"""For scanners of secrets."""
LENGTH_OF_FIRST: Final = 4 + 20 + 1 + 43
"""Of a key without a checksum."""
LENGTH: Final = LENGTH_OF_FIRST + 8


def with_checksum(key: bytes) -> bytes:
    """The key, and the checksum of it."""
    return b"%b%08x" % (key, crc32(key))


def has_wrong_checksum(key: bytes) -> bool:
    """Whether a key of `LENGTH` was mistyped or made up; a checksum keeps no one out, it only saves looking."""
    return b"%08x" % crc32(key[:LENGTH_OF_FIRST]) != key[LENGTH_OF_FIRST:]
