"""What does a store that gateways share cost? A call of it, and a request through one worker and through two."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial

import interpreter
import uvloop
from gateway_costs import Sizes, Words, expected, interleaved, ratios, warmed
from gateway_requests import chat
from gateway_stage import Stage, stage
from limits_check import POSTGRES, REDIS, measured
from result_file import Result, median_of
from support.limit_servers import running
from support.unpacked_servers import unpacked_redis

KEYS = 100
ON_REDIS = "on Redis 7.0"


def calls_of_the_stores(_sizes: Sizes, _seed: int) -> list[Result]:
    """Six limits and a budget in one call, medians: of Redis and of PostgreSQL, on whichever core is free."""
    with both_cores():
        return uvloop.run(measured((REDIS, POSTGRES)))


@contextmanager
def both_cores() -> Iterator[None]:
    """A server and who asks it wait for each other: on one core that would be time for changing places."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, range(os.cpu_count() or 1))
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def cost_of_workers(sizes: Sizes, seed: int) -> list[Result]:
    """CPU for a request: the one process with its own counts, one worker and two on Redis."""
    program = unpacked_redis()
    with ExitStack() as exits:
        redis = exits.enter_context(running(program.path, program.environment))
        running_stage: Stage = exits.enter_context(stage(KEYS, seed))
        return _on_redis(running_stage, sizes, redis.url)


def _on_redis(stage: Stage, sizes: Sizes, address: str) -> list[Result]:
    alone = stage.fronts["gateway"]
    shared = {"MIZZEN_LIMITS_STORE": address, **interpreter.for_children(stage.folder / "site")}
    one = stage.gateway("gateway-1-worker", MIZZEN_WORKERS="1", **shared)
    two = stage.gateway("gateway-2-workers", MIZZEN_WORKERS="2", **shared)
    request = chat(stage.keys[0].text)
    words: Words = {
        "connections": sizes.connections,
        "rate": sizes.rate / 2,
        "expect": expected(stage, request, "chat"),
        "seconds": sizes.seconds,
    }
    fronts = [alone, one, two]
    for front in fronts:
        warmed(stage, front, request, **words)
    found = interleaved(fronts, sizes.rounds, partial(stage.load, request=request, **words))
    cpu = {name: [load.cpu_us for load in loads] for name, loads in found.items()}
    return [
        median_of(
            f"CPU for a request {ON_REDIS}, 2 workers / 1", ratios(cpu[two.name], cpu[one.name]), "ratio", goal=1.1
        ),
        median_of(f"CPU for a request {ON_REDIS}, 2 workers", cpu[two.name], "us"),
        median_of(f"CPU for a request {ON_REDIS}, 1 worker", cpu[one.name], "us"),
        median_of("CPU for a request in process, at that rate", cpu[alone.name], "us"),
    ]
