"""How much does the gateway add to a request on /v2/infer? Against the same Triton directly, in the same run.

Key, grant, six limits, a budget, a price, routing and metering are on. One connection each way, blocks of requests in
turn, the median of the rounds. Then four connections for requests per second. CHECK=1 exits 1 when a goal is missed.
"""

import json
import os
import random
import statistics
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime

from http_caller import Caller, request_bytes
from local_stack import Stack, digits_on_triton
from result_file import Result, median_of, print_table, write_results

ROUNDS = 5
BLOCKS = 8
BLOCK_REQUESTS = 50
CONNECTIONS = 4
THROUGHPUT_SECONDS = 3.0
ADDED_GOAL_MS = 0.5
GENERATOR_SHARE = 0.8
"""A load generator busier than this makes the run invalid."""
PATH = "/v2/models/digits/infer"


@dataclass
class Samples:
    """One number a round."""

    direct_ms: list[float] = field(default_factory=list)
    gateway_ms: list[float] = field(default_factory=list)
    added_ms: list[float] = field(default_factory=list)
    cpu_ms: list[float] = field(default_factory=list)
    direct_rps: list[float] = field(default_factory=list)
    gateway_rps: list[float] = field(default_factory=list)
    generator_share: list[float] = field(default_factory=list)
    requests: int = 0
    """Sent through the gateway in all."""


class Bench:
    """The two ways to the model."""

    def __init__(self, stack: Stack, seed: int) -> None:
        chance = random.Random(seed)
        image = [round(chance.uniform(0, 16), 3) for _ in range(64)]
        tensor = {"name": "image", "shape": [1, 8, 8], "datatype": "FP32", "data": image}
        body = json.dumps({"inputs": [tensor]}).encode()
        self.stack = stack
        self.direct_at = stack.endpoint("digits")
        self.gateway_at = ("127.0.0.1", stack.gateway_port)
        key = {"authorization": f"Bearer {stack.secret}"}
        self.direct_request = request_bytes(PATH, "{}:{}".format(*self.direct_at), body, {})
        self.gateway_request = request_bytes(PATH, "{}:{}".format(*self.gateway_at), body, key)
        self.samples = Samples()
        with_gateway, directly = self.caller(through=True), self.caller(through=False)
        self.answer = probabilities(directly.call()[1])
        for caller in (with_gateway, directly):
            self.timed(caller, 200)
            caller.close()
        self.samples.requests += 200

    def caller(self, *, through: bool) -> Caller:
        """A new connection."""
        if through:
            return Caller(*self.gateway_at, self.gateway_request)
        return Caller(*self.direct_at, self.direct_request)

    def timed(self, caller: Caller, count: int) -> list[float]:
        """Milliseconds of so many requests; every answer is checked."""
        found = []
        for _ in range(count):
            seconds, body = caller.call()
            found.append(seconds * 1000)
            if max(abs(a - b) for a, b in zip(probabilities(body), self.answer, strict=True)) > 1e-5:
                raise RuntimeError(f"a wrong answer: {body!r}")
        return found

    def latency_round(self) -> None:
        """Blocks in turn, so that both ways see the same machine."""
        through, directly = self.caller(through=True), self.caller(through=False)
        with_gateway: list[float] = []
        without: list[float] = []
        for _ in range(BLOCKS):
            without += self.timed(directly, BLOCK_REQUESTS)
            with_gateway += self.timed(through, BLOCK_REQUESTS)
        through.close()
        directly.close()
        samples = self.samples
        samples.requests += len(with_gateway)
        samples.direct_ms.append(statistics.median(without))
        samples.gateway_ms.append(statistics.median(with_gateway))
        samples.added_ms.append(samples.gateway_ms[-1] - samples.direct_ms[-1])

    def throughput_round(self) -> None:
        """Requests per second each way, and the gateway's CPU for one."""
        samples = self.samples
        samples.direct_rps.append(self.requests_per_second(through=False)[0])
        cpu = self.stack.gateway_cpu_seconds()
        rate, count = self.requests_per_second(through=True)
        samples.cpu_ms.append((self.stack.gateway_cpu_seconds() - cpu) * 1000 / count)
        samples.gateway_rps.append(rate)
        samples.requests += count

    def requests_per_second(self, *, through: bool) -> tuple[float, int]:
        """(rate, count) over some connections."""
        began, began_cpu = time.perf_counter(), time.process_time()
        end = began + THROUGHPUT_SECONDS

        def one() -> int:
            caller, count = self.caller(through=through), 0
            while time.perf_counter() < end:
                count += len(self.timed(caller, 10))
            caller.close()
            return count

        with ThreadPoolExecutor(CONNECTIONS) as pool:
            count = sum(future.result() for future in [pool.submit(one) for _ in range(CONNECTIONS)])
        seconds = time.perf_counter() - began
        self.samples.generator_share.append((time.process_time() - began_cpu) / seconds)
        return count / seconds, count


def probabilities(body: bytes) -> list[float]:
    """The answer of the model."""
    found: list[float] = json.loads(body)["outputs"][0]["data"]
    return found


def results_of(samples: Samples, booked: int) -> list[Result]:
    """What is reported."""
    triton = "Triton directly"
    ratio = [through / direct for through, direct in zip(samples.gateway_ms, samples.direct_ms, strict=True)]
    return [
        median_of("added latency, p50, one connection", samples.added_ms, "ms", goal=ADDED_GOAL_MS, peer=triton),
        median_of("latency through the gateway, p50", samples.gateway_ms, "ms"),
        median_of("latency of Triton directly, p50", samples.direct_ms, "ms", peer=triton),
        median_of("latency, gateway / direct", ratio, "ratio", peer=triton),
        median_of(f"requests/s, gateway, {CONNECTIONS} connections", samples.gateway_rps, "1/s"),
        median_of(f"requests/s, direct, {CONNECTIONS} connections", samples.direct_rps, "1/s", peer=triton),
        median_of("CPU of the gateway for one request", samples.cpu_ms, "ms"),
        Result("load generator's share of a core", round(max(samples.generator_share), 3), "ratio", GENERATOR_SHARE),
        Result("requests in the ledger / sent", round(booked / samples.requests, 6), "ratio", 1.0, ">="),
    ]


def main() -> int:
    """Run, print, write; exit code."""
    started_at = datetime.now(UTC)
    seed = int(os.environ.get("SEED", "20260101"))
    with digits_on_triton() as stack:
        bench = Bench(stack, seed)
        for _ in range(ROUNDS):
            bench.latency_round()
            bench.throughput_round()
        booked = wait_for_ledger(stack, bench.samples.requests)
    results = results_of(bench.samples, booked)
    packages = ["mizzen-gateway", "uvloop", "httptools", "orjson"]
    path = write_results("gateway_spine", results, seed=seed, started_at=started_at, packages=packages)
    print_table(results)
    print(f"written to {path}")
    missed = [result.name for result in results if not result.holds]
    return 1 if missed and os.environ.get("CHECK") == "1" else 0


def wait_for_ledger(stack: Stack, sent: int, seconds: float = 20.0) -> int:
    """Requests in the ledger once all that were sent are there, or what there is by then."""
    deadline = time.monotonic() + seconds
    while (booked := stack.requests_in_ledger()) < sent and time.monotonic() < deadline:
        time.sleep(0.5)
    return booked


if __name__ == "__main__":
    sys.exit(main())
