"""The engine's response is kept until it is whole; only then does the caller get any of it."""

from mizzen_gateway.engine.exchange import Collected
from mizzen_gateway.stages import Refusal


class HeldAnswer:
    """What answers that are one document share. `complete` and `so_far` are each one's own."""

    def __init__(self, limit: int) -> None:
        """`limit`: bytes of a response; a longer one is no answer."""
        self._held = Collected(limit)

    @property
    def status(self) -> int:
        """The engine's status."""
        return self._held.status

    def on_head(self, status: int, headers: dict[bytes, bytes]) -> None:
        """Keep it."""
        self._held.on_head(status, headers)

    def on_body(self, data: bytes) -> None:
        """Keep it."""
        self._held.on_body(data)

    def break_off(self, refusal: Refusal) -> None:
        """Nothing was written yet."""
