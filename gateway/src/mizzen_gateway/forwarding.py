"""Steps 5 to 7 of the pipeline: find an endpoint or wait for one, ask it, ask another while nothing is written."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import Protocol, cast

from mizzen_gateway.engine.exchange import EngineFailureError, EngineSink, FailureKind
from mizzen_gateway.engine.pool import Address, Connection, EnginePool
from mizzen_gateway.hedging import Hedges
from mizzen_gateway.overload.place import Place
from mizzen_gateway.picking.decisions import Picked, TurnedAway
from mizzen_gateway.protocols.call import Admission, Answer, Generating, Whole
from mizzen_gateway.routing.endpoint import EndpointState
from mizzen_gateway.routing.route import Cause
from mizzen_gateway.spending import SpendingSink, SpentError, sink_of
from mizzen_gateway.stages import Refusal, Tried, Usage
from mizzen_gateway.telemetry.engine_failures import FailureLog
from mizzen_gateway.under_way import LEFT, NOTHING_USED, Run
from mizzen_gateway.wire.request import BadRequestError

MOST_TRIES = 3
"""Engines that one request is sent to, at most; those that could not be reached do not count."""
ELSEWHERE = frozenset({429, 502, 503, 504})
"""Statuses by which an engine says that another one may do better."""
CALLERS_OWN = frozenset({"version_not_found", "not_offered"})
"""Refusals by what the caller asked for: no failure of the engine."""
CAUSES = {"timeout": Cause.TIMED_OUT, "overloaded": Cause.OVERLOADED}
RETRY_CAUSES = {
    "connect": "ConnectionFailed",
    "broken": "ConnectionFailed",
    "malformed": "ConnectionFailed",
    "unavailable": "Unavailable",
    "overloaded": "Overloaded",
}
"""What a ModelRoute calls the failures after which a request may be tried again."""
BUSY_SECONDS = 2
"""Until a caller may try again where engines answered 429."""
NEVER = float("inf")


class Pickers(Protocol):
    """Endpoint pickers of the Gateway API Inference Extension."""

    async def pick(
        self, reference: str, namespace: str, headers: Iterable[tuple[str, str]], body: bytes, subset: Sequence[str]
    ) -> Picked | TurnedAway | None:
        """What the picker decides about a request; None where it does not answer."""
        ...


class Forwarder:
    """Shared by all requests; holds no state of one."""

    def __init__(
        self,
        pool: EnginePool,
        first_byte_seconds: float,
        intend: "Callable[[Run], Refusal | None]",
        book: "Callable[[Run], Refusal | None]",
        pickers: Callable[[], Pickers],
    ) -> None:
        """`pickers` is called at the first request of a deployment with an endpoint picker."""
        self._pool = pool
        self._pickers = pickers
        self._first_byte_seconds = first_byte_seconds
        self._intend = intend
        self._book = book
        self.hedges = Hedges()
        self._failures = FailureLog(pool)
        self._loop = asyncio.get_running_loop()

    async def forward(self, run: Run) -> Refusal | None:
        """None where the caller has its answer (whole or broken off), else what to refuse it with."""
        target = run.target
        target.note_request()
        hold_until: float | None = None
        while True:
            now = self._loop.time()
            endpoint = (
                target.choose(now, run.pods, run.ask) if not target.facts.picker else await self._picked(run, now)
            )
            if isinstance(endpoint, Refusal):
                run.cause = Cause.OVERLOADED
                return endpoint
            if endpoint is None:
                if run.travel is not None and run.travel.answers_elsewhere(run.cause or Cause.NOT_READY, now):
                    if run.cause is not None:
                        return given_up(run)
                    run.cause = Cause.NOT_READY
                    return target.not_ready("no replica is ready")
                run.leave()
                hold_until = hold_until or now + target.facts.park_seconds
                refusal = await self._park(run, hold_until)
                if refusal is not None:
                    run.cause = Cause.OVERLOADED if target.queue_full else Cause.NOT_READY
                    return refusal
                continue
            if run.place is None or run.place.gate is not endpoint.gate:
                run.leave()
                if endpoint.gate.enters():
                    run.place = Place(endpoint.gate)
                else:
                    with_place = await self._wait(run, endpoint, now)
                    if isinstance(with_place, Refusal):
                        return with_place
                    if with_place is None:
                        continue
                    endpoint = with_place
            run.stop_heartbeats()
            hedge = run.travel.leg.rule.hedge if run.travel is not None else None
            if not run.intended:
                # A durable intent, before an engine works: what no engine was asked for has no row. Where the answer
                # comes whole, its row before its first byte does as well; of two engines each would have to be in it.
                run.booked_at_end = not run.call.whole or hedge is not None
                run.intend = self._intend
                refusal = self._intend(run) if run.booked_at_end else None
                if refusal is not None:
                    return refusal
                run.intended = True
            if hedge is None:
                failure = await self._try(run, endpoint)
            else:
                failure = await self.hedges.ask(run, endpoint, hedge, self._try)
            if failure is None or run.responder.started:
                return None if run.unsent is None else self._send(run, run.unsent)
            refusal = self._verdict(run, endpoint, failure)
            if refusal is not None:
                return refusal
            hold_until = hold_until or now + target.facts.park_seconds
            if self._loop.time() > hold_until:
                return given_up(run)

    def _send(self, run: Run, answer: Whole) -> Refusal | None:
        """A whole answer, once it is booked. Nothing waits in between, so that what was booked leaves."""
        run.unsent = None
        refusal = self._book(run)
        if refusal is None:
            answer.send()
        return refusal

    async def _picked(self, run: Run, now: float) -> EndpointState | Refusal | None:
        """The endpoint that the deployment's endpoint picker chooses; by load where it chooses none that is there."""
        target = run.target
        choices = {f"{state.facts.address}:{state.facts.port}": state for state in target.choices(now, run.pods)}
        if not choices or not run.call.repeatable:  # a body that can be read once is the engine's
            return target.choose(now, run.pods)
        request = run.call.engine_request(self._admission(run)[0])
        headers = ((":method", request.method), (":path", request.path), *request.headers)
        facts = target.facts
        verdict = await self._pickers().pick(facts.picker, facts.key[0], headers, request.whole, list(choices))
        if isinstance(verdict, TurnedAway):
            return turned_away(run.call.model, verdict.status)
        named = verdict.endpoints if verdict is not None else ()
        return next((choices[one] for one in named if one in choices), None) or target.choose(now, run.pods)

    def _admission(self, run: Run) -> tuple[Admission, str]:
        """What the engine is told, and the name that it knows the model by."""
        facts, endpoint_set = run.target.facts, run.target.endpoint_set
        called = run.call.model.rpartition("/")[2]
        model = called if called in facts.adapters else endpoint_set.model_name
        salt, cap = run.cache_salt, run.output_cap
        forwarded = run.forwarded if run.trace is None else (*run.forwarded, *run.trace.onward())
        return Admission(endpoint_set.engine, model, salt, cap, run.intent.request_id, forwarded), model

    async def _park(self, run: Run, until: float) -> Refusal | None:
        """Wait at the target. The heartbeats of a stream go on over several waits, while no engine has it."""
        run.begin_heartbeats()
        try:
            refusal = await run.target.park(until, run.intent.caller.project)
        except asyncio.CancelledError:
            run.stop_heartbeats()
            raise
        if refusal is not None:
            run.stop_heartbeats()
        return refusal

    async def _wait(self, run: Run, endpoint: EndpointState, now: float) -> EndpointState | Refusal | None:
        """Wait until the endpoint's revision has room. An endpoint, with a place; None to choose anew."""
        gate, target, model = endpoint.gate, run.target, run.call.model
        if run.travel is not None and run.travel.answers_elsewhere(Cause.OVERLOADED, now):
            run.cause = Cause.OVERLOADED
            return gate.turn_away(model, run.priority)
        run.begin_heartbeats()
        project = run.intent.caller.project
        tokens = gate.probable_tokens(project, run.prompt_bytes, run.estimate)
        waiting = target.book.count(target.facts.key, endpoint.facts.revision)
        waiting.parked += 1
        try:
            answer = await gate.wait(model, project, run.priority, tokens)
        except asyncio.CancelledError:
            run.stop_heartbeats()
            raise
        finally:
            waiting.parked -= 1
        if isinstance(answer, Refusal):
            run.stop_heartbeats()
            run.cause = Cause.OVERLOADED
            return answer
        if answer is None:
            return None
        run.place = Place(gate, answer)
        return target.choose_again(endpoint, gate, run.pods, run.ask, self._loop.time())

    def _verdict(self, run: Run, endpoint: EndpointState, failure: "EngineFailureError | Refusal") -> Refusal | None:
        """None to try elsewhere."""
        run.pods |= {endpoint.facts.pod}
        if isinstance(failure, Refusal):
            run.cause = Cause.FAILED if failure.status >= 500 else None
            return failure
        run.cause = CAUSES.get(failure.kind, Cause.FAILED)
        if failure.kind == "timeout":
            return self._timed_out(run, failure)
        rule = run.travel.leg.rule if run.travel is not None else None
        if rule is None or rule.attempts is None:
            most = MOST_TRIES
        elif RETRY_CAUSES[failure.kind] in rule.retries:
            most = rule.attempts + 1
        else:
            most = 0
        if failure.kind == "connect" and most > 1:
            return None
        if not run.call.repeatable:
            return given_up(run)
        run.reached += 1
        if run.reached >= most or not run.target.may_retry():
            return given_up(run)
        return None

    async def _try(self, run: Run, endpoint: EndpointState) -> "EngineFailureError | Refusal | None":
        """One endpoint. None where the caller was answered; a refusal is final; a failure may be tried elsewhere."""
        target, began = run.target, self._loop.time()
        counter = target.book.count(target.facts.key, endpoint.facts.revision)
        run.revision = endpoint.facts.revision
        endpoint.in_flight += 1
        run.share = share = endpoint.time.begin(began) if target.facts.accelerators else None
        run.prompt_goes_to(endpoint)
        counter.in_flight += 1
        outcome = LEFT
        try:
            verdict = await self._ask(run, endpoint)
            outcome = "ok"
            if isinstance(verdict, Refusal):
                outcome = verdict.code
                run.usage = NOTHING_USED
            elif verdict is not None:
                outcome = verdict.kind
        finally:
            endpoint.in_flight -= 1
            run.share = None
            if share is not None:
                run.accelerator_seconds += target.facts.accelerators * endpoint.time.end(share, self._loop.time())
            run.engine_began()
            counter.in_flight -= 1
            now = self._loop.time()
            if run.runner is not None and run.runner.lost:
                outcome = "outrun"
            run.tries.append(Tried(endpoint.facts.pod, outcome, (now - began) * 1000))
            if run.trace is not None:
                facts = endpoint.facts
                port = facts.grpc_port if run.over_grpc and facts.grpc_port is not None else facts.port
                run.trace.asked(began, now, facts.address, port)
        if isinstance(verdict, EngineFailureError):
            if verdict.kind == "overloaded" and run.place is not None:
                run.place.refused(run.intent.caller.project, now)
            endpoint.gate.refit(now)
        elif verdict is None and run.place is not None and not run.code:
            run.place.answered(run.usage, now - began, now)
        return verdict

    async def _ask(self, run: Run, endpoint: EndpointState) -> "EngineFailureError | Refusal | None":
        admission, model = self._admission(run)
        request = run.call.engine_request(admission)
        run.over_grpc = request.grpc
        address = endpoint.grpc_address if request.grpc else endpoint.address
        if address is None:
            return self._without_grpc(run, endpoint)
        fresh = request.stream is not None  # cannot be sent twice, so not on a connection that may be gone
        while True:
            answer = run.answer = run.call.answer(run.keeper or run.responder, run.headers, model)
            sink = self._sink(run, endpoint, answer)
            connection: Connection | None = None if fresh else self._pool.idle(address)
            stale = False
            try:
                if connection is None:
                    connection = await (self._pool.call(address) if request.grpc else self._pool.connect(address))
                stale = connection.used
                run.responder.source = connection
                connection.listener = run
                run.asked = (endpoint.address, model)
                first_byte, idle = self._waits(run)
                if isinstance(sink, SpendingSink):
                    sink.fail = connection.fail
                gate = None if run.runner is None else run.runner.gate(sink, connection)
                try:
                    await connection.exchange(request, gate or sink, first_byte, idle)
                except EngineFailureError as failure:
                    if failure.kind == "outrun" or not told_its_end(sink):
                        raise
                if gate is not None:
                    gate.begin()
                if isinstance(sink, SpendingSink):
                    await sink.rest()
            except asyncio.CancelledError:
                if connection is not None:  # the engine was at work for a caller who left: what can be counted, is
                    run.usage = answer.so_far()
                raise
            except SpentError as spent:
                run.status, run.code = 200, spent.refusal.code
                answer.break_off(spent.refusal)
                return None
            except BadRequestError as problem:
                return problem.refusal  # the caller's body turned out to be none
            except EngineFailureError as failure:
                if failure.kind == "outrun":
                    return failure
                if stale and failure.kind == "broken" and not failure.began:
                    fresh = True  # the engine had closed a connection that we kept: no fault of it
                    continue
                self._blame(run, endpoint, failure)
                if run.responder.started:
                    self._break_off(run, answer, failure)
                return failure
            finally:
                if isinstance(sink, SpendingSink):
                    sink.closed = True
                self._let_go(run, address, connection)
                if run.responder.started:
                    run.usage = answer.so_far()
            return self._finish(run, endpoint, answer)

    def _let_go(self, run: Run, address: Address, connection: "Connection | None") -> None:
        """The exchange is over, or never came about."""
        if run.responder.source is connection:  # of two that were asked, the other one may be its source
            run.responder.source = None
        if connection is not None:
            run.first_byte_at = connection.first_byte_at
            self._pool.release(address, connection)

    def _without_grpc(self, run: Run, endpoint: EndpointState) -> "EngineFailureError | Refusal":
        """It has no port for gRPC. No fault of it; its fellows may have one, in the middle of a rollout."""
        run.pods |= {endpoint.facts.pod}
        now = self._loop.time()
        others = [one for one in run.target.endpoints() if one.grpc_address and one.takes_requests(now)]
        if any(one.facts.pod not in run.pods for one in others):
            return EngineFailureError("connect", False, "no port for gRPC")
        return run.target.not_ready("no replica that is ready has a port for gRPC, over which alone it is asked")

    def _sink(self, run: Run, endpoint: EndpointState, answer: Answer) -> "EngineSink | SpendingSink":
        """Where a try's response goes; while it does, limits and budgets know how far it is."""
        reservation = run.reservation
        if reservation is None:
            return answer
        sink: EngineSink | SpendingSink = answer
        so_far = answer.so_far
        allowance = reservation.allowance
        if allowance is not None:
            ms_used = partial(self._ms_used, run, endpoint)
            so_far, sink = partial(_so_far, answer, ms_used), sink_of(answer, allowance, ms_used)
        reservation.watch(so_far)
        if run.runner is not None:
            run.runner.watch = partial(reservation.watch, so_far)
        return sink

    def _ms_used(self, run: Run, endpoint: EndpointState) -> int:
        """Of accelerators, until now."""
        seconds = run.accelerator_seconds
        if run.share is not None:
            seconds += run.target.facts.accelerators * endpoint.time.so_far(run.share, self._loop.time())
        return int(seconds * 1000)

    def _waits(self, run: Run) -> tuple[float, float]:
        """Seconds until the first byte, and between two parts of an answer."""
        first_byte, idle = self._first_byte_seconds, run.target.facts.idle_seconds
        if run.travel is not None:
            rule = run.travel.leg.rule
            first_byte = first_byte if rule.first_byte_seconds is None else rule.first_byte_seconds or NEVER
            idle = idle if rule.idle_seconds is None else rule.idle_seconds or NEVER
        return first_byte, idle

    def _timed_out(self, run: Run, failure: EngineFailureError) -> Refusal:
        first_byte, idle = self._waits(run)
        if failure.began:
            return timed_out(run.call.model, f"sent nothing for {idle:g} s within its answer (its idle time-out)")
        return timed_out(run.call.model, f"did not begin to answer within {first_byte:g} s")

    def _finish(self, run: Run, endpoint: EndpointState, answer: Answer) -> "EngineFailureError | Refusal | None":
        elsewhere = answer.status in ELSEWHERE
        if answer.status == 429 and run.call.operation != "infer":
            endpoint.answered_429(run.intent.caller.project_id, self._loop.time())
        elif answer.status == 503 or (run.call.operation != "infer" and elsewhere):
            endpoint.answered_with_error(self._loop.time())
        elif answer.status < 500 and not elsewhere:
            endpoint.succeeded(run.intent.caller.project_id, self._loop.time)
        elif run.call.operation != "infer":
            run.target.answered_500(endpoint, run.intent.caller.project_id, self._loop.time())
        # Any other error of an inference counts neither way: a model's code fails at what one caller sent.
        if elsewhere:
            self._failures.answered(run.target, endpoint, run.call.operation, answer.status)
            kind: FailureKind = "overloaded" if answer.status == 429 else "unavailable"
            return EngineFailureError(kind, True, f"engine answered {answer.status}")
        result = answer.complete()
        if isinstance(result, Usage):
            run.usage, run.status, run.code = result, 200, ""
            if run.call.whole:
                whole = cast("Whole", answer)
                if run.booked_at_end:
                    whole.send()
                else:
                    run.unsent = whole
            return None
        if result.code not in CALLERS_OWN:
            self._failures.answered(run.target, endpoint, run.call.operation, answer.status)
        if run.responder.started:
            self._break_off(run, answer, EngineFailureError("broken", True, "unfit response"))
            return None
        return result

    def _blame(self, run: Run, endpoint: EndpointState, failure: EngineFailureError) -> None:
        self._failures.failed(run.target, endpoint, failure)
        now = self._loop.time()
        if failure.kind == "timeout":
            endpoint.answered_with_error(now)
        else:
            endpoint.broke(now)

    def _break_off(self, run: Run, answer: Answer, failure: EngineFailureError) -> None:
        refusal = self._timed_out(run, failure) if failure.kind == "timeout" else broken(run.call.model)
        run.usage = answer.so_far()
        run.status, run.code = 200, refusal.code
        answer.break_off(refusal)


def _so_far(answer: Answer, ms_used: Callable[[], int]) -> Usage:
    return replace(answer.so_far(), accelerator_ms=ms_used())


def told_its_end(sink: "EngineSink | SpendingSink") -> bool:
    """The caller has the stream's own last words, or will: a connection that ends behind them is not kept, no more."""
    return isinstance(sink, SpendingSink | Generating) and sink.told_its_end()


def broken(model: str) -> Refusal:
    """502."""
    return Refusal(502, "upstream_error", f"Model '{model}' failed while it answered; try again.")


def given_up(run: Run) -> Refusal:
    """502; 503 where the last engine that was asked takes no more for now."""
    if run.cause is not Cause.OVERLOADED:
        return broken(run.call.model)
    message = f"Model '{run.call.model}' takes no more requests now; try again in {BUSY_SECONDS} s."
    return Refusal(503, "overloaded", message, (("retry-after", str(BUSY_SECONDS)),))


def turned_away(model: str, status: int) -> Refusal:
    """429 or 503: as the endpoint picker says."""
    message = f"Model '{model}': its endpoint picker takes no more requests now; try again."
    return Refusal(429 if status == 429 else 503, "model_not_ready", message, (("retry-after", "1"),))


def timed_out(model: str, what: str) -> Refusal:
    """504; `what` took too long."""
    return Refusal(504, "upstream_timeout", f"Model '{model}' {what}; ask for less at once, or try again.")
