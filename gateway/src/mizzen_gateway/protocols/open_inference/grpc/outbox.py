"""What goes to the caller of a stream, in which order? Each request's messages in theirs, no faster than it reads.

Requests that have one answer are answered in the order in which they came; those that have several do not wait for
others, nor others for them, as Triton does it.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator

from mizzen_gateway.protocols.open_inference.grpc.held import HeldResponder
from mizzen_gateway.protocols.open_inference.grpc.response import stream_error
from mizzen_gateway.stages import Refusal
from mizzen_gateway.wire.response import HeaderList

FULL_BYTES = 128 * 1024
"""Held for a caller that does not read; engines are read from again when half of it has gone."""
CUT = "The answer was cut off: it took longer than requests may (requestTimeoutSeconds)."


class Turn(HeldResponder):
    """Where the answer of one request of a stream goes: in its turn, or message by message."""

    __slots__ = ("_outbox", "message", "paused", "request_id", "several")

    def __init__(self, outbox: "Outbox", request_id: str) -> None:
        super().__init__()
        self._outbox = outbox
        self.request_id = request_id
        self.several = False
        """It has any number of messages, and no turn any more."""
        self.message: bytes | None = None
        """The one that it is answered with, once there is one."""
        self.paused = False

    def has_several(self) -> None:
        """It has any number of answers: from now on nobody waits for it."""
        if not self.several:
            self.several = True
            self._outbox.left_order(self)

    def start(self, status: int, headers: HeaderList) -> None:  # noqa: ARG002  # no message has them
        """The first message follows."""
        self.started = True

    def write(self, data: bytes) -> None:
        """A message."""
        self.started = True
        self.bytes_out += len(data)
        self._outbox.put(data, self)

    def finish(self) -> None:
        """That was all of it, or there was nothing."""
        self.started = self.done = True

    def break_off(self) -> None:
        """It ends where it stands, by nothing that the engine said."""
        if not self.done:
            self.done = True
            self.write(stream_error(CUT, self.request_id))

    def answered(self, message: bytes) -> None:
        """With one message; or it ends with that one."""
        if self.several:
            self.write(message)
            self.done = True
        else:
            self.message = message
            self._outbox.in_order()


class Outbox:
    """Of one stream."""

    def __init__(self) -> None:
        self._order: deque[Turn] = deque()
        self._ready: deque[tuple[bytes, Turn] | Refusal | None] = deque()
        self._bytes = 0
        self._paused: list[Turn] = []
        self._filled = asyncio.Event()
        self._taken = asyncio.Event()
        self.single = 0
        """Requests with one answer that has not been taken yet; or of which nobody knows yet what they have."""

    def turn(self, request_id: str) -> Turn:
        """Of a request that has come."""
        turn = Turn(self, request_id)
        self._order.append(turn)
        self.single += 1
        return turn

    def left_order(self, turn: Turn) -> None:
        """It has several answers."""
        self._order.remove(turn)
        self._less()
        self.in_order()

    def in_order(self) -> None:
        """Put what can go."""
        while self._order and self._order[0].message is not None:
            turn = self._order.popleft()
            assert turn.message is not None
            self.put(turn.message, turn)

    def put(self, message: bytes, turn: Turn) -> None:
        """It goes to the caller, after those that were put before."""
        self._ready.append((message, turn))
        self._bytes += len(message)
        self._filled.set()
        if self._bytes > FULL_BYTES and turn.several and turn.source is not None and not turn.paused:
            turn.paused = True
            self._paused.append(turn)
            turn.source.pause()

    def end(self, why: Refusal | None) -> None:
        """Nothing more comes."""
        self._ready.append(why)
        self._filled.set()

    def leave(self) -> None:
        """Nobody takes what is here; turns that know it are known to it no more."""
        self._order.clear()
        self._ready.clear()
        self._paused.clear()

    async def room(self, most: int) -> None:
        """Wait until fewer than so many requests with one answer are there."""
        while self.single >= most:
            self._taken.clear()
            await self._taken.wait()

    async def messages(self) -> AsyncIterator[bytes | Refusal]:
        """Until the end. A refusal is the last, and is the stream's own."""
        while True:
            while not self._ready:
                self._filled.clear()
                await self._filled.wait()
            found = self._ready.popleft()
            if not isinstance(found, tuple):
                if found is not None:
                    yield found
                return
            message, turn = found
            yield message
            self._went(message, turn)

    def _went(self, message: bytes, turn: Turn) -> None:
        """The caller's side of the connection has taken it."""
        self._bytes -= len(message)
        if not turn.several:
            self._less()
        if self._bytes <= FULL_BYTES // 2:
            paused, self._paused = self._paused, []
            for one in paused:
                one.paused = False
                if one.source is not None:
                    one.source.resume()

    def _less(self) -> None:
        self.single -= 1
        self._taken.set()
