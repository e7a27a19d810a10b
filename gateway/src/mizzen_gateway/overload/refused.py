"""Do the refusals of engines say that too many are under way? Where they repeat, beyond all that was answered well.

An engine also answers 429 because one request is too large for it, or because its caller has a quota there. That says
nothing of how many it can answer at once, whatever is under way at that moment. A load is how many had a place when a
request got its own, itself included.
"""

import math
from dataclasses import dataclass, field

RECENT_SECONDS = 30.0
"""From a first refusal on requests are counted by load, and what was answered well before it holds."""
REFUSALS_TO_KNOW = 8
"""Refused requests: fewer may be chance."""
LEVEL = 1.125
"""Loads of one level differ by less than this factor."""
MOSTLY = 2
"""Times as many were answered well as were refused."""
CHANCE = 1
"""Of them may be chance."""
COUNTED = -1.0


@dataclass(frozen=True, slots=True)
class TooMany:
    """What refusals say together."""

    load: float
    """At which they came, on average."""
    well: float
    """Highest that was mostly answered well lately."""
    project: str
    """Whose all of them are; empty where they are of several."""


@dataclass(slots=True)
class Level:
    """Requests with about the same load."""

    answered: int = 0
    answered_loads: int = 0
    """Their sum."""
    refused: int = 0
    refused_loads: int = 0
    projects: set[str] = field(default_factory=set)
    """Whose those are; two at most."""


class Refused:
    """What is known of the engines behind one gate. `now` is loop time."""

    __slots__ = ("_before", "_levels", "_refusals", "_until", "over")

    def __init__(self) -> None:
        self.over = 0.0
        """Whoever is answered well and had a higher load has something to tell; `COUNTED` while all have."""
        self._before = 0.0
        """Highest load that was answered well before the first refusal."""
        self._until = 0.0
        self._levels: dict[int, Level] = {}
        self._refusals = 0

    def answered(self, load: int, now: float) -> None:
        """A request with a load above `over` was answered well."""
        if self.over == COUNTED and now < self._until:
            level = self._level(load)
            level.answered += 1
            level.answered_loads += load
            return
        self.over = max(self._well(), load)
        self._levels.clear()

    def too_many(self, load: int, project: str, now: float, *, shared: bool) -> TooMany | None:
        """A request of a project is refused; None while that says nothing of capacity.

        `shared`: other projects are there too, and have to be refused as well.
        """
        if self.over != COUNTED or now >= self._until:
            self._count_from(now, self._well() if self.over == COUNTED else self.over)
        level = self._level(load)
        level.refused += 1
        level.refused_loads += load
        if len(level.projects) < 2:
            level.projects.add(project)
        self._refusals += 1
        found = self._judged(shared=shared) if self._refusals % REFUSALS_TO_KNOW == 0 else None
        if found is not None:
            self._count_from(now, found.well)
        return found

    def scale(self, share: float) -> None:
        """There are so many times the replicas that there were: loads of before were others."""
        if share == 1.0:
            return
        if self.over == COUNTED:
            self._before = max(self._before, self._well())
        else:
            self.over *= share
        self._before *= share
        self._levels.clear()
        self._refusals = 0

    def _judged(self, *, shared: bool) -> TooMany | None:
        well = max(self._before, self._well())
        levels = self._levels.values()
        beyond = [one for one in levels if one.refused_loads > one.refused * well]
        refused = sum(one.refused for one in beyond)
        projects = set[str]().union(*(one.projects for one in beyond))
        if refused < REFUSALS_TO_KNOW or refused * 2 <= self._refusals or (shared and len(projects) < 2):
            return None
        if not well and not any(one.answered for one in levels):
            return None  # fewer at once would not help: such an engine is ejected
        load = sum(one.refused_loads for one in beyond) / refused
        return TooMany(load, well, projects.pop() if len(projects) == 1 else "")

    def _count_from(self, now: float, before: float) -> None:
        self.over, self._before, self._until = COUNTED, before, now + RECENT_SECONDS
        self._levels.clear()
        self._refusals = 0

    def _level(self, load: int) -> Level:
        number = int(math.log(load, LEVEL))
        found = self._levels.get(number)
        if found is None:
            found = self._levels[number] = Level()
        return found

    def _well(self) -> float:
        """A request that comes while others end, or are refused, may be answered well beyond what an engine can."""
        well = [one for one in self._levels.values() if one.answered > one.refused * MOSTLY + CHANCE]
        return max((one.answered_loads / one.answered for one in well), default=0.0)
