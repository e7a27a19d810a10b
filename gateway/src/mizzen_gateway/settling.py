"""Step 8 of the pipeline: a request has ended. What did it use, what does it cost, and who is told?"""

import asyncio
from dataclasses import replace

from mizzen_gateway.engine.pool import EnginePool
from mizzen_gateway.protocols.counting import LENDS_ITS_TOKENIZER, prompt_counted
from mizzen_gateway.protocols.openai.answer import StreamAnswer
from mizzen_gateway.stages import Charge, Meter, Observer, Outcome, Refusal, Reservation
from mizzen_gateway.stopping import CUT
from mizzen_gateway.trace_context import RecordedLeg
from mizzen_gateway.tracing.request_spans import Served
from mizzen_gateway.tracing.tracer import Tracer
from mizzen_gateway.under_way import CALLER_LEFT, Run

LEFT_WHILE_PARKED = Refusal(CALLER_LEFT, "caller_left", "")
"""For the metrics alone: nobody is there to read it."""


class Settling:
    """Of all requests."""

    def __init__(self, meter: Meter, observer: Observer, pool: EnginePool, tracer: Tracer | None) -> None:
        """`tracer` where spans are wanted."""
        self._meter = meter
        self._observer = observer
        self._pool = pool
        self._tracer = tracer
        self._loop = asyncio.get_running_loop()
        self._part_of_ms = 0.0
        """Accelerator time that no request was told of yet."""
        self._counting: set[asyncio.Task[None]] = set()
        """Ended requests whose tokens are being counted."""

    def end(self, run: Run, reservation: Reservation) -> None:
        """Settle it, now or when its tokens are counted; to be called once, from a `finally`."""
        if run.booked is not None:
            self._account(run, reservation, run.booked)
        elif run.usage.estimated and run.asked and run.target.endpoint_set.engine in LENDS_ITS_TOKENIZER:
            self._count_and_settle(run, reservation)
        else:
            self._settle(run, reservation, self._loop.time())

    def _count_and_settle(self, run: Run, reservation: Reservation) -> None:
        """Settle once the tokenizer has counted what the engine did not tell; the caller waits no longer."""
        ended_at = self._loop.time()

        async def count_and_settle() -> None:
            address, model = run.asked or (("", 0), "")
            try:
                run.usage = await prompt_counted(run.usage, run.call, model, address, self._pool)
            finally:
                self._settle(run, reservation, ended_at)

        task = self._loop.create_task(count_and_settle())
        self._counting.add(task)
        task.add_done_callback(self._counting.discard)

    async def settled(self) -> None:
        """Wait until every request that has ended is settled; seconds at most."""
        await asyncio.gather(*self._counting, return_exceptions=True)

    def book(self, run: Run) -> Refusal | None:
        """Write the row of a request whose answer is about to leave whole; an intent where it cannot be known yet."""
        reservation = run.reservation
        if reservation is None:
            return None
        if run.usage.estimated and run.target.endpoint_set.engine in LENDS_ITS_TOKENIZER:
            return self._meter.intend(run.intent, reservation.bound)
        outcome = self._outcome(run, self._loop.time(), answered=True)
        refusal = self._meter.book(run.intent, outcome, reservation.price(outcome.usage))
        if refusal is None:
            run.booked = outcome
        return refusal

    def _settle(self, run: Run, reservation: Reservation, ended_at: float) -> None:
        if isinstance(run.answer, StreamAnswer) and run.answer.events:
            self._tokens_of_events(run, run.answer.events)
        outcome = self._outcome(run, ended_at, answered=run.answered)
        charge = self._account(run, reservation, outcome)
        if run.intended:
            self._meter.settle(run.intent, outcome, charge)

    def _tokens_of_events(self, run: Run, events: int) -> None:
        """An event may hold several tokens (speculative decoding, engines that write every so often): streams to their
        end tell how many, for those that nobody waited for."""
        counter, usage = run.target.book.count(run.target.facts.key, run.revision), run.usage
        if usage.billable and not usage.estimated:
            counter.events += events
            counter.event_tokens += usage.output_tokens
        elif usage.estimated and counter.event_tokens > counter.events:
            tokens = round(events * counter.event_tokens / counter.events)
            most = tokens if run.estimate is None else run.estimate.choices * run.estimate.output_tokens
            run.usage = replace(usage, output_tokens=max(events, min(tokens, most)))

    def _outcome(self, run: Run, ended_at: float, *, answered: bool) -> Outcome:
        usage = run.usage
        if run.accelerator_seconds:
            # What is left of a millisecond goes to the next request: many short ones add up to what they used.
            exact = run.accelerator_seconds * 1000 + self._part_of_ms
            whole = int(exact)
            self._part_of_ms = exact - whole
            usage = replace(usage, accelerator_ms=whole)
        return Outcome(  # in its own order: names would cost a dictionary
            200 if run.responder.started and run.status == CALLER_LEFT else run.status,
            answered,
            run.revision,
            (ended_at - run.began_at) * 1000,
            None if run.first_byte_at is None else (run.first_byte_at - run.began_at) * 1000,
            usage,
            tuple(run.tries),
            run.code,
        )

    def _account(self, run: Run, reservation: Reservation, outcome: Outcome) -> Charge:
        charge = reservation.settle(outcome.usage)
        self._count(run, outcome)
        if self._tracer is not None and isinstance(run.trace, RecordedLeg):
            engine = run.target.endpoint_set.engine
            self._tracer.settled(run.trace, Served(run.intent, outcome, run.call, engine, run.first_byte_at))
        if run.line is not None:
            run.line.leg_ended(run.intent, outcome)
        if run.intended:
            self._observer.ended(run.intent, outcome)
        elif run.status == CALLER_LEFT:
            self._observer.refused(run.call.operation, LEFT_WHILE_PARKED)
        return charge

    def _count(self, run: Run, outcome: Outcome) -> None:
        counter = run.target.book.count(run.target.facts.key, outcome.revision)
        counter.requests += 1
        if outcome.status >= 500 or outcome.code in {"upstream_error", "upstream_timeout"}:
            counter.errors += outcome.code != CUT  # of which no engine can be blamed
        waited_ms = outcome.ttft_ms
        if waited_ms is None and outcome.status == CALLER_LEFT and run.tries:
            # Its first byte would have come later still. A revision that never answers must not look fast.
            waited_ms = outcome.duration_ms
            counter.left += 1
        if waited_ms is not None:
            counter.first_bytes += 1
            counter.ttft_ms_sum += waited_ms
