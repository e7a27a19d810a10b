"""Which endpoint suits a request by what came before it? Prompts it has read, or the session it has served.

`PrefixAffinity` and `SessionAffinity` are policies of `spec.routing.policy`; LeastLoad needs none of this.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from mizzen_gateway.routing.choice import LeastLoad, least_loaded
from mizzen_gateway.routing.endpoint import EndpointState
from mizzen_gateway.routing.prefix_index import BLOCK_BYTES, PrefixIndex
from mizzen_gateway.routing.ring import Ring

OVER_MEAN = 2.0
"""An endpoint is saturated from so much above the mean load on ..."""
NEVER_SATURATED = 8.0
"""... but not below this: engines answer so many together about as fast as one."""
WORTH_STAYING = 2
"""One of so many parts of a prompt must be known where it is to follow."""
BLOCKS_A_DEPLOYMENT = 131_072
"""Blocks remembered of all its endpoints together, about 12 MB."""
BLOCKS_AN_ENDPOINT = 16_384
"""And of each: 4 MiB of prompts."""


@dataclass(slots=True)
class Ask:
    """What a policy wants to know of a request. Not frozen: the choice notes what it found."""

    key: int
    """Place on the ring: of the session, or of the beginning of the conversation."""
    blocks: Sequence[int] = ()
    """Hashes of the prompt's blocks."""
    known_bytes: int = 0
    """Bytes of the prompt that the chosen endpoint is taken to have read before."""


def bound(among: Sequence[EndpointState], now: float) -> float:
    """Load from which on an endpoint is saturated, this request counted. Ejected ones are left out."""
    costs = [cost for one in among if (cost := one.cost(now)) != float("inf")]
    return max(OVER_MEAN * (sum(costs) + 1.0) / (len(costs) or 1), NEVER_SATURATED)


class PrefixAffinity:
    """To whom has read the beginning of the prompt, until that one is saturated."""

    __slots__ = ("_least", "_ring")

    def __init__(self) -> None:
        self._ring = Ring()
        self._least = LeastLoad()

    def pick(self, among: Sequence[EndpointState], now: float, ask: Ask | None) -> EndpointState:
        """The one that has read most of it, where that is a good part; else the first on the ring that has room.

        What all prompts begin with is soon known everywhere, and must not draw all of them to one endpoint. The ring
        decides alike in every gateway, so that the turns of a conversation meet though they come by different ones.
        """
        if ask is None or not ask.blocks or len(among) == 1:
            return self._least.pick(among, now)
        limit = bound(among, now)
        chosen = self._reader(among, ask.blocks, now, limit) or self._first_with_room(among, ask.key, now, limit)
        held = chosen.prefixes
        ask.known_bytes = held.depth(ask.blocks) * BLOCK_BYTES if held is not None else 0
        self._remember(chosen, ask, len(among))
        return chosen

    def _reader(
        self, among: Sequence[EndpointState], blocks: Sequence[int], now: float, limit: float
    ) -> EndpointState | None:
        """Who has read most of it and has room; of several the one with the least to do. None for too little."""
        deepest, least, best = 1, limit, None
        for one in among:
            depth = one.prefixes.depth(blocks) if one.prefixes is not None else 0
            if depth < deepest or depth * WORTH_STAYING < len(blocks):
                continue
            cost = one.cost(now)
            if cost < (limit if depth > deepest else least):
                deepest, least, best = depth, cost, one
        return best

    def _first_with_room(self, among: Sequence[EndpointState], key: int, now: float, limit: float) -> EndpointState:
        found = (one for one in self._ring.after(key, among) if one.cost(now) < limit)
        return next(found, None) or least_loaded(among, now)

    def _remember(self, chosen: EndpointState, ask: Ask, count: int) -> None:
        if chosen.prefixes is None:
            chosen.prefixes = PrefixIndex()
        chosen.prefixes.remember(ask.blocks, min(BLOCKS_AN_ENDPOINT, BLOCKS_A_DEPLOYMENT // count))


class SessionAffinity:
    """To the session's own endpoint; to the next on the ring while that one is ejected or saturated."""

    __slots__ = ("_least", "_ring")

    def __init__(self) -> None:
        self._ring = Ring()
        self._least = LeastLoad()

    def pick(self, among: Sequence[EndpointState], now: float, ask: Ask | None) -> EndpointState:
        """Requests without a session go to the least loaded."""
        if ask is None or len(among) == 1:
            return self._least.pick(among, now)
        limit = bound(among, now)
        for one in self._ring.after(ask.key, among):
            if one.cost(now) < limit:
                return one
        return least_loaded(among, now)
