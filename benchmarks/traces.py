"""What do spans cost a request? Microseconds of CPU: of one that is left out, and of one that is recorded.

The medians of rounds that take turns. CHECK=1 exits 1 when a goal is missed.
"""

import gzip
import os
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime

import uvloop
from mizzen_gateway.protocols.openai import call as openai
from mizzen_gateway.stages import Caller, Intent, Outcome, Refusal, Tried, Usage
from mizzen_gateway.trace_context import Recorded, RecordedLeg, Unrecorded
from mizzen_gateway.tracing.exporter import BATCH_SPANS, SLICE_SPANS
from mizzen_gateway.tracing.otlp import Batch
from mizzen_gateway.tracing.request_spans import Ended, Served, request_span
from mizzen_gateway.tracing.span import Span
from mizzen_gateway.tracing.tracer import Tracer
from mizzen_gateway.wire.request import Request
from result_file import Result, median_of, print_table, write_results

ROUNDS = 7
REQUESTS = 5000
HEADERS = {b"host": b"gateway", b"content-type": b"application/json", b"authorization": b"Bearer mzk"}
BODY = b'{"model":"m","messages":[{"role":"user","content":"hello"}],"max_tokens":64,"temperature":0.2}'
CALLER = Caller("org_b", "prj_b", "default", "default", "key_b")
INTENT = Intent("req_b", CALLER, "m", "default", "m", "chat.completions", datetime.now(UTC))
OUTCOME = Outcome(200, True, "r1", 30.0, 10.0, Usage(64, 48), (Tried("pod-a", "ok", 30.0),))


class Kept:
    """Spans that nobody sends."""

    def __init__(self) -> None:
        self.spans: list[Span] = []

    def put(self, span: Span) -> None:
        """Keep it."""
        self.spans.append(span)


def per_request(each: Callable[[], object]) -> float:
    """Microseconds of CPU."""
    began = time.process_time_ns()
    for _ in range(REQUESTS):
        each()
    return (time.process_time_ns() - began) / 1000 / REQUESTS


def left_out(tracer: Tracer) -> None:
    """All that a request does which is not recorded."""
    trace = tracer.begin(HEADERS)
    assert isinstance(trace, Unrecorded)
    leg = trace.leg(INTENT)
    leg.onward()
    leg.asked(1.0, 2.0, "10.0.0.1", 8000)
    leg.ended("")


def recorded(tracer: Tracer, kept: Kept, call: openai.OpenAICall) -> None:
    """All that one does which is."""
    trace = tracer.begin(HEADERS)
    assert isinstance(trace, Recorded)
    leg = trace.leg(INTENT)
    assert isinstance(leg, RecordedLeg)
    leg.onward()
    leg.asked(1.0, 2.0, "10.0.0.1", 8000)
    leg.ended("")
    tracer.settled(leg, Served(INTENT, OUTCOME, call, "vLLM", 1.5))
    kept.put(request_span(trace, "/v1/chat/completions", ("POST", "http"), CALLER, Ended(200, ""), 2.0))


def packed(spans: list[Span]) -> tuple[float, float]:
    """Microseconds for a request's two spans; of CPU at the most that no request is served meanwhile, milliseconds."""
    longest = 0.0
    began = time.process_time_ns()
    for first in range(0, len(spans), BATCH_SPANS):
        batch = Batch({"service.name": "mizzen-gateway"}, "1.0")
        for slice_ in range(first, min(len(spans), first + BATCH_SPANS), SLICE_SPANS):
            slice_began = time.thread_time_ns()
            batch.add(spans[slice_ : slice_ + SLICE_SPANS])
            longest = max(longest, (time.thread_time_ns() - slice_began) / 1e6)
        gzip.compress(batch.encoded(), 1)
    return (time.process_time_ns() - began) / 1000 / (len(spans) / 2), longest


async def measured() -> list[Result]:
    """All rounds."""
    call = openai.parse("chat.completions", Request(b"POST", b"/", b"/", {}, True, True, body=BODY))
    assert not isinstance(call, Refusal)
    samples: dict[str, list[float]] = {name: [] for name in ("left", "recorded", "packed", "longest")}
    for _ in range(ROUNDS):
        kept = Kept()
        none, all_ = Tracer(0.0, kept, False), Tracer(1.0, kept, False)
        samples["left"].append(per_request(lambda tracer=none: left_out(tracer)))  # type: ignore[misc]  # bound at once
        samples["recorded"].append(per_request(lambda to=kept, tracer=all_: recorded(tracer, to, call)))  # type: ignore[misc]  # the same
        cost, longest = packed(kept.spans)
        samples["packed"].append(cost)
        samples["longest"].append(longest)
    return [
        median_of("a request that is not recorded", samples["left"], "us", goal=3.0),
        median_of("a request that is: two spans made", samples["recorded"], "us", goal=40.0),
        median_of("and packed for the collector, beside requests", samples["packed"], "us"),
        median_of("longest that no request is served meanwhile", samples["longest"], "ms", goal=5.0),
    ]


def main() -> int:
    """Run, print, write; exit code."""
    started_at = datetime.now(UTC)
    results = uvloop.run(measured())
    packages = ["mizzen-gateway", "uvloop", "opentelemetry-proto", "protobuf"]
    path = write_results("traces", results, seed=0, started_at=started_at, packages=packages)
    print_table(results)
    print(f"written to {path}")
    missed = [result.name for result in results if not result.holds]
    return 1 if missed and os.environ.get("CHECK") == "1" else 0


if __name__ == "__main__":
    sys.exit(main())
