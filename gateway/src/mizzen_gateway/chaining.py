"""How does a request go through the models of a pipeline? Step by step: each admitted, metered and paid by itself.

A step whose model fails goes on to the fallbacks of its route, the whole request then to those of the pipeline's rule.
What was used until then is paid; all rows have the request's id.
"""

from collections.abc import Awaitable, Callable
from typing import Any

import orjson

from mizzen_gateway.engine.pool import EnginePool
from mizzen_gateway.protocols.asks import SESSION_HEADER
from mizzen_gateway.protocols.call import Call
from mizzen_gateway.protocols.open_inference import call as open_inference
from mizzen_gateway.protocols.open_inference.grpc.held import HeldResponder
from mizzen_gateway.protocols.open_inference.metadata import metadata_of
from mizzen_gateway.protocols.parsing import parsed
from mizzen_gateway.protocols.steps import (
    CALLED_BY,
    Values,
    chat_of,
    tensors_of,
    values_of_answer,
    values_of_request,
)
from mizzen_gateway.routing.route import REQUEST_STEP, StepFacts
from mizzen_gateway.routing.table import wrong_protocol
from mizzen_gateway.routing.way import Leg, Way
from mizzen_gateway.stages import Refusal
from mizzen_gateway.travelling import Travel
from mizzen_gateway.wire.request import Request
from mizzen_gateway.wire.response import Responder

Serve = Callable[[Call, Travel, Request, Responder], Awaitable[Refusal | None]]


OF_THE_BODY = frozenset(
    {b"accept-encoding", b"content-encoding", b"content-length", b"content-type", open_inference.HEADER_LENGTH}
)
"""Headers that say something of what the caller sent, and nothing of what a step is asked."""


class Chain:
    """One request on its way through a pipeline."""

    def __init__(
        self, way: Way, call: Call, request: Request, pool: EnginePool, body_limit: int, clock: Callable[[], float]
    ) -> None:
        """`clock` tells loop time."""
        self._way = way
        self._clock = clock
        self.travel = Travel(way, way.steps[-1][1], clock(), asked=(call, request))
        """Begins at the last step, whose answer may be kept."""
        self._call = call
        self._request = request
        self._pool = pool
        self._body_limit = body_limit
        self._body: dict[str, Any] = {}
        self._known: dict[str, Values] = {}

    async def run(self, serve: Serve, responder: Responder) -> Refusal | None:
        """Ask one model after the other; the last one's answer is the caller's."""
        steps, before = self._way.steps, REQUEST_STEP
        for number, (step, leg) in enumerate(steps, 1):
            self.travel.answers = number == len(steps)
            refusal = await self._through(step, leg, before, serve, responder)
            if refusal is not None:
                return refusal
            before = step.name
        return None

    def instead(self) -> Travel | None:
        """After a step has failed: the way on of the whole request, where a fallback of the rule takes it."""
        travel = self.travel
        leg = None if travel.cause is None else self._way.instead(travel.cause, self._clock())
        if leg is None:
            return None
        self._way.been.clear()
        travel.leg, travel.cause, travel.answers, travel.asked, travel.keep = leg, None, True, None, None
        return travel

    async def _through(
        self, step: StepFacts, leg: Leg, before: str, serve: Serve, responder: Responder
    ) -> Refusal | None:
        """One step: its deployment, then those that its route falls back on."""
        travel, been = self.travel, self._way.been
        been.clear()
        travel.step_began_at = self._clock()
        while True:
            travel.leg, travel.cause = leg, None
            been.add(leg.target.facts.key)
            made = await self._asked(step, leg, before, travel.answers)
            if isinstance(made, Refusal):
                return made
            call, request = made
            held = HeldResponder()
            refusal = await serve(call, travel, request, responder if travel.answers else held)
            if refusal is None:
                if not travel.answers:
                    self._known[step.name] = values_of_answer(leg.target.endpoint_set.protocol, held.body)
                return None
            following = travel.following(self._clock())
            if following is None:
                return refusal
            leg = following

    def refusal(self) -> Refusal | None:
        """What the caller sent, if it is what the last model answers."""
        operation = self._call.operation
        last = self._way.steps[-1][1].target
        if operation not in CALLED_BY or not self._request.body:
            message = (
                f"Model '{self._call.model}' is a pipeline: call it by chat completions, completions or infer (HTTP)."
            )
            return Refusal(400, "not_offered", message, param="model")
        refusal = wrong_protocol(self._call.protocol, self._call.model, last.endpoint_set)
        if refusal is None:
            end = int(self._request.headers.get(open_inference.HEADER_LENGTH, b"0")) or len(self._request.body)
            self._body = orjson.loads(self._request.body[:end])
            self._known = {REQUEST_STEP: values_of_request(operation, self._body)}
        return refusal

    async def _asked(self, step: StepFacts, leg: Leg, before: str, last: bool) -> tuple[Call, Request] | Refusal:
        """The call of a step. The last one is the caller's own but for what goes in."""
        if last and (refusal := wrong_protocol(self._call.protocol, self._call.model, leg.target.endpoint_set)):
            return refusal
        if leg.target.endpoint_set.protocol == "OpenInference":
            return await self._tensors(step, leg, before, last)
        prompt = chat_of(step, self._known, before)
        if isinstance(prompt, Refusal):
            return prompt
        body: dict[str, Any] = dict(self._body) if last else {}
        operation = self._call.operation if last else "chat.completions"
        body["model"] = self._call.model
        if operation == "completions":
            body["prompt"] = prompt
        else:
            body["messages"] = [{"role": "user", "content": prompt}]
        request = self._inner(body)
        call = parsed(operation, request)
        return call if isinstance(call, Refusal) else (call, request)

    async def _tensors(self, step: StepFacts, leg: Leg, before: str, last: bool) -> tuple[Call, Request] | Refusal:
        metadata = next(iter(await metadata_of(leg.target, self._pool)), None)
        tensors = tensors_of(step, self._known, before, metadata)
        if isinstance(tensors, Refusal):
            return tensors
        kept: dict[str, Any] = (
            {field: self._body[field] for field in ("id", "outputs") if field in self._body} if last else {}
        )
        request = self._inner({**kept, "inputs": tensors})
        call = await open_inference.parse(self._call.model, None, request, self._body_limit)
        return call if isinstance(call, Refusal) else (call, request)

    def _inner(self, body: dict[str, Any]) -> Request:
        asked = self._request
        headers = {name: value for name, value in asked.headers.items() if name not in OF_THE_BODY}
        if SESSION_HEADER not in headers and (session := self._call.session()):
            headers[SESSION_HEADER] = session.encode()
        raw = orjson.dumps(body)
        made = Request(asked.method, asked.target, asked.path, headers, True, True, body=raw, caller=asked.caller)
        made.trace, made.line = asked.trace, asked.line
        return made
