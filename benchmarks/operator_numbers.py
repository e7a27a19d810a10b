"""Does the operator hold its numbers, on a real API server? Against a bare loop of the same writes, and a plain kopf.

CHECK=1 exits 1 when a goal is missed; QUICK=1 runs small sizes, and writes no result; ONLY="creation memory" runs
these parts alone, and puts them into the file of the last whole run; SEED chooses which deployments are changed.
"""

import os
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from operator_latency import latencies
from operator_measures import costs, creation, writes
from operator_memory import memory
from operator_stage import Stage
from result_file import Result, median_of, print_table, replace_results, write_results
from support.cluster.cluster import start
from support.cluster.credentials import User

OPERATOR = "operator"


@dataclass(frozen=True)
class Sizes:
    """How many deployments each part has, and how often it is repeated."""

    created: int = 1000
    compared: int = 300
    changed: int = 200
    remembered: int = 5000
    counted: int = 50
    rounds: int = 3


QUICK = Sizes(created=100, compared=50, changed=30, remembered=200, counted=10, rounds=1)
Part = Callable[[Stage, Sizes, int], list[Result]]


def created_at_once(stage: Stage, sizes: Sizes, _: int) -> list[Result]:
    """Creation against the bare loop, and the restart among what was created."""
    found, count = creation(stage, sizes.created, sizes.rounds), sizes.created
    ratio = [ours / bare for ours, bare in zip(found.operator_seconds, found.bare_seconds, strict=True)]
    loop = "the same writes by the same client"
    return [
        median_of(f"{count} created at once / bare loop", ratio, "ratio", goal=2.0, peer=loop),
        median_of(f"{count} created at once until settled", found.operator_seconds, "s", goal=60.0),
        median_of(f"{count} by the bare loop", found.bare_seconds, "s", peer=loop),
        median_of("passes for each", found.passes_each, "passes"),
        median_of("CPU of the operator for each", found.cpu_ms, "ms"),
        median_of(f"restart with {count} until each was looked at", found.restart_seconds, "s", goal=15.0),
        Result("writes of a restart", max(found.restart_writes), "writes", 0.0, samples=found.restart_writes),
    ]


def compared_with_kopf(stage: Stage, sizes: Sizes, _: int) -> list[Result]:
    """CPU for each deployment, against plain kopf."""
    found = costs(stage, sizes.compared, sizes.rounds)
    ratio = [ours / peer for ours, peer in zip(found.operator_ms, found.kopf_ms, strict=True)]
    return [
        median_of("CPU for a deployment, operator / kopf", ratio, "ratio", goal=0.5, peer="plain kopf"),
        median_of("CPU for a deployment, operator", found.operator_ms, "ms"),
        median_of("CPU for a deployment, kopf", found.kopf_ms, "ms", peer="plain kopf"),
    ]


def changed_and_repaired(stage: Stage, sizes: Sizes, seed: int) -> list[Result]:
    """How soon a change of the spec, or by hand, is answered."""
    found, count = latencies(stage, sizes.changed, sizes.rounds, seed), sizes.changed
    repaired = [round(one, 3) for one in found.repaired]
    return [
        median_of(f"spec to child at {count}, p99", found.p99, "s", goal=2.0),
        median_of(f"spec to child at {count}, p50", found.p50, "s"),
        median_of(f"all {count} changed at once, the last child", found.burst, "s"),
        Result("child deleted or edited, slowest repair", max(repaired), "s", 10.0, samples=repaired),
        Result("child deleted or edited, median repair", statistics.median(repaired), "s"),
    ]


def remembered(sizes: Sizes) -> list[Result]:
    """Memory with many objects, on a server of its own: to take them away again would last longer than to make them."""
    with start() as cluster:
        stage, count = Stage(cluster), sizes.remembered
        stage.prepare()
        found = memory(stage, count)
    worst = max(found.settled, found.restarted)
    return [
        Result(f"memory with {count} and their pods", worst, "MB", 260.0, samples=[found.settled, found.restarted]),
        Result("its peak since the start", max(found.peak, found.restarted_peak), "MB"),
        Result("objects known then", found.objects, "objects"),
    ]


def written(sizes: Sizes) -> list[Result]:
    """Writes as the audit log has them, on a server of its own."""
    with start(audit=True, users=[User(OPERATOR, ("system:masters",))]) as cluster:
        stage = Stage(cluster)
        stage.prepare()
        found = writes(stage, OPERATOR, sizes.counted)
    return [
        Result("writes for each until settled", round(found.each, 3), "writes", found.children + 1.0),
        Result("writes of quiet passes", found.resync, "writes", 0.0),
        Result("quiet passes", found.looks, "passes"),
    ]


PARTS: dict[str, Part] = {
    "creation": created_at_once,
    "kopf": compared_with_kopf,
    "latency": changed_and_repaired,
}


def measure(sizes: Sizes, seed: int, only: set[str]) -> list[Result]:
    """Every part, one after another; each is printed when it is known."""
    results = []

    def tell(name: str, part: Callable[[], list[Result]]) -> None:
        began = time.monotonic()
        print_table(found := part())
        results.extend(found)
        print(f"{name}: {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)

    with start() as cluster:
        stage = Stage(cluster)
        stage.prepare()
        for name, part in PARTS.items():
            if not only or name in only:
                tell(name, partial(part, stage, sizes, seed))
    for name, alone in {"memory": remembered, "writes": written}.items():
        if not only or name in only:
            tell(name, partial(alone, sizes))
    return results


def main() -> int:
    """Run, print, write; exit code."""
    started_at = datetime.now(UTC)
    seed, only = int(os.environ.get("SEED", "20260101")), set(os.environ.get("ONLY", "").split())
    quick = os.environ.get("QUICK") == "1"
    results = measure(QUICK if quick else Sizes(), seed, only)
    if only and not quick:
        print(f"put into {replace_results('operator', results, started_at=started_at) or 'no file, as there is none'}")
    elif not quick:
        packages = ["mizzen-operator", "kopf", "kubernetes", "aiohttp", "orjson", "pydantic"]
        print(f"written to {write_results('operator', results, seed=seed, started_at=started_at, packages=packages)}")
    missed = [result.name for result in results if not result.holds]
    return 1 if missed and os.environ.get("CHECK") == "1" else 0


if __name__ == "__main__":
    sys.exit(main())
