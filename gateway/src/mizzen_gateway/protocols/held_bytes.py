"""How many bytes of answers that are not whole does this process hold for its callers, all together?

What comes in one piece is not counted: of most answers nothing is. Those that fail give their bytes back, too.
"""

MOST_BYTES = 32 * 1024 * 1024


class HeldBytes:
    """A count. Beyond its bound answers fail nobody: those that grow go on to their callers as they come."""

    __slots__ = ("bytes", "most")

    def __init__(self, most: int) -> None:
        self.most = most
        self.bytes = 0

    @property
    def too_many(self) -> bool:
        """No more should be held."""
        return self.bytes > self.most


class HeldShare:
    """What one answer holds of them, until it is let go: nobody has to say so."""

    __slots__ = ("_of", "bytes")

    def __init__(self, of: HeldBytes) -> None:
        self._of = of
        self.bytes = 0

    def grow(self, more: int) -> None:
        """Hold more bytes."""
        self.bytes += more
        self._of.bytes += more

    def __del__(self) -> None:
        """Give them back."""
        self._of.bytes -= self.bytes


HELD = HeldBytes(MOST_BYTES)
"""Of this process."""
