"""What do callers get when they ask for more than the engines can give? With the gateway's gate, and without it.

Goodput is answers within a caller's patience, as a share of what the engines could give; a second that is spent on a
caller who has left is lost. First in simulated time (`overload_scene.py`), three rounds, with and without the gate in
turn; then real programs, for the time that a refusal takes (`overload_stage.py`). CHECK=1 exits 1 when a goal is
missed.
"""

import os
import sys
from datetime import UTC, datetime
from random import Random

from mizzen_gateway.overload.priority import NAMES
from mizzen_gateway.overload.rules import OverloadRules
from overload_scene import CAPACITY, Kind, Scene, Seen, simulated
from overload_stage import InvalidRunError, measured_on_real_programs
from result_file import Result, median_of, print_table, write_results

ROUNDS = 3
TIMES = (1, 2, 5)
WARM_UP, MEASURED = 60.0, 60.0
"""Seconds, simulated."""
SMALL_RATE = 5.0
"""Requests a second; the large project sends a hundred times as many."""
GATES = {"": OverloadRules(), ", off": OverloadRules(on=False)}
"""Suffix of a result's name, and what holds requests back."""
Samples = dict[str, list[float]]


def seen_in(rules: OverloadRules, kinds: list[Kind], seed: int, warm_up: float = WARM_UP) -> dict[Kind, Seen]:
    """One scene from its beginning to its end."""

    async def play() -> dict[Kind, Seen]:
        return await Scene(rules, Random(seed)).play(kinds, warm_up, MEASURED)

    return simulated(play)


def goodput(seen: dict[Kind, Seen]) -> float:
    """As a share of the capacity."""
    return sum(len(one.seconds) for one in seen.values()) / MEASURED / CAPACITY


def four_projects(times: float) -> list[Kind]:
    """That ask for so many times the capacity together."""
    return [Kind(f"p{number}", times * CAPACITY / 4) for number in range(4)]


def of_each_priority(rules: OverloadRules, seed: int) -> dict[str, float]:
    """Share that is answered, at twice the capacity: half of it interactive, the rest standard and batch."""
    shares = (0.5, 0.75, 0.75)
    kinds = [
        Kind(name, CAPACITY * share, priority) for priority, (name, share) in enumerate(zip(NAMES, shares, strict=True))
    ]
    seen = seen_in(rules, kinds, seed)
    return {kind.project: len(one.seconds) / one.asked for kind, one in seen.items()}


def small_beside_large(rules: OverloadRules, seed: int) -> tuple[float, float, float]:
    """p99 of a small project, alone and beside one with 100 times as many requests; the part of its own answered."""
    small, large = Kind("small", SMALL_RATE, steady=True), Kind("large", 100 * SMALL_RATE)
    alone = seen_in(rules, [small], seed)[small]
    beside = seen_in(rules, [small, large], seed)[small]
    p99 = beside.p99() if beside.seconds else float("inf")
    return alone.p99(), p99, len(beside.seconds) / beside.asked


def round_of(seed: int, found: Samples) -> None:
    """Everything once, with and without the gate."""
    for suffix, rules in GATES.items():
        for times in TIMES:
            found.setdefault(f"goodput at {times} x capacity{suffix}", []).append(
                goodput(seen_in(rules, four_projects(times), seed))
            )
        found.setdefault(f"goodput in the first minute of 5 x capacity{suffix}", []).append(
            goodput(seen_in(rules, four_projects(5), seed, warm_up=0.0))
        )
        for name, share in of_each_priority(rules, seed).items():
            found.setdefault(f"answered of {name} at 2 x capacity{suffix}", []).append(share)
        alone, beside, answered = small_beside_large(rules, seed)
        found.setdefault(f"p99 of a small project, alone{suffix}", []).append(alone)
        found.setdefault(f"p99 of it beside one with 100 x as much{suffix}", []).append(min(beside, 1e3))
        found.setdefault(f"p99 beside / alone{suffix}", []).append(min(beside / alone, 1e3))
        found.setdefault(f"answered of the small project{suffix}", []).append(answered)


GOALS = {"goodput at 5 x capacity": (0.9, ">="), "p99 beside / alone": (1.2, "<=")}


def results_of(found: Samples) -> list[Result]:
    """Medians, with their goals."""
    results = []
    for name, samples in found.items():
        unit = "s" if name.startswith("p99 of") else "ratio"
        goal, comparison = GOALS.get(name, (None, "<="))
        peer = "off" if name.endswith(", off") else None
        results.append(median_of(name, samples, unit, goal=goal, comparison=comparison, peer=peer))
    return results


def main() -> int:
    """Run, print, write; exit code."""
    started_at = datetime.now(UTC)
    seed = int(os.environ.get("SEED", "20260101"))
    found: Samples = {}
    for turn in range(int(os.environ.get("ROUNDS", str(ROUNDS)))):
        round_of(seed + turn, found)
    results = results_of(found)
    invalid = ""
    if os.environ.get("SIMULATED_ONLY") != "1":
        try:
            results += measured_on_real_programs()
        except InvalidRunError as error:
            invalid = str(error)
    path = write_results("overload", results, seed=seed, started_at=started_at, packages=["mizzen-gateway", "uvloop"])
    print_table(results)
    print(f"written to {path}; seed {seed}")
    if invalid:
        print(f"real programs were not measured: {invalid}")
    missed = [result.name for result in results if not result.holds]
    return 1 if (missed or invalid) and os.environ.get("CHECK") == "1" else 0


if __name__ == "__main__":
    sys.exit(main())
