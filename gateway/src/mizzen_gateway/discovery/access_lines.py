"""What does a line of the access feed say? It is read entry by entry: nobody waits for it, nothing is held twice.

A snapshot of a hundred thousand keys is a line of 26 MB, which as one document would be a quarter of a gigabyte of
objects and a second without a request. Here each entry becomes part of an index and is forgotten; one whose text is as
before is not even read.
"""

from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

from mizzen_crds.access import (
    AccessDelta,
    AccessFeedLine,
    AccessSnapshot,
    BudgetAccess,
    Grant,
    KeyAccess,
    LimitAccess,
    Price,
    ProjectAccess,
)
from pydantic import BaseModel

from mizzen_gateway.discovery.access_building import IndexBuilder
from mizzen_gateway.discovery.access_index import PAUSE_AFTER, AccessIndex, Marks
from mizzen_gateway.discovery.json_pieces import JsonPieces

ENTRIES: dict[str, type[BaseModel]] = {
    "projects": ProjectAccess,
    "keys": KeyAccess,
    "further_keys": KeyAccess,
    "limits": LimitAccess,
    "further_limits": LimitAccess,
    "owner_limits": LimitAccess,
    "budgets": BudgetAccess,
    "further_budgets": BudgetAccess,
    "owner_budgets": BudgetAccess,
    "prices": Price,
    "batch_prices": Price,
    "grants": Grant,
}
"""Lists of a snapshot."""
NO_MARKS = Marks()
Read = TypeVar("Read", bound=BaseModel)
Kept = TypeVar("Kept")


@dataclass(frozen=True, slots=True)
class Line:
    """One line."""

    version: int
    """Newest one that the control plane has."""
    index: AccessIndex | None
    """Its snapshot, where it has one."""
    begin: int = 0
    end: int = 0
    """Bytes of the line that are the snapshot or delta."""
    delta: AccessDelta | None = None
    """What has changed of keys, where it says that alone."""
    signature: str = ""
    """Of those bytes."""


def read_line(pieces: Iterable[bytes], before: AccessIndex | None) -> Generator[None, None, Line | None]:
    """A line, which comes in pieces; None for an empty one. Pauses often. ValueError where it cannot be read."""
    text = JsonPieces(pieces)
    if not text.next_sign():
        return None
    facts: dict[str, Any] = {}
    index, begin, end = None, 0, 0
    for name in text.members():
        if name == "snapshot" and text.next_sign() == "{":
            begin = text.place
            index = yield from _snapshot(text, before)
            end = text.place
        elif name == "delta" and text.next_sign() == "{":
            begin = text.place
            facts[name] = text.value()
            end = text.place
        else:
            facts[name] = text.value()
    text.end()
    line = AccessFeedLine.model_validate(facts)
    return Line(line.version, index, begin, end, line.delta, line.signature)


def _snapshot(text: JsonPieces, before: AccessIndex | None) -> Generator[None, None, AccessIndex]:
    building, marks = IndexBuilder(before), NO_MARKS if before is None else before.marks
    rest: dict[str, Any] = {}
    for name in text.members():
        if name not in ENTRIES:
            rest[name] = text.value()
            continue
        rest[name] = listed = []
        if name in ("keys", "further_keys"):
            building.expect(str(rest.get("organization_id", "")), rest.get("projects", ()), rest.get("grants", ()))
            yield from _entries(text, KeyAccess, marks.keys, building.add_key, building.take_key)
        elif name in ("limits", "further_limits", "owner_limits"):
            yield from _entries(text, LimitAccess, marks.limits, building.add_limit, building.take_limit)
        elif name in ("budgets", "further_budgets", "owner_budgets"):
            yield from _entries(text, BudgetAccess, marks.budgets, building.add_budget, building.add_budget)
        else:
            for number, _ in enumerate(text.elements()):
                if not number % PAUSE_AFTER:
                    yield
                listed.append(ENTRIES[name].model_validate(text.value()))
    return (yield from building.finished(AccessSnapshot.model_validate(rest)))


def _entries(
    text: JsonPieces,
    model: type[Read],
    marks: dict[int, Kept],
    add: Callable[[Read, int], None],
    take: Callable[[Kept, int], None],
) -> Generator[None, None, None]:
    """Those of one list: taken where the same text was read before, else read and added."""
    for number, _ in enumerate(text.elements()):
        if not number % PAUSE_AFTER:
            yield
        mark = text.mark() if marks else 0
        known = marks.get(mark)
        if known is None:
            value = model.model_validate(text.value())
            add(value, text.mark_of_last)
        else:
            text.pass_over()
            take(known, mark)
