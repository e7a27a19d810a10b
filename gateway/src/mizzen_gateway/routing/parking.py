"""Who may wait for an endpoint? So many requests; where there is no room, the project with the most makes it.

A project that sends a hundred times as much as others fills the line, but takes no place from one that has few in it:
its own last request is refused instead.
"""

import asyncio
from collections import Counter, deque


class Parked:
    """One request that waits."""

    __slots__ = ("project", "turn")

    def __init__(self, project: str, turn: "asyncio.Future[bool]") -> None:
        self.project = project
        self.turn = turn
        """False: it gave its place to another project's."""

    def go(self, looks_again: bool) -> None:
        """End its wait, unless it has ended."""
        if not self.turn.done():
            self.turn.set_result(looks_again)


class ParkingLine:
    """Of one deployment."""

    def __init__(self) -> None:
        self._waiting: deque[Parked] = deque()
        self._of: Counter[str] = Counter()
        """Requests of each project that has some."""

    def __len__(self) -> int:
        return len(self._waiting)

    def join(self, project: str, limit: int) -> Parked | None:
        """Wait at the end; None where there is no room, and no project that has two requests more than this one."""
        if len(self._waiting) >= limit and not self._made_room(project):
            return None
        parked = Parked(project, asyncio.get_running_loop().create_future())
        self._waiting.append(parked)
        self._of[project] += 1
        return parked

    def _made_room(self, project: str) -> bool:
        if not self._waiting:
            return False
        ((largest, count),) = self._of.most_common(1)
        if count < self._of[project] + 2:
            return False
        last = next(one for one in reversed(self._waiting) if one.project == largest)
        self.leave(last)
        last.go(looks_again=False)
        return True

    def leave(self, parked: Parked) -> None:
        """It waits no more, if it still did."""
        if parked in self._waiting:
            self._waiting.remove(parked)
            self._count_out(parked)

    def wake(self) -> None:
        """All look again, in the order in which they came."""
        while self._waiting:
            parked = self._waiting.popleft()
            self._count_out(parked)
            parked.go(looks_again=True)

    def _count_out(self, parked: Parked) -> None:
        self._of[parked.project] -= 1
        if not self._of[parked.project]:
            del self._of[parked.project]
