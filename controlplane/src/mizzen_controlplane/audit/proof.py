"""Is a chain of audit events whole? Events are taken in order, then the anchors are asked: pure, of what it is given.

`:verify` walks the database with it, `mizzen audit verify` a file. What it finds: a changed event, one that is missing,
a chain that was rewritten from some event on, a tail that was cut off, and personal data that is not what was written.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from mizzen_controlplane.audit.anchors import BASE, HEAD, Anchor, AnchorKeys
from mizzen_controlplane.audit.chain_format import GENESIS, UnknownFormatError, commitment, hash_of

MOST: Final = 20
"""Findings that are kept; the first ones tell where it began."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it was written."""

    number: int
    """Of the event."""
    kind: str
    """changed_event, missing_event, rewritten, cut_tail, changed_personal_data, forged_anchor or unknown_format."""
    detail: str


@dataclass(slots=True)
class Walk:
    """A walk along the chain."""

    anchors: Sequence[Anchor]
    keys: AnchorKeys
    first: int = 1
    """Number that the walk starts with; 1 or, of a part, a later one."""
    previous: str = GENESIS
    events: int = 0
    last: int = 0
    erased: int = 0
    """Commitments whose personal data was erased."""
    findings: list[Finding] = field(default_factory=list)
    anchored: Anchor | None = None
    """The last one that the chain fits."""
    _wanted: dict[int, list[Anchor]] = field(default_factory=dict)
    _trusted: set[Anchor] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.last = self.first - 1
        for anchor in self.anchors:
            if anchor.kind == HEAD:
                self._wanted.setdefault(anchor.number, []).append(anchor)

    def begin_after_what_was_removed(self) -> None:
        """Start behind the newest base that a key vouches for: up to there the installation removed events itself."""
        for base in sorted((a for a in self.anchors if a.kind == BASE), key=lambda each: -each.number):
            if self._vouched(base):
                self.begin(base.number + 1, base.hash)
                return

    def begin(self, number: int, previous_hash: str) -> None:
        """Start with event `number`, on the word of whoever gives the hash before it."""
        self.first, self.last, self.previous = number, number - 1, previous_hash

    def take(self, event: Mapping[str, Any], personal: Iterable[Mapping[str, Any]] = ()) -> None:
        """The next event, with what is left of its personal data."""
        number = int(event["number"])
        if number != self.last + 1:
            self._found(self.last + 1, "missing_event", f"after event {self.last} follows event {number}")
        elif event["previous_hash"] != self.previous:
            self._found(number, "changed_event", "it does not follow the event before: one of the two was changed")
        try:
            if event["hash"] != hash_of(event):
                self._found(number, "changed_event", "its content is not what its hash is over")
        except UnknownFormatError as error:
            self._found(number, "unknown_format", f"{error}; verify with a newer one")
        self._look_at_personal(number, event.get("commitments") or [], personal)
        for anchor in self._wanted.pop(number, ()):
            self._compare(anchor, str(event["hash"]))
        self.previous, self.last = str(event["hash"]), number
        self.events += 1

    def end(self, counted: int = 0) -> None:
        """Ask the anchors of events that there are not; `counted`: how many the database's own counter says."""
        if self.anchored is not None and not self._vouched(self.anchored):
            self._found(self.anchored.number, "forged_anchor", "no key of this installation signed it")
            self.anchored = None
        beyond = [anchor for number in self._wanted if number > self.last for anchor in self._wanted[number]]
        for anchor in sorted(beyond, key=lambda each: each.number):
            if self._vouched(anchor):
                self._found(
                    self.last + 1,
                    "cut_tail",
                    f"an anchor signed at {anchor.at} says that there was event {anchor.number}, and the chain ends "
                    f"with {self.last}",
                )
                return
        if counted > self.last:
            detail = f"the database has counted {counted} events, and the chain ends with {self.last}"
            self._found(self.last + 1, "cut_tail", detail)

    def _compare(self, anchor: Anchor, found: str) -> None:
        if anchor.hash == found:
            self.anchored = anchor
        elif self._vouched(anchor):
            self._found(
                anchor.number,
                "rewritten",
                f"an anchor signed at {anchor.at} says that its hash was {anchor.hash}: it, or events before it, were "
                "written anew",
            )
        else:
            self._found(anchor.number, "forged_anchor", "an anchor that no key of this installation signed")

    def _vouched(self, anchor: Anchor) -> bool:
        if anchor not in self._trusted and self.keys.vouch_for(anchor):
            self._trusted.add(anchor)
        return anchor in self._trusted

    def _look_at_personal(self, number: int, commitments: list[str], personal: Iterable[Mapping[str, Any]]) -> None:
        held = {int(each["position"]): each for each in personal}
        self.erased += sum(place not in held for place in range(len(commitments)))
        for place, each in held.items():
            if place >= len(commitments) or commitment(each["salt"], each["content"]) != commitments[place]:
                self._found(number, "changed_personal_data", f"part {place} is not what the event committed to")

    def _found(self, number: int, kind: str, detail: str) -> None:
        if len(self.findings) < MOST:
            self.findings.append(Finding(number, kind, detail))
