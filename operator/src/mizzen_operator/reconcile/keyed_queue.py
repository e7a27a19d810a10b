"""Which deployment is looked at next: a queue in which a key waits at most once and is worked on by one at a time."""

import asyncio
import random
from collections.abc import Hashable
from typing import Generic, TypeVar

FIRST_RETRY_SECONDS = 0.2
LONGEST_RETRY_SECONDS = 15.0
JITTER = 0.2
"""Pauses differ by this part, so that keys which failed together do not come back together."""
Key = TypeVar("Key", bound=Hashable)


class KeyedQueue(Generic[Key]):
    """Coalescing: a key that is added again while it waits is there once; while it is worked on, once more after it."""

    def __init__(self) -> None:
        self._waiting: dict[Key, float] = {}
        self._working: dict[Key, float] = {}
        self._released_at = float("-inf")
        self._again: dict[Key, float] = {}
        self._failures: dict[Key, int] = {}
        self._timers: dict[Key, asyncio.TimerHandle] = {}
        self._wake = asyncio.Event()

    @property
    def depth(self) -> int:
        """Keys that wait."""
        return len(self._waiting) + len(self._again)

    def oldest_seconds(self) -> float:
        """How long the key that has waited longest has waited, in seconds; 0 where none waits."""
        first = min((*self._waiting.values(), *self._again.values()), default=None)
        return 0.0 if first is None else max(0.0, asyncio.get_running_loop().time() - first)

    def stuck_seconds(self) -> float:
        """For how long keys have waited without any pass coming to an end, in seconds; 0 where none waits."""
        return min(self.oldest_seconds(), asyncio.get_running_loop().time() - self._released_at)

    def longest_pass_seconds(self) -> float:
        """How long the pass that is under way for longest has taken so far, in seconds; 0 where none is."""
        first = min(self._working.values(), default=None)
        return 0.0 if first is None else asyncio.get_running_loop().time() - first

    def add(self, key: Key) -> None:
        """Look at it soon."""
        now = asyncio.get_running_loop().time()
        if key in self._working:
            self._again.setdefault(key, now)
            return
        self._waiting.setdefault(key, now)
        self._wake.set()

    def add_unless_failing(self, key: Key) -> None:
        """Look at it soon, unless its next try is set already."""
        if key not in self._failures:
            self.add(key)

    def add_later(self, key: Key, seconds: float) -> None:
        """Look at it after a while; replaces what was said before about later."""
        self._cancel_timer(key)
        self._timers[key] = asyncio.get_running_loop().call_later(seconds, self._due, key)

    def add_soon(self, key: Key, seconds: float) -> None:
        """Look at it after a while, or earlier where that is set already."""
        timer = self._timers.get(key)
        if timer is None or timer.when() > asyncio.get_running_loop().time() + seconds:
            self.add_later(key, seconds)

    async def take(self) -> Key:
        """The next key; `done` or `failed` must follow."""
        while not self._waiting:
            self._wake.clear()
            await self._wake.wait()
        key = next(iter(self._waiting))
        del self._waiting[key]
        self._working[key] = asyncio.get_running_loop().time()
        return key

    def done(self, key: Key) -> None:
        """The pass ended well."""
        self._failures.pop(key, None)
        self._release(key)

    def failed(self, key: Key, at_least: float = 0.0) -> float:
        """The pass failed: it is tried again after a growing pause of at least so many seconds, which is returned."""
        count = self._failures.get(key, 0)
        self._failures[key] = count + 1
        self._release(key)
        spread = random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311  # spreads load, guards nothing
        pause = max(at_least, min(LONGEST_RETRY_SECONDS, FIRST_RETRY_SECONDS * 2.0 ** min(count, 16) * spread))
        self.add_later(key, pause)
        return pause

    def forget(self, key: Key) -> None:
        """The object is gone: no timer brings its key back."""
        self._failures.pop(key, None)
        self._cancel_timer(key)

    def _due(self, key: Key) -> None:
        self._timers.pop(key, None)
        self.add(key)

    def _cancel_timer(self, key: Key) -> None:
        if timer := self._timers.pop(key, None):
            timer.cancel()

    def _release(self, key: Key) -> None:
        self._working.pop(key, None)
        self._released_at = asyncio.get_running_loop().time()
        if (since := self._again.pop(key, None)) is not None:
            self._waiting.setdefault(key, since)
            self._wake.set()
