"""How long does an engine take? A simulated one: continuous batching, chunked prefill, a prefix cache that forgets."""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from routing_trace import TOKENS_A_BLOCK, Arrival

STEP_SECONDS = 0.005
"""One step gives each running sequence a token ..."""
PREFILL_TOKENS_A_SECOND = 20_000.0
STEP_TOKENS = 2048
"""... and reads so many tokens of prompts at most. Speeds and sizes are those of `mizzen_engines.simulated`."""
BATCH = 64
CACHE_BLOCKS = 131_072 // TOKENS_A_BLOCK


@dataclass
class Request:
    """One at an engine."""

    arrival: Arrival
    began: Callable[["Request"], None]
    """Called at its first token."""
    ended: Callable[["Request"], None]
    unread: int = 0
    left: int = 0
    first_token_at: float = 0.0
    ended_at: float = 0.0
    known_blocks: int = 0


@dataclass
class Engine:
    """One engine. `at` is called by the clock whenever a step is over."""

    schedule: Callable[[float, Callable[[float], None]], None]
    waiting: deque[Request] = field(default_factory=deque)
    running: list[Request] = field(default_factory=list)
    cache: dict[int, None] = field(default_factory=dict)
    stepping: bool = False

    def take(self, request: Request, now: float) -> None:
        """A request comes."""
        self.waiting.append(request)
        if not self.stepping:
            self._step(now)

    def _step(self, now: float) -> None:
        """Begin the next step, if there is anything to do."""
        self._admit()
        self.stepping = bool(self.running)
        if not self.running:
            return
        budget = read = STEP_TOKENS
        for request in self.running:
            share = min(request.unread, budget)
            request.unread -= share
            budget -= share
        read -= budget
        self.schedule(now + STEP_SECONDS + read / PREFILL_TOKENS_A_SECOND, self._over)

    def _admit(self) -> None:
        while self.waiting and len(self.running) < BATCH:
            request = self.waiting.popleft()
            request.known_blocks = self._known(request.arrival.blocks)
            request.unread = request.arrival.prompt_tokens - request.known_blocks * TOKENS_A_BLOCK
            request.left = max(1, request.arrival.output_tokens)
            self.running.append(request)

    def _over(self, now: float) -> None:
        going: list[Request] = []
        for request in self.running:
            if request.unread == 0:
                if not request.first_token_at:
                    request.first_token_at = now
                    self._keep(request.arrival.blocks)
                    request.began(request)
                request.left -= 1
                if request.left == 0:
                    request.ended_at = now
                    request.ended(request)
                    continue
            going.append(request)
        self.running = going
        self._step(now)

    def _known(self, blocks: Sequence[int]) -> int:
        """Blocks that need not be read: those from the beginning that the cache holds, but never the whole prompt."""
        known = 0
        for block in blocks:
            if block not in self.cache:
                break
            known += 1
        return max(0, min(known, len(blocks) - 1))

    def _keep(self, blocks: Sequence[int]) -> None:
        cache = self.cache
        for block in reversed(blocks):
            cache.pop(block, None)
            cache[block] = None
        while len(cache) > CACHE_BLOCKS:
            del cache[next(iter(cache))]
