"""The engine's response is kept until it is whole; only then does the caller get any of it."""

from mizzen_gateway.engine.exchange import Collected, EngineFailureError
from mizzen_gateway.stages import Refusal
from mizzen_gateway.wire.request import BadRequestError


class HeldAnswer:
    """What answers that are one document share. `complete` and `so_far` are each one's own."""

    def __init__(self, limit: int) -> None:
        """`limit`: bytes of a response; a longer one is refused, which is no fault of the engine."""
        self._limit = limit
        self._held = Collected(limit)

    @property
    def status(self) -> int:
        """The engine's status."""
        return self._held.status

    def on_head(self, status: int, headers: dict[bytes, bytes]) -> None:
        """Keep it."""
        self._held.on_head(status, headers)

    def on_body(self, data: bytes) -> None:
        """Keep it. Raises BadRequestError past the limit."""
        try:
            self._held.on_body(data)
        except EngineFailureError:
            raise BadRequestError(too_long(self._limit)) from None

    def break_off(self, refusal: Refusal) -> None:
        """Nothing was written yet."""


def too_long(limit: int) -> Refusal:
    """400: who asks decides how long an answer is."""
    message = f"Answer: longer than the {limit} bytes that are held of one; ask for less at once, e.g. fewer inputs."
    return Refusal(400, "answer_too_long", message)
