"""Does the gateway hold its numbers? Against nginx, vllm-router, sglang-router and LiteLLM, in turn on the same core.

CHECK=1 exits 1 when a goal is missed; QUICK=1 runs small sizes, and writes no result; ONLY="cost stream" runs these
parts alone, and writes none either; SEED chooses keys and arrivals. A run that a busy machine or a busy generator has
spoilt says so and exits 3.
"""

import os
import resource
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime

import interpreter
from gateway_calls import cost_of_a_call
from gateway_costs import QUICK, Sizes, bytes_of_tensors, cost_of_a_request, cost_of_an_event, requests_per_core
from gateway_decisions import decision_in_process
from gateway_delays import added_latency, among_slow_callers, told_by_time
from gateway_memory import idle_and_stuck, memory_of_a_worker
from gateway_stage import BUSIEST, InvalidRunError, Stage, stage
from gateway_stores import calls_of_the_stores, cost_of_workers
from pinned_process import pin_self
from result_file import Result, print_table, write_results

INVALID = 3
OPEN_FILES = 20_000
STAGE_KEYS = 100
Part = Callable[[Stage, Sizes], list[Result]]
PARTS: dict[str, Part] = {
    "cost": cost_of_a_request,
    "throughput": requests_per_core,
    "stream": cost_of_an_event,
    "tensors": bytes_of_tensors,
    "grpc": cost_of_a_call,
    "latency": added_latency,
    "timing": told_by_time,
    "slow": among_slow_callers,
    "idle": idle_and_stuck,
}
"""Each on a stage of its own: what one leaves behind does not change the next."""
ALONE: dict[str, Callable[[Sizes, int], list[Result]]] = {
    "memory": memory_of_a_worker,
    "decision": decision_in_process,
    "stores": calls_of_the_stores,
    "workers": cost_of_workers,
}


class Run:
    """What was found, and against whom."""

    def __init__(self, sizes: Sizes, seed: int) -> None:
        self.sizes = sizes
        self.seed = seed
        self.results: list[Result] = []
        self.versions: dict[str, str] = {}
        self.shares: list[float] = []

    def part(self, name: str, part: Part) -> None:
        """One part on a stage of its own."""
        with stage(STAGE_KEYS, self.seed) as running:
            found = part(running, self.sizes)
            for peer in running.peers:
                self.versions[peer.name] = f"{peer.version} ({peer.flags})"
            self.shares += running.shares
        self._tell(name, found)

    def alone(self, name: str) -> None:
        """One part that makes its stages itself."""
        self._tell(name, ALONE[name](self.sizes, self.seed))

    def _tell(self, name: str, found: list[Result]) -> None:
        print_table(found)
        self.results += found
        print(f"{name}: done at {time.strftime('%H:%M:%S', time.gmtime())}", file=sys.stderr, flush=True)


def measure(sizes: Sizes, seed: int, only: set[str]) -> Run:
    """Every part, one after another; each is printed when it is known."""
    run = Run(sizes, seed)
    for name, part in PARTS.items():
        if not only or name in only:
            run.part(name, part)
    for name in ALONE:
        if not only or name in only:
            run.alone(name)
    if run.shares:
        run.results.append(
            Result("busiest generator and engine, of a core", round(max(run.shares), 3), "ratio", BUSIEST)
        )
    return run


def main() -> int:
    """Run, print, write; exit code."""
    started_at = datetime.now(UTC)
    seed, only = int(os.environ.get("SEED", "20260101")), set(os.environ.get("ONLY", "").split())
    unknown = only - PARTS.keys() - ALONE.keys()
    if unknown:
        print(
            f"ONLY: {', '.join(sorted(unknown))} is no part; there are {', '.join((*PARTS, *ALONE))}", file=sys.stderr
        )
        return 2
    quick = os.environ.get("QUICK") == "1"
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(OPEN_FILES, hard), hard))
    pin_self()
    try:
        run = measure(QUICK if quick else Sizes(), seed, only)
    except InvalidRunError as error:
        print(f"the run is invalid: {error}", file=sys.stderr)
        return INVALID
    for peer, version in run.versions.items():
        print(f"{peer} {version}")
    if not quick and not only:
        packages = ["mizzen-gateway", "uvloop", "httptools", "orjson", "aiohttp", "grpcio", "asyncpg"]
        versions = {**run.versions, "python of the gateway and LiteLLM": interpreter.version()}
        path = write_results(
            "gateway", run.results, seed=seed, started_at=started_at, packages=packages, peers=versions
        )
        print(f"written to {path}")
    missed = [result.name for result in run.results if not result.holds]
    return 1 if missed and os.environ.get("CHECK") == "1" else 0


if __name__ == "__main__":
    sys.exit(main())
