"""What happens when callers ask for more than engines can give? The gateway's own gate, between simulated both.

Time is simulated: a loop whose clock jumps to what is due next, so that a minute takes as long as its work and a busy
machine changes nothing. Engines answer a token to each request of their batch in each step, and let the others wait,
first come, first served. Callers come by chance and leave when their patience is over, which the engine is told.
"""

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from random import Random
from typing import Any, TypeVar

from mizzen_gateway.overload.gate import Gate
from mizzen_gateway.overload.place import Place
from mizzen_gateway.overload.rules import OverloadRules
from mizzen_gateway.stages import Estimate, Refusal, Usage

ENGINES, BATCH = 2, 32
STEP_SECONDS = 0.02
TOKENS = 25
"""Of an answer, on average."""
PROMPT_TOKENS = 64
CAPACITY = ENGINES * BATCH / (TOKENS * STEP_SECONDS)
"""Requests a second."""
PATIENCE_SECONDS = 10.0
Result = TypeVar("Result")


class NoSockets(selectors.BaseSelector):
    """Nothing ever comes from outside: to wait is to go on to the time that is waited for."""

    def __init__(self, loop: "SimulatedTime") -> None:
        self._loop = loop

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        """The loop's own wake-up, which nobody uses."""
        return selectors.SelectorKey(fileobj, 0, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        """The same."""
        return selectors.SelectorKey(fileobj, 0, 0, None)

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Go on by `timeout`."""
        if timeout is None:
            raise RuntimeError("everybody waits for somebody else")
        self._loop.now += timeout
        return []

    def get_map(self) -> dict[Any, selectors.SelectorKey]:
        """Nothing."""
        return {}

    def close(self) -> None:
        """Nothing to close."""


class SimulatedTime(asyncio.SelectorEventLoop):
    """A loop with a clock of its own."""

    def __init__(self) -> None:
        self.now = 0.0
        super().__init__(NoSockets(self))
        self._clock_resolution = 1e-9

    def time(self) -> float:
        """Seconds since its beginning."""
        return self.now


def simulated(main: Callable[[], Coroutine[Any, Any, Result]]) -> Result:
    """Run `main` to its end in simulated time."""
    with asyncio.Runner(loop_factory=SimulatedTime) as runner:
        return runner.run(main())


class Engine:
    """Also a replica, as the gate sees it."""

    def __init__(self) -> None:
        self.ejected_until = self.others = self.shared_until = 0.0
        self.under_way = 0
        self._batch = asyncio.Semaphore(BATCH)

    async def answer(self, tokens: int) -> None:
        """Wait for a place in the batch, then for each token."""
        self.under_way += 1
        try:
            async with self._batch:
                await asyncio.sleep(tokens * STEP_SECONDS)
        finally:
            self.under_way -= 1


@dataclass
class Seen:
    """What callers of one kind saw while it was measured."""

    asked: int = 0
    refused: int = 0
    gave_up: int = 0
    seconds: list[float] = field(default_factory=list)
    """Of answers, from the question to the last token."""

    def p99(self) -> float:
        """Of the answers."""
        ordered = sorted(self.seconds)
        return ordered[int(len(ordered) * 0.99)]


@dataclass(frozen=True)
class Kind:
    """Callers of one project."""

    project: str
    rate: float
    """Requests a second."""
    priority: int = 1
    steady: bool = False
    """All its answers are of the same length."""


class Scene:
    """A gate, engines behind it and callers before it. Made inside the loop."""

    def __init__(self, rules: OverloadRules, chance: Random) -> None:
        self.gate = Gate(rules)
        self.engines = [Engine() for _ in range(ENGINES)]
        self.gate.serve(self.engines)
        self._chance = chance
        self._tasks: set[asyncio.Task[None]] = set()

    async def play(self, kinds: list[Kind], warm_up: float, measured: float) -> dict[Kind, Seen]:
        """Callers come for `warm_up` seconds, then for `measured` seconds that count."""
        loop = asyncio.get_running_loop()
        begins = loop.time() + warm_up
        ends = begins + measured
        seen = {kind: Seen() for kind in kinds}
        await asyncio.gather(*(self._come(kind, seen[kind], begins, ends) for kind in kinds))
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        assert self.gate.in_flight == self.gate.waiting == 0, "a place was lost"
        return seen

    async def _come(self, kind: Kind, seen: Seen, begins: float, ends: float) -> None:
        loop = asyncio.get_running_loop()
        while loop.time() < ends:
            await asyncio.sleep(self._chance.expovariate(kind.rate))
            tokens = TOKENS if kind.steady else 1 + round(self._chance.expovariate(1 / (TOKENS - 1)))
            task = asyncio.create_task(self._call(kind, tokens, seen if begins <= loop.time() < ends else None, ends))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _call(self, kind: Kind, tokens: int, seen: Seen | None, ends: float) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        counted = seen or Seen()
        counted.asked += 1
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                answered = await self._ask(kind, tokens)
        except TimeoutError:
            counted.gave_up += 1
            return
        if not answered:
            counted.refused += 1
        elif loop.time() <= ends:
            counted.seconds.append(loop.time() - began)

    async def _ask(self, kind: Kind, tokens: int) -> bool:
        """What the gateway does with a request. False where it is refused."""
        gate, loop = self.gate, asyncio.get_running_loop()
        if gate.enters():
            place = Place(gate)
        else:
            estimate = Estimate(PROMPT_TOKENS, 1, 4096)
            probable = gate.probable_tokens(kind.project, 4 * PROMPT_TOKENS, estimate)
            answer = await gate.wait("m", kind.project, kind.priority, probable)
            if answer is None or isinstance(answer, Refusal):
                return False
            place = Place(gate, answer)
        usage = Usage()
        try:
            began = loop.time()
            await min(self.engines, key=lambda one: one.under_way).answer(tokens)
            usage = Usage(PROMPT_TOKENS, tokens)
            place.answered(usage, loop.time() - began, loop.time())
        finally:
            place.leave(usage)
        return True
