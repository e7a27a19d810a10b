"""What does the span of a batch say? How long this gateway ran it, and how many lines it had results of.

Lines are traces of their own, each recorded or not as any request is, with a link to the run: a batch of fifty thousand
lines would be a trace that no viewer opens.
"""

import time
from typing import Protocol

from mizzen_crds.kept_batches import BatchWork

from mizzen_gateway.trace_context import SAMPLED, OfBatch, new_span_id, new_trace_id
from mizzen_gateway.tracing.span import Kind, Span


class Spans(Protocol):
    """Takes spans."""

    def put(self, span: Span) -> None:
        """Take one; returns at once."""
        ...


class BatchTrace:
    """One run of a batch; it is always recorded, as there are few."""

    def __init__(self, spans: Spans, work: BatchWork) -> None:
        self._spans = spans
        self._work = work
        self._trace_id, self._span_id = new_trace_id(), new_span_id()
        self._started_ns = time.time_ns()

    def line(self, line_id: str) -> OfBatch:
        """For the trace of a line."""
        return OfBatch(self._work.batch_id, line_id, self._trace_id, self._span_id)

    def ended(self, completed: int, failed: int) -> None:
        """The gateway gives the batch back, with results of so many lines."""
        span = Span(
            self._trace_id,
            self._span_id,
            0,
            SAMPLED,
            "",
            f"batch {self._work.endpoint}",
            Kind.INTERNAL,
            self._started_ns,
            time.time_ns(),
            {
                "mizzen.batch": self._work.batch_id,
                "mizzen.key": self._work.key_id,
                "mizzen.batch.completed": completed,
                "mizzen.batch.failed": failed,
            },
        )
        self._spans.put(span)
