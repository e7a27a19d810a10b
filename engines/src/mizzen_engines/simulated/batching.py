"""Who gets the next token? Every sequence in the batch, at each step; those that wait join as room allows.

As real engines do it: first come, first served; a prompt is read when its sequence joins; the KV cache fills with every
token, and when it is full the youngest sequence gives its room back and starts over.
"""

import asyncio
import time
from collections import deque
from dataclasses import dataclass, field

from mizzen_engines.simulated.metrics import EngineMetrics
from mizzen_engines.simulated.settings import Settings


class QueueFullError(Exception):
    """No room in the queue."""


@dataclass(eq=False)
class Sequence:
    """One answer being made. `ready` counts the tokens that its reader has not taken yet."""

    prompt_tokens: int
    wanted_tokens: int
    arrived: float = field(default_factory=time.perf_counter)
    generated: int = 0
    recomputed: int = 0
    token: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(0))
    last_token: float = 0.0

    @property
    def held_tokens(self) -> int:
        """Tokens that it holds in the KV cache."""
        return self.prompt_tokens + self.generated

    @property
    def finished(self) -> bool:
        """Every token has been made."""
        return self.generated >= self.wanted_tokens


class Batcher:
    """The engine's loop. Start `run` once; `submit` a sequence, then acquire `sequence.token` for each token."""

    def __init__(self, settings: Settings, metrics: EngineMetrics) -> None:
        self._settings = settings
        self._metrics = metrics
        self._waiting: deque[Sequence] = deque()
        self._running: list[Sequence] = []
        self._work = asyncio.Event()

    def submit(self, sequence: Sequence) -> None:
        """Let the sequence wait. Raises QueueFullError at the queue's limit."""
        if len(self._waiting) >= self._settings.queue_limit:
            raise QueueFullError
        self._waiting.append(sequence)
        self._metrics.show(len(self._running), len(self._waiting), self._kv_share())
        self._work.set()

    def cancel(self, sequence: Sequence) -> None:
        """Forget a sequence whose caller left; without effect on a finished one."""
        if sequence in self._waiting:
            self._waiting.remove(sequence)
        if sequence in self._running:
            self._running.remove(sequence)
        self._metrics.show(len(self._running), len(self._waiting), self._kv_share())

    async def run(self) -> None:
        """Step for ever."""
        due = time.perf_counter()
        while True:
            if not self._waiting and not self._running:
                self._work.clear()
                await self._work.wait()
                due = time.perf_counter()
            due = await self._step(due)

    async def _step(self, due: float) -> float:
        prompt_tokens = self._admit()
        settings = self._settings
        due += settings.decode_ms / 1000 + prompt_tokens / settings.prefill_tokens_per_second
        now = time.perf_counter()
        await asyncio.sleep(max(0.0, due - now))
        for sequence in list(self._running):
            self._give_token(sequence)
        self._make_room()
        self._metrics.show(len(self._running), len(self._waiting), self._kv_share())
        # A loop that fell behind does not run faster afterwards: a real engine would not either.
        return max(due, time.perf_counter() - settings.decode_ms / 1000)

    def _admit(self) -> int:
        read = 0
        while self._waiting and len(self._running) < self._settings.batch_limit:
            sequence = self._waiting[0]
            if self._running and self._held() + sequence.held_tokens >= self._settings.kv_tokens:
                break
            self._running.append(self._waiting.popleft())
            read += sequence.held_tokens
            if sequence.generated == 0:
                self._metrics.queued(time.perf_counter() - sequence.arrived)
                self._metrics.prompt_tokens.inc(sequence.prompt_tokens)
        return read

    def _give_token(self, sequence: Sequence) -> None:
        now = time.perf_counter()
        sequence.generated += 1
        if sequence.generated == 1:
            self._metrics.first_token(now - sequence.arrived)
        else:
            self._metrics.next_token(now - sequence.last_token)
        sequence.last_token = now
        self._metrics.generation_tokens.inc()
        if sequence.finished:
            self._running.remove(sequence)
            self._metrics.finished(now - sequence.arrived)
        sequence.token.release()

    def _make_room(self) -> None:
        while len(self._running) > 1 and self._held() > self._settings.kv_tokens:
            youngest = self._running.pop()
            youngest.recomputed += youngest.held_tokens
            self._waiting.appendleft(youngest)
            self._metrics.preemptions.inc()

    def _held(self) -> int:
        return sum(sequence.held_tokens for sequence in self._running)

    def _kv_share(self) -> float:
        return min(1.0, self._held() / self._settings.kv_tokens)
