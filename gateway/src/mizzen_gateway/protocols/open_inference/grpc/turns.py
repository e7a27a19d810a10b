"""In which order are the requests of one stream made and answered? Several at once, and answered in their order.

As Triton does it: a caller matches the n-th answer to the n-th request. Requests of one sequence reach the engine one
after the other, since its state goes from one to the next.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

from mizzen_gateway.protocols.open_inference.grpc.call import GrpcInferCall
from mizzen_gateway.stages import Refusal

AT_ONCE = 8
"""Requests of one stream under way; no more messages are read before one has been answered."""
OWN_DOING = "too_many_concurrent_requests"
"""What one stream's own requests may bring about: then they go one after the other, as far as they have to."""

Asked = GrpcInferCall | Refusal
"""A request, or why it cannot be read."""
Answer = Callable[[Asked], Awaitable[bytes | Refusal]]


class Turns:
    """Of one stream: whoever reads it adds requests, whoever writes takes answers."""

    def __init__(self, answer: Answer, said: Callable[[Refusal, str], bytes]) -> None:
        """`answer` makes a request; `said` puts its refusal into a message of the stream, with the request's id."""
        self._answer = answer
        self._said = said
        self._room = asyncio.Semaphore(AT_ONCE)
        self._asked: asyncio.Queue[asyncio.Task[bytes] | Refusal | None] = asyncio.Queue()
        self._running: dict[asyncio.Task[bytes], None] = {}
        """In the order in which they were asked for."""
        self._sequences: dict[str, asyncio.Task[bytes]] = {}
        """The last request of each."""
        self._busy = 0
        """Requests that are being made; others wait for them."""
        self._fewer = asyncio.Event()
        """Set, and replaced, when there is one less."""

    async def add(self, call: Asked) -> None:
        """Begin a request, once there is room."""
        await self._room.acquire()
        sequence = "" if isinstance(call, Refusal) else call.sequence
        task = asyncio.create_task(self._run(call, self._sequences.get(sequence)))
        self._running[task] = None
        if sequence:
            self._sequences[sequence] = task
        task.add_done_callback(lambda done: self._ended(done, sequence))
        self._asked.put_nowait(task)

    def end(self, why: Refusal | None = None) -> None:
        """Nothing more is asked; a refusal ends the stream when all before it is answered."""
        self._asked.put_nowait(why)

    async def answers(self) -> AsyncIterator[bytes | Refusal]:
        """In the order of their requests. A refusal is the last, and is the stream's own."""
        while (turn := await self._asked.get()) is not None:
            if isinstance(turn, Refusal):
                yield turn
                return
            yield await turn
            self._room.release()

    async def leave(self) -> None:
        """The caller is gone: stop what is under way."""
        running = tuple(self._running)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    async def _run(self, call: Asked, last: "asyncio.Task[bytes] | None") -> bytes:
        if last is not None:
            await asyncio.wait([last])
        while True:
            found = await self._made(call)
            if not isinstance(found, Refusal):
                return found
            if found.code != OWN_DOING or not self._busy:
                return self._said(found, "" if isinstance(call, Refusal) else call.request_id)
            await self._fewer.wait()

    async def _made(self, call: Asked) -> bytes | Refusal:
        self._busy += 1
        try:
            return await self._answer(call)
        finally:
            self._busy -= 1
            self._fewer.set()
            self._fewer = asyncio.Event()

    def _ended(self, task: "asyncio.Task[bytes]", sequence: str) -> None:
        del self._running[task]
        if self._sequences.get(sequence) is task:
            del self._sequences[sequence]
