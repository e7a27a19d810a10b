"""What does the secret of a service account look like? As every token here, so that logs blot it out; with a checksum.

`mzt_account_<43 characters A-Za-z0-9><8 hexadecimal digits>`: the last eight are the CRC-32 of all before them, so that
scanners of secrets know one that leaked, and a mistyped one needs no look-up.
"""

import hashlib
import secrets
import string
from typing import Final

from mizzen_crds.api_keys import with_checksum

PREFIX: Final = "mzt_account_"
TOKEN_PATTERN: Final = "mzt_account_[A-Za-z0-9]{43}[0-9a-f]{8}"  # noqa: S105 - for scanners, a token of nobody
_ALPHABET: Final = string.ascii_letters + string.digits
_CHECKSUM: Final = 8


def new_secret() -> str:
    """256 random bits, and the checksum of all."""
    return with_checksum((PREFIX + "".join(secrets.choice(_ALPHABET) for _ in range(43))).encode()).decode()


def is_mistyped(secret: str) -> bool:
    """Whether the checksum says that nobody was ever given this."""
    given = secret.encode()
    return with_checksum(given[:-_CHECKSUM]) != given


def digest_of(secret: str) -> str:
    """What a token is known by: 256 random bits need no salt."""
    return hashlib.sha256(secret.encode()).hexdigest()
