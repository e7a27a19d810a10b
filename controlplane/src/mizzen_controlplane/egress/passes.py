"""Who may use the proxy, and how much? Each transfer gets a pass of its own: a secret, bytes, and a time."""

import base64
import binascii
import hmac
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

DEFAULT_BYTES = 1 << 43
DEFAULT_SECONDS = 24 * 3600.0


@dataclass(slots=True)
class TransferPass:
    """What one transfer may use, over all of its connections."""

    label: str
    """What log lines call it, such as an operation's id."""
    bytes_left: int
    ends_at: float
    """On the monotonic clock."""
    secret: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    refusals: list[str] = field(default_factory=list)
    """Why the proxy refused it something, last one last: clients tell their callers a status alone."""

    unreachable: bool = False
    """The last refusal was that nobody answers: later somebody may."""

    def seconds_left(self) -> float:
        """Until its time is over."""
        return self.ends_at - time.monotonic()

    def took(self, count: int) -> bool:
        """Count bytes from outside; False where they are more than it may fetch."""
        self.bytes_left -= count
        return self.bytes_left >= 0


class Passes:
    """All passes that are valid now."""

    def __init__(self) -> None:
        self._valid: dict[str, TransferPass] = {}

    @contextmanager
    def issued(self, label: str, most_bytes: int, seconds: float) -> Iterator[TransferPass]:
        """A pass that is valid inside the block."""
        made = TransferPass(label, most_bytes, time.monotonic() + seconds)
        name = secrets.token_hex(8)
        made.secret = f"{name}:{made.secret}"
        self._valid[name] = made
        try:
            yield made
        finally:
            del self._valid[name]

    def holder_of(self, authorization: str) -> TransferPass | None:
        """The pass that a header Proxy-Authorization carries."""
        scheme, _, encoded = authorization.partition(" ")
        try:
            given = base64.b64decode(encoded.strip(), validate=True)
        except binascii.Error:
            return None
        found = self._valid.get(given.partition(b":")[0].decode("latin-1"))
        if scheme.lower() != "basic" or found is None or not hmac.compare_digest(given, found.secret.encode()):
            return None
        return found
