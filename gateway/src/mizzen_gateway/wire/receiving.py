"""How many bytes of bodies and messages are held that are not whole yet? Of all connections, and of each key."""

from mizzen_gateway.stages import Refusal
from mizzen_gateway.wire.limits import WireLimits

SHARE = 0.5
"""Of them, for one key."""
TOO_MUCH = Refusal(
    503,
    "overloaded",
    "Body: this gateway holds as many bytes of bodies on their way as it has room for, in all or of this key; send"
    " fewer large requests at once, or try again.",
    (("retry-after", "1"),),
)


class Receiving:
    """Bodies that came in one piece never count: they are whole at once."""

    def __init__(self, limits: WireLimits) -> None:
        # The largest body that is allowed must fit, whatever is set.
        self._most = max(limits.receiving_bytes, limits.body_bytes)
        self._most_of_key = max(int(self._most * SHARE), limits.body_bytes)
        self.held = 0
        """Bytes."""
        self._of_keys: dict[str, int] = {}

    def grow(self, key_id: str, more: int) -> Refusal | None:
        """Count them; or why they are too many, which counts them, too."""
        self.held += more
        self._of_keys[key_id] = of_key = self._of_keys.get(key_id, 0) + more
        return TOO_MUCH if self.held > self._most or of_key > self._most_of_key else None

    def shrink(self, key_id: str, less: int) -> None:
        """They are a whole body, or gone."""
        self.held -= less
        left = self._of_keys[key_id] - less
        if left:
            self._of_keys[key_id] = left
        else:
            del self._of_keys[key_id]
