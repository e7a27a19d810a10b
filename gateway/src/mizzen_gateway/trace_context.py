"""Which trace does a request belong to, and is it recorded? W3C Trace Context comes in, and goes on to engines.

`tracing/` makes spans of what is recorded.
"""

import random
import time
from collections.abc import Mapping
from typing import NamedTuple

from mizzen_gateway.stages import Intent

Headers = tuple[tuple[str, str], ...]
TRACEPARENT, TRACESTATE = b"traceparent", b"tracestate"
WRITTEN_HERE = frozenset({"traceparent", "tracestate"})
"""Headers that no setting may pass on beside."""
VERSION_00_BYTES = 55
HYPHEN = 45
SEPARATORS = b"---"
HEXADECIMAL = b"0123456789abcdef"
STATE_BYTES = 512
"""A longer tracestate is not passed on: the standard asks for no more."""
SAMPLED = 1
KNOWN_FLAGS = 3
"""Sampled, and random trace id."""
LOW_BITS = (1 << 64) - 1
"""Of a trace id, those that a share is taken of: as OpenTelemetry's samplers do, so that all agree."""


class Parent(NamedTuple):
    """A caller's span."""

    trace_id: int
    span_id: int
    flags: int


class OfBatch(NamedTuple):
    """Which line of a batch a request is, and the span of the run that sent it."""

    batch_id: str
    line_id: str
    trace_id: int
    span_id: int


class Asked(NamedTuple):
    """An engine was asked by a span, from one loop time to another."""

    span_id: int
    began_at: float
    ended_at: float
    address: str
    port: int


class Unrecorded:
    """A request without spans of ours, also at each deployment. Engines hear so, and begin no trace of their own."""

    __slots__ = ("_headers",)

    def __init__(self, headers: Headers) -> None:
        self._headers = headers

    def leg(self, intent: Intent) -> "Unrecorded":  # noqa: ARG002  # recorded ones want it
        """The same wherever it goes."""
        return self

    def onward(self) -> Headers:
        """The caller's context as it came, else one that says no."""
        return self._headers

    def beside(self) -> "Unrecorded":
        """For an engine that is asked at the same time."""
        return self

    def asked(self, began_at: float, ended_at: float, address: str, port: int) -> None:
        """Nobody wants to know."""

    def ended(self, code: str) -> None:
        """Nobody wants to know."""


class Recorded:
    """A request that has spans."""

    __slots__ = (
        "began_at", "code", "flags", "intent", "of_batch", "parent_id", "span_id", "started_ns", "state", "trace_id",
    )  # fmt: skip

    def __init__(self, parent: Parent, state: str, began_at: float) -> None:
        """`parent.span_id` is 0 where the trace begins here; `began_at` is loop time."""
        self.trace_id, self.parent_id, self.flags = parent
        self.state = state
        self.span_id = new_span_id()
        self.began_at = began_at
        self.started_ns = time.time_ns()
        self.intent: Intent | None = None
        """At the first deployment."""
        self.code = ""
        """Of the error that ended it at the last one."""
        self.of_batch: OfBatch | None = None

    def leg(self, intent: Intent) -> "RecordedLeg":
        """The request at one deployment."""
        self.intent = self.intent or intent
        return RecordedLeg(self)

    def at(self, loop_time: float) -> int:
        """Nanoseconds since the epoch."""
        return self.started_ns + int((loop_time - self.began_at) * 1e9)


class RecordedLeg:
    """A recorded request at one deployment: each try at an engine is a span."""

    __slots__ = ("_span_id", "_state", "of", "tries")

    def __init__(self, of: Recorded) -> None:
        self.of = of
        self.tries: list[Asked] = []
        self._span_id = 0
        self._state: Headers = (("tracestate", of.state),) if of.state else ()

    def onward(self) -> Headers:
        """Headers for the next engine; the same until it was asked."""
        of = self.of
        if not self._span_id:
            self._span_id = new_span_id()
        return (("traceparent", f"00-{of.trace_id:032x}-{self._span_id:016x}-{of.flags:02x}"), *self._state)

    def beside(self) -> "RecordedLeg":
        """For an engine that is asked at the same time: a try of the same leg."""
        other = RecordedLeg(self.of)
        other.tries = self.tries
        return other

    def asked(self, began_at: float, ended_at: float, address: str, port: int) -> None:
        """An engine has answered or failed."""
        self.tries.append(Asked(self._span_id or new_span_id(), began_at, ended_at, address, port))
        self._span_id = 0

    def ended(self, code: str) -> None:
        """It is over there; a code of an error, or nothing."""
        self.of.code = code


TraceContext = Unrecorded | Recorded
TraceLeg = Unrecorded | RecordedLeg


class Sampler:
    """Parent-based: what a caller has decided holds; of what begins here a share is recorded."""

    def __init__(self, share: float) -> None:
        self._below = round(share * (LOW_BITS + 1))

    def context_of(self, headers: Mapping[bytes, bytes], now: float) -> TraceContext:
        """Of a request with these headers; `now` is loop time."""
        given = headers.get(TRACEPARENT)
        parent = None if given is None else parent_in(given)
        if parent is None:
            trace_id = new_trace_id()
            if trace_id & LOW_BITS < self._below:
                return Recorded(Parent(trace_id, 0, SAMPLED), "", now)
            return Unrecorded((("traceparent", f"00-{trace_id:032x}-{new_span_id():016x}-00"),))
        state = headers.get(TRACESTATE, b"")
        shown = "" if len(state) > STATE_BYTES else state.decode("latin-1")
        if parent.flags & SAMPLED:
            return Recorded(parent, shown, now)
        passed = ("traceparent", f"00-{parent.trace_id:032x}-{parent.span_id:016x}-{parent.flags:02x}")
        return Unrecorded((passed, ("tracestate", shown)) if shown else (passed,))


def new_trace_id() -> int:
    """Never 0, which is none."""
    return random.getrandbits(128) or 1


def new_span_id() -> int:
    """Never 0, which is none."""
    return random.getrandbits(64) or 1


def parent_in(given: bytes) -> Parent | None:
    """What a header `traceparent` says; None where it is not valid, as where it came twice."""
    head = given[:VERSION_00_BYTES]
    if len(head) < VERSION_00_BYTES or head[2] != HYPHEN or head[35] != HYPHEN or head[52] != HYPHEN:
        return None
    if head.translate(None, HEXADECIMAL) != SEPARATORS or head.startswith(b"ff"):
        return None
    if len(given) > VERSION_00_BYTES and (head.startswith(b"00") or given[VERSION_00_BYTES] != HYPHEN):
        return None
    trace_id, span_id = int(head[3:35], 16), int(head[36:52], 16)
    return Parent(trace_id, span_id, int(head[53:55], 16) & KNOWN_FLAGS) if trace_id and span_id else None
