"""A request's body on its way: handed on piece by piece, never kept whole; the caller waits for whoever reads it."""

import asyncio
from collections import deque
from typing import Protocol

from mizzen_gateway.stages import Refusal
from mizzen_gateway.wire.request import BadRequestError

HELD_BYTES = 256 * 1024
"""Of one body, before its caller is no longer read."""


class Sender(Protocol):
    """Where the body comes from."""

    def pause_body(self) -> None:
        """Read no more of it."""
        ...

    def resume_body(self) -> None:
        """Go on."""
        ...


class BodyStream:
    """Written by the connection, read by one task."""

    def __init__(self, sender: Sender) -> None:
        self._sender = sender
        self._pieces: deque[bytes] = deque()
        self._held = 0
        self._paused = False
        self._closed = False
        self._whole = False
        self._problem: Refusal | None = None
        self._waiter: asyncio.Future[None] | None = None
        self.taken = False
        """A piece was read: nobody can read this body from its beginning any more."""

    # Called by the connection.

    def feed(self, data: bytes) -> None:
        """A piece came."""
        if self._closed:
            return
        self._pieces.append(data)
        self._held += len(data)
        self._wake()
        if self._held > HELD_BYTES and not self._paused:
            self._paused = True
            self._sender.pause_body()

    def finish(self) -> None:
        """The body is whole."""
        self._whole = True
        self._wake()

    def fail(self, refusal: Refusal) -> None:
        """The body will never be whole."""
        self._problem = refusal
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    # Called by its reader.

    async def read(self) -> bytes:
        """The next piece; empty at the end. Raises BadRequestError where the rest never comes."""
        while not self._pieces:
            if self._problem is not None:
                raise BadRequestError(self._problem)
            if self._whole:
                return b""
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        self.taken = True
        piece = self._pieces.popleft()
        self._held -= len(piece)
        self._go_on()
        return piece

    def close(self) -> None:
        """Nobody reads on: what still comes is thrown away."""
        self._closed = True
        self._pieces.clear()
        self._held = 0
        self._go_on()

    def _go_on(self) -> None:
        if self._paused and self._held <= HELD_BYTES // 2:
            self._paused = False
            self._sender.resume_body()
