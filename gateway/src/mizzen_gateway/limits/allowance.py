"""May a stream go on? What it uses beyond what was reserved is reserved as it goes, from soft budgets alone.

More is asked for a little before it is needed, so that a store's answer is there in time and nobody waits for it; where
nothing is left, what is reserved may still be used up, and then the stream ends. While nobody can say what is left,
streams go on. Two things are counted: generated tokens, and where a budget is spent by it the time of accelerators.
"""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from types import CoroutineType
from typing import Any, Self

from mizzen_gateway.limits.answers import Answer, Denial, Holding, OverBudget
from mizzen_gateway.limits.grants import Grant, SoftBudgets
from mizzen_gateway.limits.rules import LIKELY_MS, LIKELY_OUTPUT, NOTHING, Amounts
from mizzen_gateway.stages import Refusal

TOKENS, MS = 128, 1000
"""Asked for at once, at least; half of what a stream holds where that is more."""
FEWEST_TOKENS, FEWEST_MS = 8, 50
"""Where a block is refused, a quarter of it is asked for, down to so many."""
AHEAD = 4
"""More is asked for when less than this part of a block is left."""
NEVER = float("inf")


@dataclass(frozen=True, slots=True)
class Block:
    """What is asked for at once: of either, or of both."""

    tokens: int
    ms: int
    final: bool
    """What is held of that is used up."""

    def smaller(self) -> "Self | None":
        """What to ask for where that is refused; None where it was the least."""
        tokens = max(FEWEST_TOKENS, self.tokens // AHEAD) if self.tokens else 0
        ms = max(FEWEST_MS, self.ms // AHEAD) if self.ms else 0
        return None if (tokens, ms) == (self.tokens, self.ms) else type(self)(tokens, ms, self.final)


class StreamAllowance:
    """Of one admitted request; an `Allowance` of `stages.py`."""

    __slots__ = (
        "_clock",
        "_denied",
        "_ended",
        "_grant",
        "_held_ms",
        "_more",
        "_refuse",
        "_soft",
        "asking",
        "held",
        "until",
        "until_ms",
    )

    def __init__(
        self,
        grant: Grant,
        soft: SoftBudgets,
        taken: Amounts,
        clock: Callable[[], float],
        refuse: Callable[[OverBudget, int], Refusal],
    ) -> None:
        """`taken` was reserved with the request; `refuse` puts an end after so many tokens into words."""
        self._grant = grant
        self._soft = soft
        self._more: list[tuple[Holding, Amounts]] = []
        self._clock = clock
        self._refuse = refuse
        self.asking: asyncio.Task[None] | None = None
        self._denied: OverBudget | None = None
        """Nothing was left when all that is held was used."""
        self._ended = False
        self.held = taken[LIKELY_OUTPUT]
        self.until = self.held - min(self.held, TOKENS) // AHEAD
        self._held_ms = taken[LIKELY_MS]
        self.until_ms = self._held_ms - min(self._held_ms, MS) // AHEAD if grant.counts_time else NEVER

    def reached(self, output_tokens: int, accelerator_ms: int = 0) -> Refusal | None:
        """So much is used, `until` or `until_ms`: see to it that there is more. A refusal where there is not."""
        if self.asking is not None:
            return None
        if self._denied is None:
            self._ask(self._block(output_tokens, accelerator_ms), output_tokens, accelerator_ms)
        return None if self._denied is None else self._refuse(self._denied, output_tokens)

    def reserved(self, kind: int) -> int:
        """What was reserved beyond the request's own, of that kind."""
        return sum(amounts[kind] for _, amounts in self._more)

    def end(self) -> None:
        """The request has ended; its own reservation is settled with all that it used."""
        self._ended = True
        for holding, amounts in self._more:
            holding.settle(amounts, NOTHING)

    def _block(self, output_tokens: int, ms: int) -> Block:
        tokens_final, ms_final = output_tokens >= self.held, self.until_ms != NEVER and ms >= self._held_ms
        if tokens_final or ms_final:
            # Who comes back with all of it used was refused before, or is faster than the store: little, and soon.
            return Block(FEWEST_TOKENS if tokens_final else 0, FEWEST_MS if ms_final else 0, final=True)
        tokens = max(TOKENS, self.held // 2) if output_tokens >= self.until else 0
        return Block(tokens, max(MS, self._held_ms // 2) if ms >= self.until_ms else 0, final=False)

    def _ask(self, block: Block, output_tokens: int, ms: int) -> None:
        amounts = self._grant.more(block.tokens, block.ms)
        answer = self._soft.counts.take(amounts, self._clock())
        if isinstance(answer, CoroutineType):
            self.asking = asyncio.get_running_loop().create_task(self._wait(answer, amounts, block, output_tokens, ms))
        else:
            self._take(answer, amounts, block, output_tokens, ms)  # type: ignore[arg-type]  # every coroutine is a CoroutineType

    async def _wait(
        self, coming: Coroutine[Any, Any, Answer], amounts: Amounts, block: Block, output_tokens: int, ms: int
    ) -> None:
        try:
            answer = await coming
        finally:
            self.asking = None
        self._take(answer, amounts, block, output_tokens, ms)

    def _take(self, answer: Answer, amounts: Amounts, block: Block, output_tokens: int, ms: int) -> None:
        if isinstance(answer, OverBudget):
            smaller = block.smaller()
            if smaller is not None and not self._ended:
                self._ask(smaller, output_tokens, ms)
                return
            if block.final:
                self._denied = answer
            if block.tokens:
                self.until = self.held
            if block.ms:
                self.until_ms = self._held_ms
            return
        if isinstance(answer, Denial):  # nobody can say
            self.held, self._held_ms = max(self.held, output_tokens), max(self._held_ms, ms)
        elif self._ended:
            answer.settle(amounts, NOTHING)
        else:
            self._more.append((answer, amounts))
        if block.tokens:
            self.held += block.tokens
            self.until = self.held - block.tokens // AHEAD
        if block.ms:
            self._held_ms += block.ms
            self.until_ms = self._held_ms - block.ms // AHEAD
