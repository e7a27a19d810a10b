"""How does a request go through the models of a pipeline? Step by step: each admitted, metered and paid by itself.

The first step that is refused ends it. What the steps before have used is paid; their rows have the request's id.
"""

from collections.abc import Awaitable, Callable
from typing import Any

import orjson

from mizzen_gateway.engine.pool import EnginePool
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


class Chain:
    """One request on its way through a pipeline."""

    def __init__(self, way: Way, call: Call, request: Request, pool: EnginePool, body_limit: int) -> None:
        self._way = way
        self._call = call
        self._request = request
        self._pool = pool
        self._body_limit = body_limit
        self._body: dict[str, Any] = {}
        self._known: dict[str, Values] = {}

    async def run(self, serve: Serve, responder: Responder, began_at: float) -> Refusal | None:
        """Ask one model after the other; the last one's answer is the caller's."""
        refusal = self._open()
        if refusal is not None:
            return refusal
        steps, before = self._way.steps, REQUEST_STEP
        travel = Travel(self._way, steps[0][1], began_at, copied=True)
        for step, leg in steps:
            travel.leg = leg
            last = leg is steps[-1][1]
            made = await self._asked(step, leg, before, last)
            if isinstance(made, Refusal):
                return made
            call, request = made
            held = HeldResponder()
            refusal = await serve(call, travel, request, responder if last else held)
            if refusal is not None or last:
                return refusal
            self._known[step.name] = values_of_answer(leg.target.endpoint_set.protocol, held.body)
            before = step.name
        return None

    def _open(self) -> Refusal | None:
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
        headers = {name: value for name, value in asked.headers.items() if name == b"x-session-id"}
        raw = orjson.dumps(body)
        made = Request(asked.method, asked.target, asked.path, headers, True, True, body=raw, caller=asked.caller)
        made.trace = asked.trace
        return made
