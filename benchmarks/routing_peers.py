"""Which endpoint would other gateways choose? Their published ideas, written anew over one interface.

The programs themselves cannot run on simulated time. vllm-router 0.1.17: `cache_aware` (its default) with its default
thresholds, and `power_of_two`. KubeAI: `LeastLoad`, and `PrefixHash` (consistent hashing with bounded loads over the
beginning of the first user message, mean load factor 125 %). What they know of a request is what ours knows.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from random import Random
from typing import Protocol

from routing_trace import Arrival

CACHE_THRESHOLD = 0.3
BALANCE_ABSOLUTE = 64
BALANCE_RELATIVE = 1.5
TREE_BLOCKS = 33_554_432 // 256
"""Characters of text that vllm-router keeps for each worker, in blocks."""
REPLICATION = 256
LOAD_FACTOR = 1.25


@dataclass
class Worker:
    """What a router knows of an engine."""

    name: str
    load: int = 0
    tree: dict[int, None] = field(default_factory=dict)

    def matched(self, blocks: Sequence[int]) -> int:
        """Blocks of the beginning that it is taken to hold."""
        for place, block in enumerate(blocks):
            if block not in self.tree:
                return place
        return len(blocks)


class Peer(Protocol):
    """A policy."""

    def pick(self, workers: list[Worker], arrival: Arrival) -> int:
        """Number of the worker."""
        ...


class AtRandom:
    """Any."""

    def __init__(self, chance: Random) -> None:
        self._chance = chance

    def pick(self, workers: list[Worker], arrival: Arrival) -> int:  # noqa: ARG002  # as all
        """Any."""
        return self._chance.randrange(len(workers))


class RoundRobin:
    """One after the other."""

    def __init__(self, chance: Random) -> None:  # noqa: ARG002  # as all
        self._turn = -1

    def pick(self, workers: list[Worker], arrival: Arrival) -> int:  # noqa: ARG002  # as all
        """The next."""
        self._turn += 1
        return self._turn % len(workers)


class PowerOfTwo:
    """vllm-router: of two by chance the one with fewer requests."""

    def __init__(self, chance: Random) -> None:
        self._chance = chance

    def pick(self, workers: list[Worker], arrival: Arrival) -> int:  # noqa: ARG002  # as all
        """The lesser."""
        first, second = self._chance.sample(range(len(workers)), 2)
        return first if workers[first].load <= workers[second].load else second


class CacheAware:
    """vllm-router: the longest match if it is long enough, else the smallest tree; the shortest queue if unbalanced."""

    def __init__(self, chance: Random) -> None:
        self._chance = chance

    def pick(self, workers: list[Worker], arrival: Arrival) -> int:
        """By tree or by load."""
        loads = [worker.load for worker in workers]
        if max(loads) - min(loads) > BALANCE_ABSOLUTE and max(loads) > min(loads) * BALANCE_RELATIVE:
            chosen = loads.index(min(loads))
        else:
            matches = [worker.matched(arrival.blocks) for worker in workers]
            best = max(range(len(workers)), key=matches.__getitem__)
            if matches[best] > CACHE_THRESHOLD * len(arrival.blocks):
                chosen = best
            else:
                chosen = min(range(len(workers)), key=lambda number: len(workers[number].tree))
        self._insert(workers[chosen].tree, arrival.blocks)
        return chosen

    def _insert(self, tree: dict[int, None], blocks: Sequence[int]) -> None:
        for block in reversed(blocks):
            tree.pop(block, None)
            tree[block] = None
        while len(tree) > TREE_BLOCKS:
            del tree[next(iter(tree))]


class LeastRequests:
    """KubeAI LeastLoad: the fewest requests of all."""

    def __init__(self, chance: Random) -> None:
        self._chance = chance

    def pick(self, workers: list[Worker], arrival: Arrival) -> int:  # noqa: ARG002  # as all
        """The least."""
        least = min(worker.load for worker in workers)
        return self._chance.choice([number for number, worker in enumerate(workers) if worker.load == least])


class PrefixHash:
    """KubeAI PrefixHash: the first on the ring whose load would stay within 125 % of the mean."""

    def __init__(self, chance: Random) -> None:  # noqa: ARG002  # as all
        self._points: list[tuple[int, int]] = []

    def pick(self, workers: list[Worker], arrival: Arrival) -> int:
        """By the beginning of the session."""
        if not self._points:
            self._points = sorted(
                (_place(f"{worker.name}{turn}"), number)
                for number, worker in enumerate(workers)
                for turn in range(REPLICATION)
            )
        bound = LOAD_FACTOR * (sum(worker.load for worker in workers) + 1) / len(workers)
        start = bisect_right(self._points, (_place(str(arrival.session)), len(workers)))
        for step in range(len(self._points)):
            number = self._points[(start + step) % len(self._points)][1]
            if workers[number].load <= bound:
                return number
        return 0


def _place(text: str) -> int:
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest())


PEERS: dict[str, type] = {
    "random": AtRandom,
    "round-robin": RoundRobin,
    "vllm-router cache_aware": CacheAware,
    "vllm-router power_of_two": PowerOfTwo,
    "KubeAI LeastLoad": LeastRequests,
    "KubeAI PrefixHash": PrefixHash,
}
