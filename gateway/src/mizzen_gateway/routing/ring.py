"""Who comes first for a key, in an order that every gateway finds alone? Consistent hashing.

An endpoint that comes or goes moves only the keys that become its own or were.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b

from mizzen_gateway.routing.endpoint import EndpointState

POINTS = 64
"""Places of one endpoint on the ring: the more, the more even the shares."""
CIRCLES = 8
"""Sets of endpoints that are kept laid out: one for each revision."""


def point(text: bytes) -> int:
    """Place of a text on the ring: the same in every process."""
    return int.from_bytes(blake2b(text, digest_size=8).digest())


@dataclass(frozen=True, slots=True)
class _Circle:
    """The places of one set of endpoints."""

    among: Sequence[EndpointState]
    points: list[int]
    owners: list[EndpointState]


class Ring:
    """Endpoints in the order of their places; laid out again only where there are others."""

    __slots__ = ("_circles",)

    def __init__(self) -> None:
        self._circles: dict[int, _Circle] = {}

    def after(self, key: int, among: Sequence[EndpointState]) -> Iterator[EndpointState]:
        """Each of `among` once, beginning with the owner of `key`. The same list again costs nothing."""
        circle = self._circles.get(id(among))
        if circle is None or circle.among is not among:
            circle = self._lay_out(among)
        owners = circle.owners
        start = bisect_right(circle.points, key)
        seen: set[str] = set()
        for step in range(len(owners)):
            owner = owners[(start + step) % len(owners)]
            if owner.facts.pod not in seen:
                seen.add(owner.facts.pod)
                yield owner

    def _lay_out(self, among: Sequence[EndpointState]) -> _Circle:
        placed = [(point(f"{one.facts.pod}/{number}".encode()), one) for one in among for number in range(POINTS)]
        placed.sort(key=lambda pair: pair[0])
        if len(self._circles) >= CIRCLES:
            self._circles.clear()
        made = _Circle(among, [place for place, _ in placed], [owner for _, owner in placed])
        self._circles[id(among)] = made
        return made
