"""What does a request hold that may ask a revision's replicas? Its place, until it gives it back."""

from mizzen_gateway.overload.fair_queue import Waiter
from mizzen_gateway.overload.gate import NO_LIMIT, Gate
from mizzen_gateway.stages import Usage

READ_FOR_ONE = 64.0
"""Prompt tokens that an engine reads in the time of one generated token: how long answers take depends on both."""

NO_EPOCH = -1
"""Of a request that was refused: how long its last try takes says nothing of how many there were at its entry."""
WATCHED_FROM = 8
"""Requests at once: with fewer, no queue of an engine is long enough to be worth a look."""


class Place:
    """Made once the gate has let the request in."""

    __slots__ = ("_entered", "_epoch", "_waiter", "gate")

    def __init__(self, gate: Gate, waiter: Waiter | None = None) -> None:
        """`waiter` where it had to wait."""
        self.gate = gate
        self._epoch = gate.epoch
        self._waiter = waiter
        self._entered = gate.in_flight if waiter is None else waiter.entered

    def answered(self, usage: Usage, seconds: float, now: float) -> None:
        """An engine has answered well within `seconds`: the gate learns from it."""
        gate = self.gate
        refusals = gate.refusals
        if self._entered > refusals.over and self._epoch != NO_EPOCH:
            refusals.answered(self._entered, now)
        if gate.limit == NO_LIMIT and self._entered < WATCHED_FROM:
            return
        read = usage.input_tokens - usage.cached_tokens
        gate.ended(self._entered, self._epoch, seconds, usage.output_tokens + read / READ_FOR_ONE + 1.0, now)

    def refused(self, project: str, now: float) -> None:
        """An engine says that it has too much to do. That counts once, however often the request is tried."""
        epoch, self._epoch = self._epoch, NO_EPOCH
        self.gate.refused(self._entered, epoch, project, now)

    def leave(self, usage: Usage) -> None:
        """Give it back, once; `usage` is what it was used for."""
        waiter = self._waiter
        if waiter is not None:
            self.gate.queue.settle(waiter, usage.input_tokens + usage.output_tokens, usage.output_tokens)
        self.gate.leave()
