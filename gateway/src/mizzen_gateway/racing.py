"""Which of two engines that were asked the same begins to answer first? Its answer is the caller's; the other's is not.

`hedging.py` starts a race; what stands here sees to it that of two responses one alone reaches the caller.
"""

import asyncio
from collections.abc import Callable
from typing import Any

from mizzen_gateway.engine.exchange import EngineFailureError, EngineSink
from mizzen_gateway.routing.first_bytes import FirstBytes
from mizzen_gateway.wire.response import Responder, Source

FAILED_FROM = 500
OVERLOADED = 429


class Race:
    """Of one request."""

    __slots__ = ("_give_back", "_seen", "runners", "winner")

    def __init__(self, seen: FirstBytes | None, give_back: Callable[[], None]) -> None:
        """`seen` hears when answers begin; `give_back` is called when there is a winner: one engine is enough."""
        self._seen = seen
        self._give_back = give_back
        self.runners: list[Runner] = []
        self.winner: Runner | None = None

    def enter(self, responder: Responder, now: float) -> "Runner":
        """One more; `now` in loop time."""
        runner = Runner(self, responder, now)
        self.runners.append(runner)
        return runner

    def won_by(self, winner: "Runner", now: float) -> None:
        """The others end at their engines."""
        self.winner = winner
        for place, runner in enumerate(self.runners):
            if self._seen is not None and (runner is winner or not place):  # of a second that has lost nothing is known
                self._seen.note(now - runner.began_at)
            if runner is not winner and runner.task is not None:
                runner.task.cancel()
        self._give_back()

    def over(self) -> None:
        """Both have ended: they know each other, and the request, no more. The collector would seldom come by."""
        for runner in self.runners:
            runner.task = runner.watch = None
        self.runners.clear()
        self.winner = None
        self._give_back = nothing


def nothing() -> None:
    """There is no place to give back."""


class Runner:
    """A try at one engine."""

    __slots__ = ("_race", "_responder", "began_at", "reached", "task", "watch")

    def __init__(self, race: Race, responder: Responder, began_at: float) -> None:
        self._race = race
        self._responder = responder
        self.began_at = began_at
        """Loop time."""
        self.task: asyncio.Task[Any] | None = None
        """Cancelled when another one wins."""
        self.watch: Callable[[], None] | None = None
        """Lets limits and budgets know of this one's answer."""
        self.reached = False
        """The engine has the request."""

    @property
    def lost(self) -> bool:
        """Another one has won."""
        return self._race.winner not in (None, self)

    def gate(self, sink: EngineSink, connection: Source) -> "FirstByteGate":
        """Before `sink`, which gets the response of `connection` if this one wins."""
        self.reached = True
        return FirstByteGate(self, sink, connection)

    def begins(self, connection: Source) -> None:
        """The engine answers. Raises EngineFailureError of kind outrun where another one does already."""
        if self.lost:
            raise EngineFailureError("outrun", True, "another engine began to answer first")
        if self._race.winner is None:
            self._race.won_by(self, asyncio.get_running_loop().time())
        self._responder.source = connection
        if self.watch is not None:
            self.watch()


class FirstByteGate:
    """An `EngineSink` that keeps the head of a response until its body begins.

    The head of a stream says nothing: engines send it before they have read the prompt.
    """

    __slots__ = ("_connection", "_head", "_open", "_runner", "_sink")

    def __init__(self, runner: Runner, sink: EngineSink, connection: Source) -> None:
        self._runner = runner
        self._sink = sink
        self._connection = connection
        self._head: tuple[int, dict[bytes, bytes]] | None = None
        self._open = False

    def on_head(self, status: int, headers: dict[bytes, bytes]) -> None:
        """Keep it, but for a failure, which wins nothing and writes nothing."""
        if status >= FAILED_FROM or status == OVERLOADED:
            self._open = True
            self._sink.on_head(status, headers)
        else:
            self._head = (status, headers)

    def on_body(self, data: bytes) -> None:
        """Pass it on. Raises EngineFailureError where another one has won."""
        self.begin()
        self._sink.on_body(data)

    def begin(self) -> None:
        """The body begins, or there is none; a second call does nothing."""
        if self._open:
            return
        self._open = True
        self._runner.begins(self._connection)
        if self._head is not None:
            self._sink.on_head(*self._head)
