"""Who is next? The highest priority; in it the project that was given the fewest tokens; of a project who came first.

Each project has a clock that runs on by the tokens of what it is given, and the one whose clock is furthest behind is
next. A project that comes back does not get what it left unused: its clock is put forward to that of who was last
served. So a project with a hundred times the requests waits for itself alone.
"""

import asyncio
from collections import deque
from enum import Enum, auto
from heapq import heappop, heappush
from itertools import count

from mizzen_gateway.overload.priority import NAMES


class Turn(Enum):
    """What becomes of a request that waits."""

    COME = auto()
    """It has a place."""
    LOOK_ELSEWHERE = auto()
    """What it waits for is gone."""
    TOO_LATE = auto()
    """Its time is over."""


class Share:
    """One project at one gate."""

    __slots__ = ("clock", "lines", "output_tokens", "version")

    def __init__(self, clock: float) -> None:
        self.clock = clock
        """Tokens that it was given, in the time of the queue."""
        self.output_tokens = 0.0
        """What its requests write, on average of the last ones; 0 where nothing is known."""
        self.lines: tuple[deque[Waiter], ...] = tuple(deque() for _ in NAMES)
        """Its waiting requests, by priority."""
        self.version = 0
        """Of the entries that stand for it: older ones have another clock."""


class Waiter:
    """One request that waits, or has its place by having waited."""

    __slots__ = ("entered", "priority", "share", "tokens", "turn")

    def __init__(self, share: Share, priority: int, tokens: int, turn: "asyncio.Future[Turn]") -> None:
        self.share = share
        self.priority = priority
        self.tokens = tokens
        """What its project is charged until it is known what it used."""
        self.turn = turn
        self.entered = 0
        """How many requests were under way when it got its place, itself included."""


class FairQueue:
    """Of one gate."""

    def __init__(self) -> None:
        self.waiting = [0 for _ in NAMES]
        """By priority."""
        self.projects = [0 for _ in NAMES]
        """Projects that wait, by priority."""
        self._shares: dict[str, Share] = {}
        self._heaps: tuple[list[tuple[float, int, int, Share]], ...] = tuple([] for _ in NAMES)
        """(clock, order of entry, version, share): one that is valid for each project that waits."""
        self._entries = count()
        self._now = 0.0
        """Clock of who was last served."""

    def __len__(self) -> int:
        return sum(self.waiting)

    def share(self, project: str) -> Share:
        """Of a project, made where there is none."""
        found = self._shares.get(project)
        if found is None:
            found = self._shares[project] = Share(self._now)
        return found

    def waits(self, project: str, priority: int) -> int:
        """Requests of a project."""
        found = self._shares.get(project)
        return 0 if found is None else len(found.lines[priority])

    def join(self, project: str, priority: int, tokens: int, turn: "asyncio.Future[Turn]") -> Waiter:
        """Wait at the end of the project's line."""
        share = self.share(project)
        if not any(share.lines):
            share.clock = max(share.clock, self._now)
            share.version += 1
        waiter = Waiter(share, priority, tokens, turn)
        line = share.lines[priority]
        line.append(waiter)
        self.waiting[priority] += 1
        if len(line) == 1:
            self.projects[priority] += 1
            self._enter(share, priority)
        return waiter

    def leave(self, waiter: Waiter) -> None:
        """Wait no more; without effect where it does not."""
        line = waiter.share.lines[waiter.priority]
        if waiter in line:
            line.remove(waiter)
            self._gone(waiter)

    def pop(self) -> Waiter | None:
        """Who is next, charged with its tokens; None where nobody waits."""
        for priority, heap in enumerate(self._heaps):
            while heap:
                clock, _, version, share = heappop(heap)
                line = share.lines[priority]
                if version != share.version or not line:
                    continue
                waiter = line.popleft()
                self._gone(waiter)
                self._now = max(self._now, clock)
                self._charge(share, waiter.tokens)
                return waiter
        return None

    def refund(self, waiter: Waiter) -> None:
        """It was charged, and never asked an engine."""
        self._charge(waiter.share, -waiter.tokens)

    def settle(self, waiter: Waiter, used: int, output_tokens: int) -> None:
        """It has ended, and used so many tokens, so many of them written."""
        share = waiter.share
        known = share.output_tokens
        share.output_tokens = known + (output_tokens - known) / 4 if known else float(output_tokens)
        self._charge(share, used - waiter.tokens)

    def forget(self) -> None:
        """Nobody waits, and nothing is scarce: begin anew."""
        self._shares.clear()
        self._now = 0.0
        for heap in self._heaps:
            heap.clear()

    def _charge(self, share: Share, tokens: int) -> None:
        share.clock += tokens
        share.version += 1
        for priority, line in enumerate(share.lines):
            if line:
                self._enter(share, priority)

    def _enter(self, share: Share, priority: int) -> None:
        heappush(self._heaps[priority], (share.clock, next(self._entries), share.version, share))

    def _gone(self, waiter: Waiter) -> None:
        self.waiting[waiter.priority] -= 1
        if not waiter.share.lines[waiter.priority]:
            self.projects[waiter.priority] -= 1
