"""One deployment as a target of requests: its endpoints, its parked requests, its retry budget."""

import asyncio
from collections import Counter
from collections.abc import Iterable
from typing import Final

from mizzen_gateway.overload.gate import Gate
from mizzen_gateway.overload.rules import OverloadRules
from mizzen_gateway.routing.affinity import Ask, PrefixAffinity, SessionAffinity
from mizzen_gateway.routing.choice import LeastLoad, RevisionWheel, least_loaded
from mizzen_gateway.routing.deployment import DeploymentFacts, EndpointSetFacts
from mizzen_gateway.routing.endpoint import EndpointState
from mizzen_gateway.routing.first_bytes import FirstBytes
from mizzen_gateway.routing.load import LoadBook
from mizzen_gateway.routing.parking import ParkingLine
from mizzen_gateway.stages import Refusal

Address = tuple[str, int]
RETRY_BURST = 100.0
RETRY_SHARE = 0.2
"""Of all requests, so many may be repeated in the long run; a burst (a replica that dies) is covered by RETRY_BURST."""
DEFAULT_RETRY_AFTER = 10
NO_PODS: Final[frozenset[str]] = frozenset()
Affinity = PrefixAffinity | SessionAffinity
AFFINITIES: Final[dict[str, type[Affinity]]] = {"PrefixAffinity": PrefixAffinity, "SessionAffinity": SessionAffinity}


class Target:
    """State that outlives single changes of the objects behind it."""

    def __init__(self, facts: DeploymentFacts, book: LoadBook, overload: OverloadRules | None = None) -> None:
        self.facts = facts
        self._overload = overload or OverloadRules()
        self.gates: dict[str, Gate] = {}
        """By revision: who may ask its replicas, and who waits until then."""
        self.endpoint_set = EndpointSetFacts(facts.key, "OpenAI", "", "")
        self.book = book
        self._states: dict[str, EndpointState] = {}
        self._ready: dict[str, list[EndpointState]] = {}
        """Endpoints by revision that are ready and do not go, ejected or not."""
        self._weights: dict[str, int] = {}
        """Traffic of those revisions."""
        self._wheel = RevisionWheel()
        self._least = LeastLoad()
        self.affinity: Affinity | None = None
        """What wants to know more of a request than that it came; None for LeastLoad."""
        self._choose_policy()
        book.endpoints[facts.key] = self.endpoints
        self._shed = Counter[tuple[int, str]]()
        book.gates[facts.key] = self.gates
        book.shed[facts.key] = self._shed
        self._parked = ParkingLine()
        self._retries = RETRY_BURST
        self.metadata: dict[str, object] = {}
        """What protocols learnt from the engine, by revision; entries of gone revisions are dropped."""
        self.templates: dict[str, int] = {}
        """Tokens that chat templates put around a conversation, by revision, as measured; kept while nothing runs."""
        self._first_bytes: dict[str, FirstBytes] = {}
        """By revision, likewise."""

    @property
    def name(self) -> str:
        """Served name."""
        return self.facts.names[0]

    def take(self, facts: DeploymentFacts) -> None:
        """Take newer facts; parked requests look again."""
        changed = facts.policy != self.facts.policy
        self.facts = facts
        if changed:
            self._choose_policy()
        self.wake()

    def _choose_policy(self) -> None:
        made = AFFINITIES.get(self.facts.policy)
        self.affinity = made() if made is not None else None

    def endpoints(self) -> Iterable[EndpointState]:
        """Every endpoint, ready or not."""
        return self._states.values()

    def update_endpoints(self, endpoint_set: EndpointSetFacts) -> set[Address]:
        """Take a newer endpoint set; parked requests look again. Gives the addresses that get no more requests."""
        self.endpoint_set = endpoint_set
        known = self._states
        others_serve = any(self._ready.values())
        before = set(addresses_of(known.values()))
        self._states = {}
        for facts in endpoint_set.endpoints:
            state = known.get(facts.pod)
            if state is None:
                state = EndpointState(facts, new=others_serve)
            else:
                state.update(facts, new=others_serve)
            self._states[facts.pod] = state
        revisions = {facts.revision for facts in endpoint_set.endpoints}
        self.metadata = {revision: held for revision, held in self.metadata.items() if revision in revisions}
        if revisions:
            self.templates = {revision: held for revision, held in self.templates.items() if revision in revisions}
        self._first_bytes = {revision: held for revision, held in self._first_bytes.items() if revision in revisions}
        self._sort_ready()
        self.wake()
        return before.difference(addresses_of(one for one in self._states.values() if not one.facts.terminating))

    def _sort_ready(self) -> None:
        self._ready = {}
        for state in self._states.values():
            if state.facts.ready and not state.facts.terminating:
                self._ready.setdefault(state.facts.revision, []).append(state)
        self._weights = {
            revision: percent
            for revision, percent in self.endpoint_set.traffic
            if percent > 0 and revision in self._ready
        }
        self._open_gates()

    def _open_gates(self) -> None:
        gates, ready = self.gates, self._ready
        for revision, states in ready.items():
            gate = gates.get(revision)
            if gate is None:
                gate = gates[revision] = Gate(self._overload, self._shed)
            for state in states:
                state.gate = gate
            gate.serve(states)
        for revision in [one for one in gates if one not in ready]:
            gates[revision].serve(())
            if not gates[revision].in_flight:
                del gates[revision]

    def wake(self) -> None:
        """Something changed: parked requests look again, in the order in which they came."""
        self._parked.wake()

    @property
    def any_ready(self) -> bool:
        """Some endpoint takes requests, ejected or not."""
        return bool(self._ready)

    def takes_requests(self, now: float) -> bool:
        """Some endpoint takes requests now."""
        return any(state.takes_requests(now) for state in self._states.values())

    def choose(self, now: float, tried: frozenset[str] = NO_PODS, ask: Ask | None = None) -> EndpointState | None:
        """The endpoint for a request; pods of `tried` only where there is no other."""
        ready = self._ready
        if not ready:
            return None
        # Without traffic for any revision that is there, a ready endpoint is still better than a refusal.
        revision = self._wheel.turn(self._weights or dict.fromkeys(ready, 1)) if len(ready) > 1 else next(iter(ready))
        if not tried:
            among, affinity = ready[revision], self.affinity
            chosen = self._least.pick(among, now) if affinity is None else affinity.pick(among, now, ask)
            if chosen.ejected_until <= now:
                return chosen
        if ask is not None:
            ask.known_bytes = 0
        return self._choose_among_few(revision, now, tried)

    def choose_again(
        self, before: EndpointState, gate: Gate, tried: frozenset[str], ask: Ask | None, now: float
    ) -> EndpointState | None:
        """The endpoint for a request that has waited at a gate; None where none of that revision takes it now."""
        able = [one for states in self._ready.values() for one in states if one.gate is gate]
        able = [one for one in able if one.ejected_until <= now]
        if before in able and (ask is not None or self.facts.picker):
            return before  # chosen for what the request is, and that has not changed
        fresh = [one for one in able if one.facts.pod not in tried] or able
        return least_loaded(fresh, now) if fresh else None

    def choices(self, now: float, tried: frozenset[str] = NO_PODS) -> list[EndpointState]:
        """Whom somebody else may choose from: one revision's endpoints that take requests, by its share of traffic."""
        ready = self._ready
        if not ready:
            return []
        revision = self._wheel.turn(self._weights or dict.fromkeys(ready, 1)) if len(ready) > 1 else next(iter(ready))
        able = [state for state in ready[revision] if state.ejected_until <= now]
        return [state for state in able if state.facts.pod not in tried] or able

    def _choose_among_few(self, revision: str, now: float, tried: frozenset[str]) -> EndpointState | None:
        """Where some endpoints are ejected or have failed the request: the least loaded of those that are left."""
        able = [state for states in self._ready.values() for state in states if state.ejected_until <= now]
        fresh = [state for state in able if state.facts.pod not in tried] or able
        mine = [state for state in fresh if state.facts.revision == revision]
        with_traffic = [state for state in fresh if state.facts.revision in self._weights]
        return least_loaded(mine or with_traffic or fresh, now) if fresh else None

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

    def answered_500(self, endpoint: EndpointState, project: str, now: float) -> None:
        """An endpoint did; where others do so to the same project, its requests may be the cause."""
        others_too = any(project in one.failing for one in self._states.values() if one is not endpoint)
        endpoint.answered_500(project, now, others_too=others_too)

    def note_request(self) -> None:
        """A request came: the retry budget grows."""
        self._retries = min(self._retries + RETRY_SHARE, RETRY_BURST)

    def may_retry(self) -> bool:
        """Take one retry from the budget, if it holds one."""
        if self._retries < 1.0:
            return False
        self._retries -= 1.0
        return True

    def may_hedge(self) -> bool:
        """Take one try from the same budget, as long as more than half of it is left for retries."""
        return self._retries > RETRY_BURST / 2 and self.may_retry()

    def beside(self, endpoint: EndpointState, now: float) -> EndpointState | None:
        """Another endpoint of its revision that has no more to do than they have on average; None for none."""
        able = [one for one in self._ready.get(endpoint.facts.revision, ()) if one.ejected_until <= now]
        others = [one for one in able if one is not endpoint]
        if not others:
            return None
        found = least_loaded(others, now)
        return found if found.cost(now) * len(able) <= sum(one.cost(now) for one in able) else None

    def first_bytes(self, revision: str) -> FirstBytes:
        """When its answers begin."""
        found = self._first_bytes.get(revision)
        if found is None:
            found = self._first_bytes[revision] = FirstBytes()
        return found

    @property
    def parked(self) -> int:
        """Requests that wait for an endpoint."""
        return len(self._parked)

    @property
    def queue_full(self) -> bool:
        """No more requests may wait."""
        return len(self._parked) >= self.facts.park_limit

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
        return None

    async def park(self, until: float, project: str = "") -> Refusal | None:
        """Wait until an endpoint may take the project's request, or until loop time `until`: then a refusal."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        why = self.why_not_parked()
        if why is None and now >= until:
            why = _waited_in_vain(self.facts)
        if why is not None:
            return self.not_ready(why)
        parked = self._parked.join(project, self.facts.park_limit)
        if parked is None:
            return self._queue_full()
        counter = self.book.count(self.facts.key, "")
        counter.parked += 1
        self.book.parked.set()
        soonest = self.soonest_return(now)
        seconds = min(until - now, soonest if soonest is not None else until - now)
        timer = loop.call_later(seconds, parked.go, True)
        try:
            looks_again = await parked.turn
        finally:
            timer.cancel()
            counter.parked -= 1
            self._parked.leave(parked)
        return None if looks_again else self._queue_full()

    def _queue_full(self) -> Refusal:
        limit = self.facts.park_limit
        if self.facts.of_a_file:
            return self.not_ready(f"no upstream can be reached and {limit} requests wait already (its queue)")
        return self.not_ready(f"no replica is ready and the queue is full (coldStart.queueLimit {limit})")


def _waited_in_vain(facts: DeploymentFacts) -> str:
    """In the words of whoever may change how long a request waits."""
    if facts.of_a_file:
        return f"no upstream could be reached within {facts.park_seconds:g} s (its wait_seconds)"
    return f"no replica became ready within {facts.park_seconds:g} s (coldStart.holdSeconds)"


def addresses_of(states: Iterable[EndpointState]) -> Iterable[Address]:
    """Where they are asked, by HTTP and by gRPC."""
    for state in states:
        yield state.address
        if state.grpc_address is not None:
            yield state.grpc_address
