"""What does one decision about limits and budgets cost, in the process itself?"""

import json
import os
import statistics
import subprocess
import time
from pathlib import Path

import interpreter
from gateway_costs import Sizes
from gateway_plane import PROJECT, make_keys, snapshot_of
from mizzen_crds.access import LeaseGrant
from mizzen_gateway.discovery.access_building import index_snapshot
from mizzen_gateway.discovery.access_index import AccessState
from mizzen_gateway.limits.leases import CreditLeases
from mizzen_gateway.limits.process_store import ProcessStore
from mizzen_gateway.limits.quota import SnapshotQuota
from mizzen_gateway.stages import Caller, Estimate, Refusal, Usage
from pinned_process import CORE_OF_THE_MEASURED
from result_file import Result, median_of

DECISIONS = 2000
ESTIMATE = Estimate(700, 1, 64)
USAGE = Usage(64, 48)


class OpenGate:
    """Nothing stands against admission."""

    def closed(self) -> Refusal | None:
        """Open."""
        return None


class NoSource:
    """No credit is asked for: it is in hand."""

    async def lease(self, budget_id: str, want_pico: int) -> LeaseGrant:
        """Never called."""
        raise AssertionError(f"{budget_id} wants {want_pico}")


def decision_in_process(sizes: Sizes, seed: int) -> list[Result]:
    """Reserve and settle, six limits and a budget: microseconds of each, medians of rounds, on the measured Python."""
    path = os.pathsep.join(filter(None, (str(Path(__file__).parent), os.environ.get("PYTHONPATH", ""))))
    command = ["taskset", "-c", str(CORE_OF_THE_MEASURED), *interpreter.command("gateway_decisions")]
    told = {"SEED": str(seed), "ROUNDS": str(max(3, sizes.rounds)), "PYTHONPATH": path}
    done = subprocess.run(command, env={**os.environ, **told}, capture_output=True, text=True, check=True)
    reserving, settling = json.loads(done.stdout)
    return [
        median_of("six limits and a budget checked in process", reserving, "us", goal=2.0),
        median_of("and settled", settling, "us"),
    ]


def medians(rounds: int, seed: int) -> tuple[list[float], list[float]]:
    """Of each round, of reserving and of settling."""
    keys = make_keys(1, seed)
    state = AccessState(3600)
    state.put(index_snapshot(snapshot_of(keys)), time.time())
    leases = CreditLeases(NoSource(), time.time)
    account = leases.account("bud_bench")
    account.credit, account.usable_until, account.remaining = 10**21, time.time() + 3600, 0
    quota = SnapshotQuota(state, ProcessStore(leases), OpenGate())
    caller = Caller("org_bench", PROJECT, "default", "default", keys[0].access.id)
    reserving: list[float] = []
    settling: list[float] = []
    for _ in range(rounds):
        times = [one_decision(quota, caller) for _ in range(DECISIONS)]
        reserving.append(statistics.median(reserved for reserved, _ in times))
        settling.append(statistics.median(settled for _, settled in times))
    return reserving, settling


def one_decision(quota: SnapshotQuota, caller: Caller) -> tuple[float, float]:
    """Microseconds of reserving, and of settling."""
    now = time.time()
    began = time.perf_counter_ns()
    reservation = quota.reserve(caller, "m", ESTIMATE, now)
    between = time.perf_counter_ns()
    assert not isinstance(reservation, Refusal)
    reservation.settle(USAGE)  # type: ignore[union-attr]  # nothing is awaited: the credit is in hand
    return (between - began) / 1000, (time.perf_counter_ns() - between) / 1000


if __name__ == "__main__":
    print(json.dumps(medians(int(os.environ["ROUNDS"]), int(os.environ["SEED"]))))
