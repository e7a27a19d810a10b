"""The Date header of answers, made once a second for all of them."""

import time
from email.utils import formatdate


class HttpDate:
    """Renewed by the server's sweep."""

    __slots__ = ("line",)

    def __init__(self) -> None:
        self.line = ""
        """A whole header line."""
        self.renew()

    def renew(self) -> None:
        """Read the clock."""
        self.line = f"date: {formatdate(time.time(), usegmt=True)}\r\n"
