"""When is the message of a call read? Once its key is good, a few at a time, each within a time of its own.

gRPC holds a message until it is whole, and does not say how much of it is there: each that is being read counts for the
largest. One that is not read yet holds the window of its stream and no more.
"""

import asyncio
from collections import deque
from typing import Any, TypeAlias, cast

import grpc

from mizzen_gateway.stages import Refusal

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"
FEWEST = 4
"""Messages that may come in at once, however large they may be."""
SHARE = 0.75
"""Of them, for one key: however slowly its messages come, others' are read."""
RATE = 1 << 20
"""Bytes per second that the largest message must come in at, beside the time that each has."""
LATE = Refusal(408, "request_timeout", "Message: took too long to arrive; send it at once.")
MOST_STREAMS, STREAMS_OF_KEY = 128, 32
TOO_MANY = Refusal(
    429,
    "too_many_concurrent_requests",
    f"Streams: {STREAMS_OF_KEY} of one key and {MOST_STREAMS} of all may be open at a gateway; send more requests over"
    " those that are, or try again.",
    (("retry-after", "1"),),
)
NOTHING = Refusal(400, "invalid_message", "Message: the call ended without one; send one.")


class Intake:
    """Of one server."""

    def __init__(self, total_bytes: int, message_bytes: int, seconds: float) -> None:
        """`seconds` has each message, beside what the largest may take."""
        self._free = max(FEWEST, total_bytes // max(message_bytes, 1))
        self._share = max(1, int(self._free * SHARE))
        self._seconds = seconds + message_bytes / RATE
        self._of_keys: dict[str, int] = {}
        self._waiting: deque[tuple[str, asyncio.Future[None]]] = deque()
        self._loop = asyncio.get_running_loop()
        self._deadlines: dict[asyncio.Task[Any], float] = {}
        """Of the calls whose message is awaited, the first to end first; 0 for one that has ended."""
        self._timer: asyncio.TimerHandle | None = None

    async def message(self, context: Context, key_id: str) -> bytes | Refusal:
        """The first of a call."""
        task = cast("asyncio.Task[Any]", asyncio.current_task())
        self._deadlines[task] = deadline = self._loop.time() + self._seconds
        if self._timer is None:
            self._timer = self._loop.call_at(deadline, self._expire)
        entered = False
        try:
            if not self._enter(key_id):
                await self._turn(key_id)
            entered = True
            found = await context.read()
        except asyncio.CancelledError:
            if self._deadlines[task] or task.uncancel():
                raise
            return LATE
        finally:
            del self._deadlines[task]
            if entered:
                self._leave(key_id)
        return found if isinstance(found, bytes) else NOTHING

    def _expire(self) -> None:
        """One timer for all calls: one each would cost more than the reading."""
        now, self._timer = self._loop.time(), None
        for task, deadline in self._deadlines.items():
            if deadline > now:
                self._timer = self._loop.call_at(deadline, self._expire)
                return
            if deadline:
                self._deadlines[task] = 0.0
                task.cancel()

    def _enter(self, key_id: str) -> bool:
        held = self._of_keys.get(key_id, 0)
        if not self._free or held >= self._share:
            return False
        self._free -= 1
        self._of_keys[key_id] = held + 1
        return True

    async def _turn(self, key_id: str) -> None:
        """Wait in line; whoever leaves lets the next one in."""
        turn: asyncio.Future[None] = self._loop.create_future()
        self._waiting.append((key_id, turn))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._leave(key_id)  # it was let in at the same moment
            else:
                self._waiting.remove((key_id, turn))
            raise

    def _leave(self, key_id: str) -> None:
        self._free += 1
        held = self._of_keys[key_id] - 1
        if held:
            self._of_keys[key_id] = held
        else:
            del self._of_keys[key_id]
        for place, (key, turn) in enumerate(self._waiting):
            if not turn.done() and self._enter(key):
                del self._waiting[place]
                turn.set_result(None)
                return


class Streams:
    """How many streams are open: each may hold a message that is on its way, for as long as it likes."""

    def __init__(self) -> None:
        self._open = 0
        self._of_keys: dict[str, int] = {}

    def enter(self, key_id: str) -> Refusal | None:
        """One more is open; or why not."""
        held = self._of_keys.get(key_id, 0)
        if self._open >= MOST_STREAMS or held >= STREAMS_OF_KEY:
            return TOO_MANY
        self._open += 1
        self._of_keys[key_id] = held + 1
        return None

    def leave(self, key_id: str) -> None:
        """One has ended."""
        self._open -= 1
        held = self._of_keys.pop(key_id) - 1
        if held:
            self._of_keys[key_id] = held
