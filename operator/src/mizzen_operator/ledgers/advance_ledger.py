"""When did a revision's start last come further than ever before? A pod that begins anew is no progress by itself."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

Key = tuple[str, str]
"""Namespace and deployment."""
Milestone = tuple[int, int]
"""Steps of a start that are behind, and bytes of the step under way."""


@dataclass(frozen=True)
class Standing:
    """How far a revision is."""

    ready: int = 0
    """Replicas that are ready."""
    furthest: Milestone = (0, 0)
    """Of a replica that is not: the furthest since the last one became ready."""
    at: datetime | None = None
    """When it last came further; None where that was not seen."""


class AdvanceLedger:
    """Standings by deployment and revision. Lost with its program: what is seen first is where counting begins."""

    def __init__(self) -> None:
        self._known: dict[Key, dict[str, Standing]] = {}

    def begin(self) -> None:
        """This program leads from now on: what came forward meanwhile was not seen."""
        self._known.clear()

    def note(self, key: Key, seen: Mapping[str, Standing], now: datetime) -> None:
        """Take what a pass sees of every revision of a deployment."""
        known = self._known.get(key)
        if known is None:
            self._known[key] = dict(seen)
            return
        gone = {digits: replace(one, ready=0) for digits, one in known.items() if digits not in seen}
        self._known[key] = gone | {
            digits: _further(known.get(digits, Standing()), one, now) for digits, one in seen.items()
        }

    def last(self, key: Key, digits: str) -> datetime | None:
        """Return when a revision (its hash) last came further; None where that was not seen."""
        return self._known.get(key, {}).get(digits, Standing()).at

    def forget(self, key: Key) -> None:
        """The deployment is gone."""
        self._known.pop(key, None)


def _further(before: Standing, seen: Standing, now: datetime) -> Standing:
    if seen.ready > before.ready:
        return replace(seen, at=now)  # the next replica begins where it begins
    if seen.furthest > before.furthest:
        return replace(seen, at=now)
    return replace(before, ready=seen.ready)
