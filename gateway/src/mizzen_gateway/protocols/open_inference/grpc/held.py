"""Where an answer goes that is no HTTP response: it is kept for whoever asked."""

from mizzen_gateway.wire.response import HeaderList, Responder


class HeldResponder(Responder):
    """Takes one whole answer."""

    __slots__ = ("body", "headers")

    def __init__(self) -> None:
        self.source = self.waiting = None
        self.started = self.done = False
        self.bytes_out = 0
        self._close = False
        self.body = b""
        self.headers: HeaderList = ()

    def send(self, status: int, headers: HeaderList, body: bytes) -> None:  # noqa: ARG002  # only good answers come
        """Keep it."""
        self.started = self.done = True
        self.bytes_out = len(body)
        self.headers, self.body = headers, body

    def send_pieces(self, status: int, headers: HeaderList, pieces: list[bytes]) -> None:
        """In one piece, as it is kept."""
        self.send(status, headers, b"".join(pieces))

    def break_off(self) -> None:
        """Nothing was sent."""
        self.done = True
