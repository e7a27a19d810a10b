"""When is the message of a call read? Once its key is good, a few at a time, each within a time of its own.

gRPC takes as much of a message at once as there is of it: no more are read at once than would be allowed if each were
the largest. One that is not read yet holds the window of its stream and no more. What has come of those that are read
is counted: see `unfinished.py`.
"""

import asyncio
from collections import deque
from functools import partial
from typing import Any, TypeAlias, cast

import grpc

from mizzen_gateway.protocols.open_inference.grpc.unfinished import (
    LATE,
    LOOK_SECONDS,
    Connection,
    Reader,
    Unfinished,
    whole,
)
from mizzen_gateway.stages import Refusal

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"
FEWEST = 4
"""Messages that may come in at once, however large they may be."""
SHARE = 0.75
"""Of them, for one key: however slowly its messages come, others' are read."""
RATE = 1 << 20
"""Bytes per second that the largest message must come in at, beside the time that each has."""
MOST_STREAMS, STREAMS_OF_KEY = 128, 32
TOO_MANY = Refusal(
    429,
    "too_many_concurrent_requests",
    f"Streams: {STREAMS_OF_KEY} of one key and {MOST_STREAMS} of all may be open at a gateway; send more requests over"
    " those that are, or try again.",
    (("retry-after", "1"),),
)
NOTHING = Refusal(400, "invalid_message", "Message: the call ended without one; send one.")


class Awaited:
    """A message of a call."""

    __slots__ = ("connection", "deadline", "entered", "key_id", "reader", "seen", "why")

    def __init__(self, connection: Connection, key_id: str, deadline: float) -> None:
        self.connection, self.key_id, self.deadline = connection, key_id, deadline
        self.entered = self.seen = False
        """It is being read; and was at the last look already."""
        self.reader: Reader | None = None
        self.why: Refusal | None = None
        """It is not wanted any more."""


class Intake:
    """Of one server."""

    def __init__(self, unfinished: Unfinished, total_bytes: int, message_bytes: int, seconds: float) -> None:
        """`seconds` has each message, beside what the largest may take."""
        self._unfinished = unfinished
        self._free = max(FEWEST, total_bytes // max(message_bytes, 1))
        self._share = max(1, int(self._free * SHARE))
        self._seconds = seconds + message_bytes / RATE
        self._of_keys: dict[str, int] = {}
        self._waiting: deque[tuple[str, asyncio.Future[None]]] = deque()
        self._loop = asyncio.get_running_loop()
        self._awaited: dict[asyncio.Task[Any], Awaited] = {}
        """By the calls that wait for it, the first to end first."""
        self._timer: asyncio.TimerHandle | None = None

    async def message(self, context: Context, key_id: str) -> bytes | Refusal:
        """The first of a call."""
        task = cast("asyncio.Task[Any]", asyncio.current_task())
        connection = self._unfinished.connection(context.peer())
        awaited = self._awaited[task] = Awaited(connection, key_id, self._loop.time() + self._seconds)
        if self._timer is None:
            self._timer = self._loop.call_later(LOOK_SECONDS, self._look)
        found: object = None
        try:
            if not self._enter(key_id):
                await self._turn(key_id)
            awaited.entered = True
            found = await context.read()
        except asyncio.CancelledError:
            if awaited.why is None or task.uncancel():
                raise
            return awaited.why
        finally:
            del self._awaited[task]
            if awaited.entered:
                self._leave(key_id)
                self._account(awaited, found)
                if connection.readers:
                    self._unfinished.beside(connection.peer, header_bytes(context))
        return found if isinstance(found, bytes) else NOTHING

    def _account(self, awaited: Awaited, found: object) -> None:
        """It is whole, or does not come."""
        if isinstance(found, bytes):
            whole(awaited.connection, len(found))
        elif awaited.reader is None:
            self._unfinished.broken(awaited.connection)
        if awaited.reader is not None:
            if isinstance(found, bytes):
                awaited.reader.held = 0
            self._unfinished.over(awaited.reader)
            awaited.reader = None  # which knows it, too: the collector would seldom come by

    def _look(self) -> None:
        """One timer for all calls: one each would cost more than the reading. What is read at once is never counted."""
        now, self._timer = self._loop.time(), None
        for task, awaited in self._awaited.items():
            if awaited.why is None and awaited.deadline <= now:
                end(task, awaited, LATE)
            elif awaited.entered and awaited.reader is None:
                if awaited.seen:
                    awaited.reader = self._unfinished.reader(
                        awaited.connection, awaited.key_id, partial(end, task, awaited), timed=False
                    )
                awaited.seen = True
        if self._awaited:
            self._timer = self._loop.call_later(LOOK_SECONDS, self._look)

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


def header_bytes(context: Context) -> int:
    """Of a call, at most."""
    return sum(len(name) + len(value) for name, value in context.invocation_metadata() or ())


def end(task: "asyncio.Task[Any]", awaited: Awaited, why: Refusal) -> None:
    """Wait for it no longer."""
    if awaited.why is None:
        awaited.why = why
        task.cancel()


class Streams:
    """How many streams are open: each may hold the window of a stream, for as long as it likes."""

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
