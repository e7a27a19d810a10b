"""May a stream go on? What it generates beyond what was reserved is reserved as it goes, from soft budgets alone.

More is asked for a little before it is needed, so that a store's answer is there in time and nobody waits for it; where
nothing is left, what is reserved may still be used up, and then the stream ends. While nobody can say what is left,
streams go on.
"""

import asyncio
from collections.abc import Callable, Coroutine
from types import CoroutineType
from typing import Any

from mizzen_gateway.limits.answers import Answer, Denial, Holding, OverBudget
from mizzen_gateway.limits.grants import Grant, SoftBudgets
from mizzen_gateway.limits.rules import NOTHING, Amounts
from mizzen_gateway.stages import Refusal

BLOCK = 128
"""Tokens asked for at once, at least; half of what a stream holds where that is more."""
SMALLEST = 8
"""Where a block is refused, a quarter of it is asked for, down to so many."""
AHEAD = 4
"""More is asked for when less than this part of a block is left."""


class StreamAllowance:
    """Of one admitted request; an `Allowance` of `stages.py`."""

    __slots__ = ("_clock", "_denied", "_ended", "_grant", "_more", "_refuse", "_soft", "asking", "held", "until")

    def __init__(
        self,
        grant: Grant,
        soft: SoftBudgets,
        output_tokens: int,
        clock: Callable[[], float],
        refuse: Callable[[OverBudget, int], Refusal],
    ) -> None:
        """`output_tokens` were reserved with the request; `refuse` puts an end after so many into words."""
        self._grant = grant
        self._soft = soft
        self.held = output_tokens
        self._more: list[tuple[Holding, Amounts]] = []
        self._clock = clock
        self._refuse = refuse
        self.asking: asyncio.Task[None] | None = None
        self._denied: OverBudget | None = None
        """Nothing was left when all that is held was used."""
        self._ended = False
        self.until = output_tokens - min(output_tokens, BLOCK) // AHEAD

    def reached(self, output_tokens: int) -> Refusal | None:
        """So many were generated, `until` or more: see to it that there is more. A refusal where there is not."""
        if self.asking is not None:
            return None
        if self._denied is None:
            # Who comes back with all of it used was refused before, or is faster than the store: little, and soon.
            block = SMALLEST if output_tokens >= self.held else max(BLOCK, self.held // 2)
            self._ask(block, output_tokens)
        return None if self._denied is None else self._refuse(self._denied, output_tokens)

    def reserved(self, kind: int) -> int:
        """What was reserved beyond the request's own, of that kind."""
        return sum(amounts[kind] for _, amounts in self._more)

    def end(self) -> None:
        """The request has ended; its own reservation is settled with all that it used."""
        self._ended = True
        for holding, _ in self._more:
            holding.settle(NOTHING)

    def _ask(self, block: int, output_tokens: int) -> None:
        amounts = self._grant.more(block)
        answer = self._soft.counts.take(amounts, self._clock())
        if isinstance(answer, CoroutineType):
            self.asking = asyncio.get_running_loop().create_task(self._wait(answer, amounts, block, output_tokens))
        else:
            self._take(answer, amounts, block, output_tokens)  # type: ignore[arg-type]  # every coroutine is a CoroutineType

    async def _wait(
        self, coming: Coroutine[Any, Any, Answer], amounts: Amounts, block: int, output_tokens: int
    ) -> None:
        try:
            answer = await coming
        finally:
            self.asking = None
        self._take(answer, amounts, block, output_tokens)

    def _take(self, answer: Answer, amounts: Amounts, block: int, output_tokens: int) -> None:
        if isinstance(answer, OverBudget):
            if block > SMALLEST and not self._ended:
                self._ask(max(SMALLEST, block // 4), output_tokens)
                return
            if output_tokens >= self.held:
                self._denied = answer
            self.until = self.held
            return
        if isinstance(answer, Denial):  # nobody can say
            self.held = max(self.held, output_tokens)
        elif self._ended:
            answer.settle(NOTHING)
        else:
            self._more.append((answer, amounts))
        self.held += block
        self.until = self.held - block // AHEAD
