"""Who makes spans of requests? One of these, where MIZZEN_TRACES_URL names a collector; without it there is none."""

import asyncio
from collections.abc import Awaitable

from mizzen_crds.kept_batches import BatchWork

from mizzen_gateway.stages import Caller, Headers, Refusal
from mizzen_gateway.trace_context import Recorded, RecordedLeg, Sampler, TraceContext
from mizzen_gateway.tracing.batch_spans import BatchTrace, Spans
from mizzen_gateway.tracing.request_spans import Ended, Served, request_span, try_spans
from mizzen_gateway.wire.response import Responder


class Tracer:
    """Decides at the beginning of a request, and tells at its end."""

    def __init__(self, share: float, spans: Spans, prompts: bool, scheme: str = "http") -> None:
        """`share` of what begins here is recorded; `prompts` are told too; callers speak `scheme`."""
        self._scheme = scheme
        self._sampler = Sampler(share)
        self._spans = spans
        self._prompts = prompts
        self._now = asyncio.get_running_loop().time

    def begin(self, headers: Headers) -> TraceContext:
        """Of a request whose key is good."""
        return self._sampler.context_of(headers, self._now())

    async def around(
        self,
        trace: Recorded,
        template: str,
        method: str,
        caller: Caller,
        answering: Awaitable[Refusal | None],
        responder: Responder,
    ) -> Refusal | None:
        """Answer, and tell of it."""
        ended = Ended(None, "caller_left")
        try:
            refusal = await answering
        except asyncio.CancelledError:
            raise
        except Exception:
            ended = Ended(500, "internal_error")
            raise
        else:
            out = responder.started or responder.waiting is not None
            status = 200 if out or refusal is None else refusal.status
            ended = Ended(status, trace.code if refusal is None else refusal.code)
            return refusal
        finally:
            self._spans.put(request_span(trace, template, (method, self._scheme), caller, ended, self._now()))

    def batch(self, work: BatchWork) -> BatchTrace:
        """Of this gateway's run of a batch."""
        return BatchTrace(self._spans, work)

    def settled(self, leg: RecordedLeg, served: Served) -> None:
        """A request has ended at a deployment, and what it used is known."""
        for span in try_spans(leg, served, prompts=self._prompts):
            self._spans.put(span)
