"""How is a request named? `req_` and 32 hex digits: milliseconds, then a count, then what is this process's own.

Sorted as text they are sorted by time, and within a millisecond of one process by order.
"""

import itertools
import secrets
import time


class RequestIds:
    """Mints ids; one per process."""

    def __init__(self) -> None:
        self._count = itertools.count()
        self._process = secrets.token_hex(6)

    def mint(self) -> str:
        """A new id, unique for ever."""
        return f"req_{time.time_ns() // 1_000_000:012x}{next(self._count) & 0xFFFFFFFF:08x}{self._process}"
