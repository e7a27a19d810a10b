"""Which requests of one stream are made when? Several at once, and those of one sequence one after the other.

The state of a sequence goes from one request to the next in its engine.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress

from mizzen_gateway.protocols.open_inference.grpc.call import GrpcInferCall
from mizzen_gateway.protocols.open_inference.grpc.outbox import Outbox, Turn
from mizzen_gateway.protocols.open_inference.grpc.response import stream_error, stream_response
from mizzen_gateway.stages import Refusal

AT_ONCE = 8
"""Requests of one stream that have one answer, under way; no more messages are read before one has been answered."""
SEVERAL_AT_ONCE = 64
"""The same of requests that have any number of answers."""
OWN_DOING = "too_many_concurrent_requests"
"""What one stream's own requests may bring about: then they go one after the other, as far as they have to."""

Asked = GrpcInferCall | Refusal
"""A request, or why it cannot be read."""
Answer = Callable[[Asked, Turn], Awaitable[Refusal | None]]


class Turns:
    """Of one stream: whoever reads it adds requests, whoever writes takes answers."""

    def __init__(self, answer: Answer) -> None:
        """`answer` makes a request; None where the turn has its answer."""
        self._answer = answer
        self._outbox = Outbox()
        self._running: dict[asyncio.Task[None], Turn] = {}
        """In the order in which they were asked for."""
        self._sequences: dict[str, asyncio.Task[None]] = {}
        """The last request of each."""
        self._busy = 0
        """Requests that are being made; others wait for them."""
        self._fewer = asyncio.Event()
        """Set, and replaced, when there is one less."""
        self._end: tuple[Refusal | None] | None = None
        """Nothing more is asked, and why."""

    async def add(self, call: Asked) -> None:
        """Begin a request, once there is room."""
        await self._outbox.room(AT_ONCE)
        while sum(turn.several for turn in self._running.values()) >= SEVERAL_AT_ONCE:
            await self._fewer.wait()
        sequence, request_id = ("", "") if isinstance(call, Refusal) else (call.sequence, call.request_id)
        turn = self._outbox.turn(request_id)
        task = asyncio.create_task(self._run(call, turn, self._sequences.get(sequence)))
        self._running[task] = turn
        if sequence:
            self._sequences[sequence] = task
        task.add_done_callback(lambda done: self._ended(done, sequence))

    def end(self, why: Refusal | None = None) -> None:
        """Nothing more is asked; a refusal ends the stream when all before it are answered."""
        self._end = (why,)
        self._end_if_idle()

    def answers(self) -> AsyncIterator[bytes | Refusal]:
        """Messages of the stream. A refusal is the last, and is the stream's own."""
        return self._outbox.messages()

    async def leave(self) -> None:
        """The caller is gone, or takes nothing: stop what is under way."""
        running = tuple(self._running)
        for task in running:
            task.cancel()
        try:
            await asyncio.gather(*running, return_exceptions=True)
        finally:
            self._outbox.leave()

    async def _run(self, call: Asked, turn: Turn, last: "asyncio.Task[None] | None") -> None:
        # Outermost: a cancelled task keeps its exception, that its frames, and those the task with all that was sent.
        with suppress(asyncio.CancelledError):
            await self._answered_in_turn(call, turn, last)

    async def _answered_in_turn(self, call: Asked, turn: Turn, last: "asyncio.Task[None] | None") -> None:
        if last is not None:
            await asyncio.wait([last])
        while (refusal := await self._made(call, turn)) is not None:
            if refusal.code != OWN_DOING or not self._busy:
                turn.answered(stream_error(refusal.message, turn.request_id))
                return
            await self._fewer.wait()
        if not turn.several:
            turn.answered(stream_response(turn.body))

    async def _made(self, call: Asked, turn: Turn) -> Refusal | None:
        self._busy += 1
        try:
            return await self._answer(call, turn)
        finally:
            self._busy -= 1
            self._fewer.set()
            self._fewer = asyncio.Event()

    def _ended(self, task: "asyncio.Task[None]", sequence: str) -> None:
        del self._running[task]
        if self._sequences.get(sequence) is task:
            del self._sequences[sequence]
        self._fewer.set()
        self._fewer = asyncio.Event()
        self._end_if_idle()

    def _end_if_idle(self) -> None:
        if self._end is not None and not self._running:
            self._outbox.end(self._end[0])
