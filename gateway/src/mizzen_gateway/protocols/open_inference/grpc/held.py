"""Where an answer goes that is no HTTP response: it is kept for whoever asked."""

from mizzen_gateway.stages import Refusal
from mizzen_gateway.wire.request import BadRequestError
from mizzen_gateway.wire.response import HeaderList, Responder

LINE_BYTES = 3 * 1024 * 1024
"""Of an answer that comes in pieces: a line of a batch, as text within JSON, fits into what the control plane takes."""
STEP_BYTES = 64 * 1024 * 1024
"""Of a step of a pipeline: tensors, which the next one gets."""


class HeldResponder(Responder):
    """Takes one whole answer; one that comes in pieces has not started for anybody before it is whole."""

    __slots__ = ("_most", "_pieces", "_size", "body", "headers")

    def __init__(self, most: int = STEP_BYTES) -> None:
        """`most`: bytes of an answer that comes in pieces."""
        self._most = most
        self.source = self.waiting = None
        self.started = self.done = False
        self.bytes_out = 0
        self._close = False
        self._size = 0
        self._pieces: list[bytes] = []
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

    def start(self, status: int, headers: HeaderList) -> None:  # noqa: ARG002  # only good answers come
        """A long one begins, or begins anew at another engine."""
        self.headers = headers
        self._pieces, self._size = [], 0

    def write(self, data: bytes) -> None:
        """Keep it. Raises BadRequestError past the limit."""
        self._size += len(data)
        if self._size > self._most:
            self._pieces = []
            raise BadRequestError(_too_long(self._most))
        self._pieces.append(data)

    def finish(self) -> None:
        """It is whole."""
        pieces, self._pieces = self._pieces, []
        self.send(200, self.headers, b"".join(pieces))

    def break_off(self) -> None:
        """Nothing was sent."""
        self.done = True


def _too_long(most: int) -> Refusal:
    message = (
        f"Answer: longer than {most} bytes, the most that a line of a batch or a step of a pipeline may have; ask for"
        " less at once: a smaller n, fewer inputs, fewer logprobs."
    )
    return Refusal(400, "answer_too_long", message)
