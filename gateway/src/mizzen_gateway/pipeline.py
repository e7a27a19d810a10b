"""The path of one request, from its first byte to its usage row: read this file first.

`Pipeline._infer` and `_serve` are the order of things; the stages are interfaces (`stages.py`), put together by
`wiring.py`.
"""

import asyncio
import hashlib
import hmac
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import UTC, datetime
from types import CoroutineType
from typing import Any, cast

from mizzen_gateway.auth.api_key import shown_key
from mizzen_gateway.auth.client_address import Origins, address_of_grpc, peer_of
from mizzen_gateway.auth.key_scope import operation_refused
from mizzen_gateway.caching import Keep, KeepingResponder, ResponseCache, cut_short
from mizzen_gateway.chaining import Chain
from mizzen_gateway.engine.pool import EnginePool
from mizzen_gateway.forwarding import Forwarder, Pickers, timed_out
from mizzen_gateway.logged_request import logged
from mizzen_gateway.mirroring import Mirrors
from mizzen_gateway.overload.priority import priority_of
from mizzen_gateway.protocols import surface
from mizzen_gateway.protocols.asks import ask_of
from mizzen_gateway.protocols.call import Call
from mizzen_gateway.protocols.desk import Desk
from mizzen_gateway.protocols.lookups import look_up
from mizzen_gateway.protocols.open_inference import call as open_inference
from mizzen_gateway.protocols.openai import transcription
from mizzen_gateway.protocols.openai.held_file import HeldFiles
from mizzen_gateway.protocols.openai.media_urls import NO_HOSTS, Hosts
from mizzen_gateway.protocols.openai.operations import OPERATIONS
from mizzen_gateway.protocols.parsing import parsed
from mizzen_gateway.protocols.surface import Route
from mizzen_gateway.recalling import keep_for
from mizzen_gateway.routing.deployment import EVERYBODY
from mizzen_gateway.routing.table import RouteTable, wrong_protocol
from mizzen_gateway.routing.target import Target
from mizzen_gateway.settling import Settling
from mizzen_gateway.stages import (
    AccessView,
    Authenticator,
    Caller,
    Estimate,
    Headers,
    Intent,
    Meter,
    Observer,
    Quota,
    Refusal,
    Reservation,
    Usage,
)
from mizzen_gateway.stopping import CUT, STOPPING, is_cut
from mizzen_gateway.telemetry.access_log import AccessLog
from mizzen_gateway.trace_context import WRITTEN_HERE, OfBatch, Recorded, Unrecorded
from mizzen_gateway.tracing.tracer import Tracer
from mizzen_gateway.travelling import Travel, travel
from mizzen_gateway.under_way import Run
from mizzen_gateway.wire.request import Request
from mizzen_gateway.wire.response import HeaderList, Responder

JSON = ("content-type", "application/json")
NO_TOKENS = Estimate(0, 0, 0, forwarded=False)
PUBLIC_PATHS = frozenset(path for path, route in surface.GETS.items() if route.public)


@dataclass(frozen=True, slots=True)
class Stages:
    """Those who decide."""

    authenticator: Authenticator
    access: AccessView
    quota: Quota
    meter: Meter
    observer: Observer


class Pipeline:
    """Answers requests; a `Handler` of the wire."""

    def __init__(
        self,
        stages: Stages,
        table: RouteTable,
        pool: EnginePool,
        *,
        salt_secret: bytes,
        body_limit: int,
        first_byte_seconds: float,
        pickers: Callable[[], Pickers],
        desk: Desk,
        forwarded_headers: tuple[str, ...] = (),
        media_hosts: Hosts = NO_HOSTS,
        tracer: Tracer | None = None,
        lines: AccessLog | None = None,
        origins: Origins | None = None,
    ) -> None:
        """`tracer` where spans are wanted, `lines` where an access log is."""
        self._stages = stages
        self._tracer = tracer
        self._lines = lines
        self._table = table
        self._pool = pool
        self._desk = desk
        self._origins = origins or Origins()
        self._salt_secret = salt_secret
        self._body_limit = body_limit
        written = WRITTEN_HERE if tracer is not None else frozenset()
        self._media_hosts = media_hosts
        self._forwarded_headers = tuple((name, name.encode()) for name in forwarded_headers if name not in written)
        self._settling = Settling(stages.meter, stages.observer, pool, tracer)
        self.settled = self._settling.settled
        self._forwarder = Forwarder(pool, first_byte_seconds, self._intend, self._settling.book, pickers)
        self.hedges = self._forwarder.hedges
        self.mirrors = Mirrors(pool)
        self._loop = asyncio.get_running_loop()
        varies = tuple(key for name, key in self._forwarded_headers if name not in WRITTEN_HERE)
        self.cache = ResponseCache(self._loop.time, varies=varies)
        self._salts: dict[str, str] = {}
        self.held_files = HeldFiles()

    # 1 and 2: parse, key

    def vet(self, request: Request, transport: asyncio.BaseTransport) -> None:
        """Before a byte of the body is kept: whose key is it, and may it be used from there?"""
        if request.path in PUBLIC_PATHS:
            return
        verdict = self._stages.authenticator.authenticate(request.headers)
        if isinstance(verdict, Caller) and verdict.addresses is not None:
            verdict = self._origins.refusal(verdict, peer_of(transport), request.headers) or verdict
        if isinstance(verdict, Refusal):
            request.refusal = verdict
        else:
            request.caller = verdict
            request.streamed = request.path in surface.STREAMED and request.method == b"POST"

    def handle(self, request: Request, responder: Responder) -> Coroutine[Any, Any, None]:
        """Answer one request."""
        if self._lines is None:
            return self._handle(request, responder)
        return logged(self._lines, request, self._handle(request, responder))

    async def _handle(self, request: Request, responder: Responder) -> None:
        template = "unparsed"
        refusal = request.refusal
        if refusal is None:
            route = surface.find(request.method, request.path)
            if isinstance(route, Refusal):
                refusal = route
            else:
                template = route.template
                try:
                    refusal = await self._traced(template, request, responder, self._answer(route, request, responder))
                except asyncio.CancelledError as cancelled:
                    if not is_cut(cancelled) or responder.begun:
                        raise
                    refusal = STOPPING
        if refusal is not None:
            self._stages.observer.refused(template, refusal)
            refuse(request, responder, refusal)
        if request.line is not None:
            request.line.over(refusal)

    def refuse(self, request: Request, responder: Responder, refusal: Refusal) -> None:
        """Say no after an error of our own."""
        self._stages.observer.refused("unanswered", refusal)
        if request.line is not None:
            request.line.over(refusal)
        refuse(request, responder, refusal)

    def _traced(
        self, template: str, request: Request, responder: Responder, answering: Coroutine[Any, Any, Refusal | None]
    ) -> Coroutine[Any, Any, Refusal | None]:
        """The same; in a trace, where spans are wanted and the key is good."""
        if self._tracer is None or request.caller is None:
            return answering
        trace = request.trace = self._tracer.begin(request.headers)
        if isinstance(trace, Unrecorded):
            return answering
        method = request.method.decode("latin-1")
        return self._tracer.around(trace, template, method, request.caller, answering, responder)

    async def _answer(self, route: Route, request: Request, responder: Responder) -> Refusal | None:
        caller = request.caller
        if caller is None:
            return self._health(route, responder)
        if caller.operations is not None and (refusal := operation_refused(caller, route.action)) is not None:
            return refusal
        if route.action in OPERATIONS:
            call: Call | Refusal = parsed(route.action, request, self._media_hosts)
        elif route.action == "audio.transcriptions":
            with self.held_files.one(caller.key_id) as held:
                call = await transcription.parse(request, held)
                return call if isinstance(call, Refusal) else await self._infer(call, caller, request, responder)
        elif route.action == "infer":
            # The path names the model: whether there is one comes before what is wrong with the body.
            found = self._table.way(caller, route.model, request.headers)
            if isinstance(found, Refusal):
                return found
            call = await open_inference.parse(route.model, route.version, request, self._body_limit)
        elif route.action in surface.KEPT:
            return await self._desk.answer(route, caller, request, responder)
        else:
            body = await look_up(route, caller, self._table, self._pool)
            if isinstance(body, Refusal):
                return body
            responder.send(200, (JSON,), body)
            return None
        return call if isinstance(call, Refusal) else await self._infer(call, caller, request, responder)

    def _health(self, route: Route, responder: Responder) -> Refusal | None:
        if route.action == "server.ready" and not self._stages.access.ready:
            return Refusal(
                503, "not_ready", "This gateway has no access snapshot yet; try again.", (("retry-after", "1"),)
            )
        responder.send(200, (JSON,), b"{}")
        return None

    # Calls that do not come over HTTP: see `protocols/open_inference/grpc/service.py`.

    @property
    def ready(self) -> bool:
        """Keys can be told apart."""
        return self._stages.access.ready

    def caller_of(self, headers: Headers, peer: Callable[[], str]) -> Caller | Refusal:
        """Whose key it is, where it may be used from there."""
        verdict = self._stages.authenticator.authenticate(headers)
        if isinstance(verdict, Refusal) or verdict.addresses is None:
            return verdict
        return self._origins.refusal(verdict, address_of_grpc(peer()), headers) or verdict

    async def describe(self, route: Route, caller: Caller, headers: Headers, template: str) -> bytes | Refusal:
        """What is answered without an engine's work."""
        found = await look_up(route, caller, self._table, self._pool)
        self.over(template, headers, found if isinstance(found, Refusal) else None, caller, route.model)
        return found

    async def serve(
        self, call: Call, caller: Caller, headers: Headers, responder: Responder, template: str
    ) -> Refusal | None:
        """Key to settlement."""
        if caller.operations is not None and (refused := operation_refused(caller, call.operation)) is not None:
            self.over(template, headers, refused, caller, call.model)
            return refused
        request = Request(b"POST", b"/v2", b"/v2", dict(headers), True, True, caller=caller)
        answering = self._traced(template, request, responder, self._infer(call, caller, request, responder))
        return await self._counted(request, template, answering)

    async def run_line(self, request: Request, responder: Responder, of_batch: OfBatch | None) -> Refusal | None:
        """A request that came over no connection, the line of a batch, whose caller is known."""
        route = surface.find(request.method, request.path)
        if isinstance(route, Refusal):
            self.over("unparsed", request.headers, route, request.caller)
            return route
        answering = self._traced(route.template, request, responder, self._answer(route, request, responder))
        if isinstance(request.trace, Recorded):
            request.trace.of_batch = of_batch
        return await self._counted(request, route.template, answering)

    async def _counted(
        self, request: Request, template: str, answering: Coroutine[Any, Any, Refusal | None]
    ) -> Refusal | None:
        """A request that came over no connection."""
        lines = self._lines
        refusal = await (answering if lines is None else logged(lines, request, answering, template))
        if refusal is not None:
            self._stages.observer.refused(template, refusal)
        if request.line is not None:
            request.line.over(refusal)
        return refusal

    def over(
        self, template: str, headers: Headers, refusal: Refusal | None, caller: Caller | None = None, model: str = ""
    ) -> None:
        """One that got no further, or wanted no more than was known."""
        if refusal is not None:
            self._stages.observer.refused(template, refusal)
        if self._lines is not None:
            line = self._lines.begin(template, caller)
            line.key, line.model = line.key or shown_key(headers), model
            line.over(refusal)

    # The rest, in order

    async def _infer(self, call: Call, caller: Caller, request: Request, responder: Responder) -> Refusal | None:
        if request.line is not None:
            request.line.model = call.model
        # 2: grant
        found = self._table.way(caller, call.model, request.headers)
        if isinstance(found, Refusal):
            return found
        if isinstance(found, Target):
            return await self._serve(call, caller, found, request, responder)

        if found.steps:

            async def ask(step: Call, leg: Travel, inner: Request, to: Responder) -> Refusal | None:
                return await self._serve(step, caller, leg.leg.target, inner, to, leg)

            chain = Chain(found, call, request, self._pool, self._body_limit, self._loop.time)
            refusal = chain.refusal()
            if refusal is not None:
                return refusal
            chain.travel.keep = keep = keep_for(self.cache, call, caller, request, chain.travel)
            if keep is None or keep.found is None:
                refusal = await chain.run(ask, responder)
                leg = None if refusal is None else chain.instead()
                if leg is None:
                    return refusal
            else:
                leg = chain.travel
        else:
            leg = Travel(found, found.first, self._loop.time())

        async def serve(leg: Travel) -> Refusal | None:
            return await self._serve(call, caller, leg.leg.target, request, responder, leg)

        return await travel(leg, serve, self._loop.time)

    async def _serve(
        self,
        call: Call,
        caller: Caller,
        target: Target,
        request: Request,
        responder: Responder,
        under_way: Travel | None = None,
    ) -> Refusal | None:
        """The rest, at one deployment; `under_way` where a route leads to it."""
        started_at = datetime.now(UTC)
        # 3: admit
        refusal = wrong_protocol(call.protocol, call.model, target.endpoint_set) or await call.check(target, self._pool)
        if refusal is not None:
            return refusal
        priority = priority_of(request.headers, caller.priority)
        if isinstance(priority, Refusal):
            return priority
        # 4: reserve
        model = served_name(caller, target)
        keep = None if under_way is None else keep_for(self.cache, call, caller, request, under_way)
        estimate = NO_TOKENS if keep is not None and keep.found is not None else call.estimate(target)
        asked = self._stages.quota.reserve(caller, model, estimate, time.time(), call.end_user)
        # What is awaitable here is a coroutine; to ask whether it is an Awaitable would take a microsecond.
        told = await asked if isinstance(asked, CoroutineType) else asked
        reservation = cast("Reservation | Refusal", told)
        if isinstance(reservation, Refusal):
            return reservation
        run = self._run(call, caller, target, model, started_at, reservation, request, responder, under_way)
        run.prompt_bytes, run.priority, run.estimate = call.prompt_bytes, priority, estimate
        if target.affinity is not None:
            run.ask = ask_of(target.facts.policy, call, request.headers, caller.project_id)
        run.reservation = reservation
        try:
            # 5 to 7: route, forward (with a durable intent before an engine works), stream
            refusal = await (self._forward(run) if keep is None else self._forward_or_recall(run, keep))
            if refusal is not None:
                run.refuse(refusal)
                refusal = run.named(refusal)
        except asyncio.CancelledError as cancelled:
            if not is_cut(cancelled):
                raise
            run.cause = None
            refusal = run.cut(STOPPING, CUT)
            return None if refusal is None else run.named(refusal)
        except Exception:
            run.status, run.code = 500, "internal_error"
            raise
        else:
            return refusal
        finally:
            run.leave()
            if run.trace is not None:
                run.trace.ended(run.code)
            # 8: settle, exactly once
            self._settling.end(run, reservation)
            if under_way is not None:
                under_way.cause = run.cause if call.repeatable else None

    async def _forward_or_recall(self, run: Run, keep: Keep) -> Refusal | None:
        """Give a kept answer again, or keep the engine's."""
        if keep.found is None:
            run.keeper = KeepingResponder(run.responder)
            refusal = await self._forward(run)
            kept = run.keeper.kept
            if refusal is None and kept is not None and not cut_short(kept, run.output_cap):
                self.cache.put(keep.key, kept)
            return refusal
        refusal = self._intend(run)
        if refusal is None:
            run.intended = True
            body, age = keep.found
            run.usage, run.status, run.code = Usage(response_cache_hit=True), 200, ""
            run.responder.send(200, (JSON, ("age", str(age)), *run.headers), body)
        return refusal

    def _run(
        self,
        call: Call,
        caller: Caller,
        target: Target,
        model: str,
        started_at: datetime,
        reservation: Reservation,
        request: Request,
        responder: Responder,
        under_way: Travel | None,
    ) -> Run:
        mint = self._stages.meter.new_request_id
        request_id = mint() if under_way is None else under_way.mint(mint)
        namespace, name = target.facts.key
        intent = Intent(request_id, caller, model, namespace, name, call.operation, started_at)
        headers = (("x-request-id", request_id), *reservation.headers)
        forwarded: HeaderList = ()
        if self._forwarded_headers:
            held = request.headers
            forwarded = tuple(
                (name, held[key].decode("latin-1")) for name, key in self._forwarded_headers if key in held
            )
        run = Run(
            call,
            target,
            intent,
            responder,
            headers,
            reservation.output_cap,
            self._salt(caller.project_id),
            forwarded,
            self._loop.time(),
        )
        if request.trace is not None:
            run.trace = request.trace.leg(intent)
        if request.line is not None:
            run.line = request.line
            run.line.leg_begins(intent)
        if under_way is not None:
            run.travel = under_way
            if not under_way.copied:
                under_way.copied = True
                copies = under_way.way.copies()
                cap = run.output_cap
                if under_way.asked is not None:  # a copy is asked all of it, in one
                    call, cap = under_way.asked[0], None
                self.mirrors.send(copies, call, run.cache_salt, cap, request_id)
        return run

    def _forward(self, run: Run) -> Coroutine[Any, Any, Refusal | None]:
        seconds: float | None = run.target.facts.request_seconds
        if run.travel is not None:
            own = run.travel.seconds_left(self._loop.time())
            seconds = seconds if own is None else own
        return self._forward_within(run, seconds) if seconds else self._forwarder.forward(run)

    async def _forward_within(self, run: Run, seconds: float) -> Refusal | None:
        try:
            async with asyncio.timeout(seconds):
                return await self._forwarder.forward(run)
        except TimeoutError:
            return run.cut(
                timed_out(run.call.model, "did not end its answer in time (its request time-out)"), "timeout"
            )

    def _intend(self, run: Run) -> Refusal | None:
        """6: say durably that an engine will be asked."""
        held = run.reservation
        return None if held is None else self._stages.meter.intend(run.intent, held.bound)

    def _salt(self, project_id: str) -> str:
        salt = self._salts.get(project_id)
        if salt is None:
            salt = hmac.new(self._salt_secret, b"cache-salt:" + project_id.encode(), hashlib.sha256).hexdigest()
            self._salts[project_id] = salt
        return salt


def refuse(request: Request, responder: Responder, refusal: Refusal) -> None:
    """Say no, in the words of the protocol that the path belongs to."""
    if responder.started:
        responder.break_off()
        return
    if responder.waiting is not None:
        responder.give_up_waiting(refusal)
        return
    body = surface.dialect_of(request.target).render(refusal)
    responder.send(refusal.status, (JSON, *refusal.headers), body)


def served_name(caller: Caller, target: Target) -> str:
    """The name that limits, prices and rows are kept under: never an alias."""
    tenant = target.facts.tenant
    if tenant in (caller.project, EVERYBODY):
        return target.name
    return f"{tenant}/{target.name}"
