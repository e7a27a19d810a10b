"""What if an engine does not begin to answer? Where the route wants it, another one is asked the same beside it.

Only what is safe to ask twice, only from the retry budget's better half, and only of an engine that has no more to do
than its fellows: under overload hedging stops by itself. Whoever begins first answers; the other is cancelled.
"""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any, Protocol, runtime_checkable

from mizzen_gateway.engine.exchange import EngineFailureError
from mizzen_gateway.racing import Race
from mizzen_gateway.routing.endpoint import EndpointState
from mizzen_gateway.routing.first_bytes import FirstBytes
from mizzen_gateway.routing.route import HedgeFacts
from mizzen_gateway.stages import Refusal
from mizzen_gateway.under_way import Run

Verdict = EngineFailureError | Refusal | None
"""Of a try: None where the caller was answered, a refusal that is final, a failure that may be tried elsewhere."""
Try = Callable[[Run, EndpointState], Coroutine[Any, Any, Verdict]]

SOUNDS = "audio.transcriptions"
"""Read as they come, by one engine; they could be sent to another only before a byte was read."""


@runtime_checkable
class Sequential(Protocol):
    """A request that may be one of a sequence."""

    @property
    def sequence(self) -> str:
        """Which one, empty for none: the state of it is in one engine alone."""
        ...


class Hedges:
    """Those of all requests."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.sent = 0
        self.won = 0
        """Of those, hedges that began to answer first."""
        self.unpaid_seconds = 0.0
        """Of accelerators, spent on tries whose answer nobody got."""

    async def ask(self, run: Run, endpoint: EndpointState, rule: HedgeFacts, ask: Try) -> Verdict:
        """`ask` at the endpoint, and at another one where that does not begin to answer in time."""
        in_one = isinstance(run.call, Sequential) and run.call.sequence
        if in_one or not run.call.repeatable or run.call.operation == SOUNDS:
            return await ask(run, endpoint)
        seen = run.target.first_bytes(endpoint.facts.revision) if rule.measured else None
        p95 = seen.p95 if seen is not None else 0.0
        pair = Pair(self, run, endpoint, ask, seen)
        try:
            if p95 is None:
                return await ask(run, endpoint)
            return await pair.ask(max(p95, rule.seconds))
        finally:
            pair.over()


class Pair:
    """One request at the endpoint that it was meant for, and at the one that is asked beside it."""

    def __init__(self, hedges: Hedges, run: Run, endpoint: EndpointState, ask: Try, seen: FirstBytes | None) -> None:
        self._hedges = hedges
        self._run = run
        self._endpoint = endpoint
        self._ask = ask
        self._loop = asyncio.get_running_loop()
        self._race = Race(seen, self._give_back)
        self._beside: tuple[Run, EndpointState] | None = None
        self._holds_place = False
        run.runner = self._first = self._race.enter(run.responder, self._loop.time())

    def _give_back(self) -> None:
        """The place of the second one, where it has one: of a pair one is under way from now on."""
        if self._holds_place:
            self._holds_place = False
            self._endpoint.gate.leave()

    async def ask(self, seconds: float) -> Verdict:
        """The second one after so many seconds, where the first has not begun."""
        run, paid_before = self._run, self._run.accelerator_seconds
        first = self._first.task = self._loop.create_task(self._ask(run, self._endpoint))
        tasks = [first]
        try:
            await asyncio.wait(tasks, timeout=seconds)
            if not first.done() and self._race.winner is None and (second := self._second()) is not None:
                tasks.append(second)
            return await self._first_to_begin(tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._give_back()
            if self._beside is not None:
                self._settle(*self._beside, paid_before)

    def over(self) -> None:
        """What knows each other lets go, however few were asked."""
        self._run.runner = None
        if self._beside is not None:
            self._beside[0].runner = None
        self._race.over()

    def _second(self) -> asyncio.Task[Verdict] | None:
        """Ask another endpoint, if there is one with room and the budget allows."""
        run, gate = self._run, self._endpoint.gate
        other = run.target.beside(self._endpoint, self._loop.time())
        if other is None or not gate.enters():
            return None
        self._holds_place = True
        if not run.target.may_hedge():
            self._give_back()
            return None
        self._hedges.sent += 1
        runner = self._race.enter(run.responder, self._loop.time())
        trace = None if run.trace is None else run.trace.beside()
        beside = replace(run, runner=runner, trace=trace, ask=None, place=None, share=None, read_by=None, unread=0)
        self._beside = (beside, other)
        runner.task = task = self._loop.create_task(self._ask(beside, other))
        return task

    async def _first_to_begin(self, tasks: list[asyncio.Task[Verdict]]) -> Verdict:
        """What became of the one that began; where none did, of the one that was asked first."""
        pending = set(tasks)
        while pending:
            _, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            if self._race.winner is not None:
                return await tasks[self._race.runners.index(self._race.winner)]
        if self._beside is not None:
            self._run.pods |= {self._beside[1].facts.pod}
        return tasks[0].result()

    def _settle(self, beside: Run, other: EndpointState, paid_before: float) -> None:
        """One request, one row: what the loser has used is seen there, and charged to nobody."""
        run, winner = self._run, self._race.winner
        loser, unpaid = beside.runner, beside.accelerator_seconds - paid_before
        if winner is not None and winner is beside.runner:
            loser, unpaid = self._first, run.accelerator_seconds - paid_before
            self._hedges.won += 1
            run.usage, run.status, run.code = beside.usage, beside.status, beside.code
            run.revision, run.asked, run.first_byte_at = other.facts.revision, beside.asked, beside.first_byte_at
            run.answer = beside.answer
            run.accelerator_seconds = beside.accelerator_seconds
            self._endpoint.answered_with_error(self._loop.time())  # outrun again and again, it rests for a while
        self._hedges.unpaid_seconds += unpaid
        if winner is not None and loser is not None and loser.reached:
            run.tries[:] = [
                replace(tried, unpaid_tokens=run.usage.input_tokens) if tried.outcome == "outrun" else tried
                for tried in run.tries
            ]
