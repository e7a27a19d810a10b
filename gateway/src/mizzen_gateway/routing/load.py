"""What this gateway saw of each revision, for whoever scales them."""

import asyncio
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass

from mizzen_crds.serving import PodLoad, RevisionLoad

from mizzen_gateway.overload.gate import Gate
from mizzen_gateway.routing.deployment import Key
from mizzen_gateway.routing.endpoint import EndpointState


@dataclass(slots=True)
class RevisionCount:
    """Counters of one revision; they only rise, but for the last two."""

    requests: int = 0
    errors: int = 0
    ttft_ms_sum: float = 0.0
    first_bytes: int = 0
    left: int = 0
    events: int = 0
    """Of streams whose engine told what they used, and below the tokens of these."""
    event_tokens: int = 0
    in_flight: int = 0
    parked: int = 0


class LoadBook:
    """Counters by deployment and revision."""

    def __init__(self) -> None:
        self._counts: dict[tuple[Key, str], RevisionCount] = {}
        self.endpoints: dict[Key, Callable[[], Iterable[EndpointState]]] = {}
        """Who tells the endpoints of a deployment."""
        self.gates: dict[Key, dict[str, Gate]] = {}
        """By deployment and revision: who waits for replicas that have too much to do."""
        self.shed: dict[Key, Counter[tuple[int, str]]] = {}
        """By deployment: requests that were refused then, by priority and reason."""
        self.parked = asyncio.Event()
        """Set when a request parks; whoever sends the load clears it."""

    def count(self, key: Key, revision: str) -> RevisionCount:
        """Counters of a revision; of requests parked before one was chosen for revision ''."""
        found = self._counts.get((key, revision))
        if found is None:
            found = self._counts[(key, revision)] = RevisionCount()
        return found

    def keep(self, key: Key, revisions: Collection[str]) -> None:
        """The deployment has these revisions: those that are gone, and answer nobody any more, are told of no more."""
        for known, count in [one for one in self._counts.items() if one[0][0] == key]:
            if known[1] and known[1] not in revisions and not count.in_flight and not count.parked:
                del self._counts[known]

    def forget(self, key: Key) -> None:
        """The deployment is gone."""
        for known in [one for one in self._counts if one[0] == key]:
            del self._counts[known]
        self.endpoints.pop(key, None)
        self.gates.pop(key, None)
        self.shed.pop(key, None)

    def places(self) -> Iterator[tuple[str, str, str, EndpointState]]:
        """Every endpoint, behind its namespace, deployment and pod."""
        for (namespace, name), told in self.endpoints.items():
            for endpoint in told():
                yield namespace, name, endpoint.facts.pod, endpoint

    def revisions(self) -> Iterator[RevisionLoad]:
        """Load by revision, as it is sent."""
        for ((namespace, name), revision), count in self._counts.items():
            yield RevisionLoad(
                namespace=namespace,
                deployment=name,
                revision=revision,
                requests=count.requests,
                errors=count.errors,
                ttft_ms_sum=count.ttft_ms_sum,
                first_bytes=count.first_bytes,
                left=count.left,
                in_flight=count.in_flight,
                parked=count.parked,
                pods=self._pods((namespace, name), revision),
            )

    def _pods(self, key: Key, revision: str) -> list[PodLoad]:
        told = self.endpoints.get(key)
        return [
            PodLoad(pod=one.facts.pod, in_flight=one.in_flight, prefix_blocks=len(one.prefixes or ()))
            for one in (told() if told is not None else ())
            if one.facts.revision == revision
        ]
