"""How well do requests fall to engines? Ours against other gateways' policies, over eight simulated engines.

Prompts' lengths and arrival times are recorded, faster than they were, and their prefixes made up (`routing_trace.py`);
engines are simulated (`routing_engine.py`); our policies are the gateway's own code, the others' are written anew
(`routing_peers.py`). Three rounds with other prefixes, all policies in each. CHECK=1 exits 1 when a goal is missed.
"""

import heapq
import os
import random
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count

from mizzen_gateway.routing.affinity import Ask
from mizzen_gateway.routing.deployment import DeploymentFacts, EndpointFacts, EndpointSetFacts
from mizzen_gateway.routing.endpoint import EndpointState
from mizzen_gateway.routing.load import LoadBook
from mizzen_gateway.routing.ring import point
from mizzen_gateway.routing.target import Target
from result_file import Result, median_of, print_table, write_results
from routing_engine import Engine, Request
from routing_peers import PEERS, Peer, Worker
from routing_trace import TOKENS_A_BLOCK, Arrival, arrivals, recorded, trace_file

ENGINES = 8
ROUNDS = 3
SPEED = 18.0
"""The trace runs so many times as fast: without a cache eight engines are busy half of the time and late in bursts."""
GOOD_TTFT = 0.5
"""Seconds to the first token within which a request counts for goodput."""
BYTES_A_TOKEN = 4
KEY = ("default", "m")
Begin = Callable[[], None]


@dataclass
class Measured:
    """What one policy did with one trace."""

    hit_rate: float
    ttft_p50: float
    ttft_p99: float
    goodput: float


class Clock:
    """Simulated time."""

    def __init__(self) -> None:
        self._events: list[tuple[float, int, Callable[[float], None]]] = []
        self._order = count()

    def at(self, when: float, act: Callable[[float], None]) -> None:
        """Call `act` then."""
        heapq.heappush(self._events, (when, next(self._order), act))

    def run(self) -> None:
        """Until nothing is left."""
        while self._events:
            when, _, act = heapq.heappop(self._events)
            act(when)


class Ours:
    """Gateways of ours that know nothing of each other; requests come by them in turn."""

    def __init__(self, policy: str, gateways: int) -> None:
        facts = DeploymentFacts(KEY, names=("m",), policy=policy)
        pods = tuple(EndpointFacts(f"p{number}", "r1", "127.0.0.1", number, True) for number in range(ENGINES))
        self._targets = [Target(facts, LoadBook()) for _ in range(gateways)]
        for target in self._targets:
            target.update_endpoints(EndpointSetFacts(KEY, "OpenAI", "Simulated", "m", pods, (("r1", 100),)))
        self._turn = 0

    def send(self, arrival: Arrival, now: float) -> tuple[int, Begin, Begin]:
        """Engine's number, and what to call when it begins to answer and when it has ended."""
        self._turn += 1
        target = self._targets[self._turn % len(self._targets)]
        ask = Ask(point(str(arrival.session).encode()), arrival.blocks) if target.affinity is not None else None
        endpoint = target.choose(now, ask=ask)
        assert endpoint is not None
        known = ask.known_bytes if ask is not None else 0
        unread = max(0, arrival.prompt_tokens * BYTES_A_TOKEN - known)
        endpoint.in_flight += 1
        endpoint.prompt_bytes += unread
        return endpoint.facts.port, lambda: _read(endpoint, unread), lambda: _ended(endpoint)


def _read(endpoint: EndpointState, unread: int) -> None:
    endpoint.prompt_bytes -= unread


def _ended(endpoint: EndpointState) -> None:
    endpoint.in_flight -= 1


class Others:
    """One gateway of another kind."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer
        self._workers = [Worker(f"w{number}") for number in range(ENGINES)]

    def send(self, arrival: Arrival, now: float) -> tuple[int, Begin, Begin]:  # noqa: ARG002  # as ours
        """As ours."""
        number = self._peer.pick(self._workers, arrival)
        worker = self._workers[number]
        worker.load += 1

        def ended() -> None:
            worker.load -= 1

        return number, lambda: None, ended


@dataclass
class Run:
    """One policy over one trace."""

    router: Ours | Others
    clock: Clock = field(default_factory=Clock)
    done: list[Request] = field(default_factory=list)

    def measure(self, trace: Sequence[Arrival]) -> Measured:
        """All requests, to the end of the last."""
        engines = [Engine(self.clock.at) for _ in range(ENGINES)]
        for arrival in trace:
            self.clock.at(arrival.at, lambda now, arrival=arrival: self._send(arrival, engines, now))  # type: ignore[misc]  # a default binds it
        self.clock.run()
        assert len(self.done) == len(trace), "a request was lost"
        prompts = sum(one.arrival.prompt_tokens for one in self.done)
        known = sum(one.known_blocks for one in self.done) * TOKENS_A_BLOCK
        waits = sorted(one.first_token_at - one.arrival.at for one in self.done)
        seconds = max(one.ended_at for one in self.done)
        good = sum(wait <= GOOD_TTFT for wait in waits)
        return Measured(known / prompts, _share(waits, 0.5), _share(waits, 0.99), good / seconds)

    def _send(self, arrival: Arrival, engines: list[Engine], now: float) -> None:
        number, began, ended = self.router.send(arrival, now)

        def over(request: Request) -> None:
            self.done.append(request)
            ended()

        engines[number].take(Request(arrival, lambda _: began(), over), now)


def _share(ordered: list[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def routers(chance: random.Random) -> dict[str, Ours | Others]:
    """A fresh one of each."""
    ours = {
        "LeastLoad": Ours("LeastLoad", 1),
        "PrefixAffinity": Ours("PrefixAffinity", 1),
        "PrefixAffinity, 2 gateways": Ours("PrefixAffinity", 2),
    }
    return {**ours, **{name: Others(made(chance)) for name, made in PEERS.items()}}


def microseconds_of_a_choice(policy: str, trace: Sequence[Arrival]) -> float:
    """CPU of one choice among eight endpoints, without reading the request."""
    router = Ours(policy, 1)
    target = router._targets[0]  # the choice alone, not its bookkeeping
    asks = [Ask(point(str(one.session).encode()), one.blocks) for one in trace[:5000]]
    began = time.process_time()
    for ask in asks:
        target.choose(0.0, ask=ask)
    return (time.process_time() - began) / len(asks) * 1e6


def results_of(found: dict[str, list[Measured]], choices: dict[str, list[float]]) -> list[Result]:
    """What is reported; the goals are against the best of the others."""
    results: list[Result] = []
    for name, rounds in found.items():
        peer = name if name in PEERS else None
        results += [
            median_of(f"cache hit rate, {name}", [one.hit_rate for one in rounds], "share", peer=peer),
            median_of(f"TTFT p50, {name}", [one.ttft_p50 for one in rounds], "s", peer=peer),
            median_of(f"TTFT p99, {name}", [one.ttft_p99 for one in rounds], "s", peer=peer),
            median_of(f"goodput, {name}", [one.goodput for one in rounds], "1/s", peer=peer),
        ]
    for ours, label in (("PrefixAffinity", ""), ("PrefixAffinity, 2 gateways", ", 2 gateways")):
        goodput = [one.goodput / best for one, best in zip(found[ours], _best(found, max, "goodput"), strict=True)]
        ttft = [one.ttft_p99 / best for one, best in zip(found[ours], _best(found, min, "ttft_p99"), strict=True)]
        results.append(
            median_of(f"goodput / best of others{label}", goodput, "ratio", goal=1.0, comparison=">=", peer="best")
        )
        results.append(median_of(f"TTFT p99 / best of others{label}", ttft, "ratio", peer="best"))
    for policy, samples in choices.items():
        results.append(median_of(f"CPU of a choice, {policy}", samples, "us"))
    return results


def _best(found: dict[str, list[Measured]], which: Callable[[list[float]], float], field_name: str) -> list[float]:
    peers = [rounds for name, rounds in found.items() if name in PEERS]
    return [which([getattr(rounds[turn], field_name) for rounds in peers]) for turn in range(len(peers[0]))]


def main() -> int:
    """Run, print, write; exit code."""
    started_at = datetime.now(UTC)
    seed = int(os.environ.get("SEED", "20260101"))
    rounds = int(os.environ.get("ROUNDS", str(ROUNDS)))
    speed = float(os.environ.get("SPEED", str(SPEED)))
    file = trace_file()
    print("trace:", file.name if file is not None else "SYNTHETIC, the recorded one is not there", "x", speed)
    rows = recorded(file, random.Random(seed))
    found: dict[str, list[Measured]] = {}
    choices: dict[str, list[float]] = {}
    for turn in range(rounds):
        chance = random.Random(seed + turn)
        trace = list(arrivals(rows, speed, chance))
        for name, router in routers(chance).items():
            found.setdefault(name, []).append(Run(router).measure(trace))
        for policy in ("LeastLoad", "PrefixAffinity"):
            choices.setdefault(policy, []).append(microseconds_of_a_choice(policy, trace))
    results = results_of(found, choices)
    label = Result("requests of the recorded trace (0: a synthetic one)", len(rows) if file is not None else 0, "count")
    results += [label, Result("times as fast as recorded", speed, "ratio")]
    path = write_results("routing", results, seed=seed, started_at=started_at, packages=["mizzen-gateway"])
    print_table(results)
    print(f"written to {path}; rounds {statistics.fmean([rounds]):g}, seed {seed}")
    missed = [result.name for result in results if not result.holds]
    return 1 if missed and os.environ.get("CHECK") == "1" else 0


if __name__ == "__main__":
    sys.exit(main())
