"""Which deployment is looked at next: a queue in which a key waits at most once and is worked on by one at a time."""

import asyncio
from collections.abc import Hashable
from typing import Generic, TypeVar

FIRST_RETRY_SECONDS = 0.2
LONGEST_RETRY_SECONDS = 15.0
Key = TypeVar("Key", bound=Hashable)


class KeyedQueue(Generic[Key]):
    """Coalescing: a key that is added again while it waits is there once; while it is worked on, once more after it."""

    def __init__(self) -> None:
        self._waiting: dict[Key, None] = {}
        self._working: set[Key] = set()
        self._again: set[Key] = set()
        self._failures: dict[Key, int] = {}
        self._wake = asyncio.Event()

    def add(self, key: Key) -> None:
        """Look at it soon."""
        if key in self._working:
            self._again.add(key)
            return
        self._waiting[key] = None
        self._wake.set()

    def add_unless_failing(self, key: Key) -> None:
        """Look at it soon, unless its next try is set already."""
        if key not in self._failures:
            self.add(key)

    def add_later(self, key: Key, seconds: float) -> None:
        """Look at it after a while."""
        asyncio.get_running_loop().call_later(seconds, self.add, key)

    async def take(self) -> Key:
        """The next key; `done` or `failed` must follow."""
        while not self._waiting:
            self._wake.clear()
            await self._wake.wait()
        key = next(iter(self._waiting))
        del self._waiting[key]
        self._working.add(key)
        return key

    def done(self, key: Key) -> None:
        """The pass ended well."""
        self._failures.pop(key, None)
        self._release(key)

    def failed(self, key: Key) -> float:
        """The pass failed: it is tried again after a growing pause, which is returned in seconds."""
        count = self._failures.get(key, 0)
        self._failures[key] = count + 1
        self._release(key)
        pause = min(LONGEST_RETRY_SECONDS, FIRST_RETRY_SECONDS * 2.0 ** min(count, 16))
        self.add_later(key, pause)
        return pause

    def _release(self, key: Key) -> None:
        self._working.discard(key)
        if key in self._again:
            self._again.discard(key)
            self.add(key)
