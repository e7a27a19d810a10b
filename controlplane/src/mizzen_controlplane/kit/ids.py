"""New ids: a prefix, then 26 characters that sort by the time they were made (48 bits of milliseconds, 80 random)."""

import secrets
import threading
import time

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_RANDOM_BITS = 80

_lock = threading.Lock()
_last = 0


def new_id(prefix: str) -> str:
    """Make `<prefix>_<26 characters>`; within a process each is greater than the one before."""
    global _last  # ids of one millisecond must still rise
    with _lock:
        made = (time.time_ns() // 1_000_000 << _RANDOM_BITS) | secrets.randbits(_RANDOM_BITS)
        _last = made if made > _last else _last + 1
        return f"{prefix}_{_encoded(_last)}"


def _encoded(number: int) -> str:
    characters = []
    for _ in range(26):
        characters.append(ALPHABET[number & 31])
        number >>= 5
    return "".join(reversed(characters))
