"""One deployment as a target of requests: its endpoints, its parked requests, its retry budget."""

import asyncio
from collections import deque
from itertools import count

from mizzen_gateway.routing.choice import RevisionWheel, least_loaded
from mizzen_gateway.routing.deployment import DeploymentFacts, EndpointSetFacts
from mizzen_gateway.routing.endpoint import EndpointState
from mizzen_gateway.routing.load import LoadBook
from mizzen_gateway.stages import Refusal

Address = tuple[str, int]
RETRY_BURST = 100.0
RETRY_SHARE = 0.2
"""Of all requests, so many may be repeated in the long run; a burst (a replica that dies) is covered by RETRY_BURST."""
DEFAULT_RETRY_AFTER = 10


class Target:
    """State that outlives single changes of the objects behind it."""

    def __init__(self, facts: DeploymentFacts, book: LoadBook) -> None:
        self.facts = facts
        self.endpoint_set = EndpointSetFacts(facts.key, "OpenAI", "", "")
        self.book = book
        self._states: dict[str, EndpointState] = {}
        self._wheel = RevisionWheel()
        self._turn = count()
        self._parked: deque[asyncio.Future[None]] = deque()
        self._retries = RETRY_BURST
        self.metadata: dict[str, object] = {}
        """What protocols learnt from the engine, by revision; entries of gone revisions are dropped."""

    @property
    def name(self) -> str:
        """Served name."""
        return self.facts.names[0]

    def update_endpoints(self, endpoint_set: EndpointSetFacts) -> set[Address]:
        """Take a newer endpoint set; parked requests look again. Gives the addresses that get no more requests."""
        self.endpoint_set = endpoint_set
        known = self._states
        before = {state.address for state in known.values()}
        self._states = {}
        for facts in endpoint_set.endpoints:
            state = known.get(facts.pod)
            if state is None:
                state = EndpointState(facts)
            else:
                state.update(facts)
            self._states[facts.pod] = state
        revisions = {facts.revision for facts in endpoint_set.endpoints}
        self.metadata = {revision: held for revision, held in self.metadata.items() if revision in revisions}
        self.wake()
        return before - {state.address for state in self._states.values() if not state.facts.terminating}

    def wake(self) -> None:
        """Something changed: parked requests look again, in the order in which they came."""
        while self._parked:
            waiter = self._parked.popleft()
            if not waiter.done():
                waiter.set_result(None)

    @property
    def any_ready(self) -> bool:
        """Some endpoint takes requests, ejected or not."""
        return any(state.facts.ready and not state.facts.terminating for state in self._states.values())

    def takes_requests(self, now: float) -> bool:
        """Some endpoint takes requests now."""
        return any(state.takes_requests(now) for state in self._states.values())

    def choose(self, now: float, tried: frozenset[str] = frozenset()) -> EndpointState | None:
        """The endpoint for a request; pods of `tried` only where there is no other."""
        by_revision: dict[str, list[EndpointState]] = {}
        for state in self._states.values():
            if state.takes_requests(now):
                by_revision.setdefault(state.facts.revision, []).append(state)
        if not by_revision:
            return None
        weights = {
            revision: percent
            for revision, percent in self.endpoint_set.traffic
            if percent > 0 and revision in by_revision
        }
        # Without traffic for any revision that is there, a ready endpoint is still better than a refusal.
        revision = self._wheel.turn(weights) if weights else next(iter(by_revision))
        candidates = by_revision[revision]
        if tried:
            fresh = [state for states in by_revision.values() for state in states if state.facts.pod not in tried]
            candidates = [state for state in candidates if state.facts.pod not in tried] or fresh or candidates
        return least_loaded(candidates, next(self._turn))

    def one_of_each_revision(self, now: float) -> list[EndpointState]:
        """An endpoint of each revision that takes requests now; leaves the shares of traffic as they are."""
        found: dict[str, EndpointState] = {}
        for state in self._states.values():
            if state.takes_requests(now):
                found.setdefault(state.facts.revision, state)
        return list(found.values())

    def soonest_return(self, now: float) -> float | None:
        """Seconds until an ejected endpoint is tried again; None where none waits."""
        ends = [
            state.ejected_until
            for state in self._states.values()
            if state.facts.ready and not state.facts.terminating and state.ejected_until > now
        ]
        return min(ends) - now if ends else None

    def note_request(self) -> None:
        """A request came: the retry budget grows."""
        self._retries = min(self._retries + RETRY_SHARE, RETRY_BURST)

    def may_retry(self) -> bool:
        """Take one retry from the budget, if it holds one."""
        if self._retries < 1.0:
            return False
        self._retries -= 1.0
        return True

    @property
    def parked(self) -> int:
        """Requests that wait for an endpoint."""
        return len(self._parked)

    def not_ready(self, why: str) -> Refusal:
        """503 model_not_ready."""
        seconds = max(1, round(self.facts.start_seconds or DEFAULT_RETRY_AFTER))
        return Refusal(
            503,
            "model_not_ready",
            f"Model '{self.name}': {why}; try again in {seconds} s.",
            (("retry-after", str(seconds)),),
        )

    def why_not_parked(self) -> str | None:
        """Why waiting would not help or is not allowed; None where it is."""
        facts = self.facts
        if not facts.running:
            return "stopped on purpose (spec.lifecycle.state is Stopped)"
        if facts.stalled:
            return "its deployment has failed and needs a change of its spec"
        if facts.replicas_wanted == 0 and not facts.wakes:
            return "scaled to zero replicas (spec.replicas is 0)"
        if self.parked >= facts.park_limit:
            return f"no replica is ready and the queue is full (coldStart.queueLimit {facts.park_limit})"
        return None

    async def park(self, until: float) -> Refusal | None:
        """Wait until an endpoint may take the request, or until loop time `until`: then a refusal."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        why = self.why_not_parked()
        if why is None and now >= until:
            why = f"no replica became ready within {self.facts.park_seconds:g} s (coldStart.holdSeconds)"
        if why is not None:
            return self.not_ready(why)
        waiter = loop.create_future()
        self._parked.append(waiter)
        counter = self.book.count(self.facts.key, "")
        counter.parked += 1
        self.book.parked.set()
        soonest = self.soonest_return(now)
        seconds = min(until - now, soonest if soonest is not None else until - now)
        timer = loop.call_later(seconds, _let_go, waiter)
        try:
            await waiter
        finally:
            timer.cancel()
            counter.parked -= 1
            if waiter in self._parked:
                self._parked.remove(waiter)
        return None


def _let_go(waiter: "asyncio.Future[None]") -> None:
    if not waiter.done():
        waiter.set_result(None)
