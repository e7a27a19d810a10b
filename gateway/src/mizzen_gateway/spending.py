"""May a stream go on? Asked as its parts come, where a soft budget applies.

No more goes to the caller than is reserved: what an engine has written beyond it waits here until the store answers.
"""

import asyncio
from collections.abc import Callable
from typing import Literal, Protocol, runtime_checkable

from mizzen_gateway.engine.exchange import EngineFailureError, EngineSink
from mizzen_gateway.protocols.call import Answer, Generating
from mizzen_gateway.protocols.event_ends import count_of_events, end_of_events
from mizzen_gateway.stages import Allowance, Refusal

NEVER = float("inf")
LAST_EVENTS = 8
"""An answer whose end has come is not cut for so few events."""
NO_TOKENS = -1
"""Generated: fewer than any block of them, so that time alone is asked for."""


class SpentError(Exception):
    """Nothing is left of a soft budget: the stream ends with the refusal's words."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.code)
        self.refusal = refusal


class SpendingSink:
    """An `EngineSink`: passes on so much of what comes as is reserved."""

    __slots__ = ("_allowance", "_answer", "_error", "_generating", "_kept", "_ms_used", "_waits_for", "closed", "fail")

    def __init__(
        self, answer: Answer, generating: Generating, allowance: Allowance, ms_used: Callable[[], int]
    ) -> None:
        """`answer` and `generating` are the same; `ms_used` tells the time of accelerators until now."""
        self._answer = answer
        self._generating = generating
        self._allowance = allowance
        self._ms_used = ms_used
        self._kept = b""
        self._waits_for: asyncio.Future[None] | None = None
        self._error: Exception | None = None
        self.fail: Callable[[Exception], None]
        """Ends the exchange that it is the sink of."""
        self.closed = False
        """Nobody listens any more."""

    def on_head(self, status: int, headers: dict[bytes, bytes]) -> None:
        """Pass it on."""
        self._answer.on_head(status, headers)

    def on_body(self, data: bytes) -> None:
        """Pass it on, or keep it; raises SpentError."""
        if self._kept:
            self._kept += data
            return
        allowance = self._allowance
        if allowance.until_ms < NEVER and allowance.asking is None and not self._generating.ended_with(data):
            ms = self._ms_used()
            if ms >= allowance.until_ms:
                self._ask(ms)
        self._pass(data)

    def told_its_end(self) -> bool:
        """The engine has said all that it had to say; some of it may wait here."""
        return self._error is None and self._generating.told_its_end(self._kept)

    async def rest(self) -> None:
        """All has come: wait until it has gone on. Raises SpentError."""
        while self._kept and self._error is None and self._waits_for is not None:
            await asyncio.wait([self._waits_for])
        if self._error is not None:
            raise self._error

    def _pass(self, data: bytes) -> None:
        allowance = self._allowance
        while data:
            generated, asking = self._generating.generated, allowance.asking
            room = (allowance.until if asking is None else allowance.held) - generated
            if room > 0:
                end = end_of_events(data, room)
                self._answer.on_body(data[:end])
                data = data[end:]
            elif self._generating.ended_with(data) and count_of_events(data) <= LAST_EVENTS:
                self._answer.on_body(data)
                return
            elif asking is not None:
                self._kept, self._waits_for = data, asking
                asking.add_done_callback(self._go_on)
                return
            else:
                self._ask(self._ms_used())

    def _ask(self, ms: int) -> None:
        refusal = self._allowance.reached(self._generating.generated, ms)
        if refusal is not None:
            raise SpentError(refusal)

    def _go_on(self, _asked: "asyncio.Future[None]") -> None:
        if self.closed:
            return
        kept, self._kept = self._kept, b""
        try:
            self._pass(kept)
        except (SpentError, EngineFailureError) as error:
            self._error = error
            self.fail(error)


def sink_of(answer: Answer, allowance: Allowance | None, ms_used: Callable[[], int]) -> "SpendingSink | EngineSink":
    """The answer itself, where no soft budget has a say in how long it goes on."""
    if allowance is None:
        return answer
    if isinstance(answer, Generating):
        return SpendingSink(answer, answer, allowance, ms_used)
    return TimedSink(answer, allowance, ms_used) if isinstance(answer, Lasting) else answer


@runtime_checkable
class Lasting(Protocol):
    """An answer of any number of messages, that can be ended after each of them."""

    @property
    def lasts(self) -> Literal[True]:
        """It is one."""
        ...


class TimedSink:
    """An `EngineSink` of whole messages that nobody counts in tokens: passes them on while there is time left."""

    __slots__ = ("_allowance", "_answer", "_ms_used")

    def __init__(self, answer: Answer, allowance: Allowance, ms_used: Callable[[], int]) -> None:
        self._answer = answer
        self._allowance = allowance
        self._ms_used = ms_used

    def on_head(self, status: int, headers: dict[bytes, bytes]) -> None:
        """Pass it on."""
        self._answer.on_head(status, headers)

    def on_body(self, data: bytes) -> None:
        """Pass it on; raises SpentError."""
        allowance = self._allowance
        if allowance.until_ms < NEVER and allowance.asking is None:
            ms = self._ms_used()
            refusal = allowance.reached(NO_TOKENS, ms) if ms >= allowance.until_ms else None
            if refusal is not None:
                raise SpentError(refusal)
        self._answer.on_body(data)
