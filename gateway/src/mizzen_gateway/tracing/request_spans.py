"""What do the spans of a request say? One of the request, by the HTTP and RPC conventions; one of each try, by GenAI's.

Nothing of what was asked or answered, unless prompts are wanted.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from mizzen_gateway.protocols.call import Call
from mizzen_gateway.protocols.openai.call import OpenAICall
from mizzen_gateway.stages import Caller, Intent, Outcome, Usage
from mizzen_gateway.trace_context import Recorded, RecordedLeg
from mizzen_gateway.tracing.prompts import input_messages
from mizzen_gateway.tracing.span import Attributes, Kind, Span

OPERATIONS = {
    "chat.completions": "chat",
    "responses": "chat",
    "completions": "text_completion",
}
"""Well-known names of GenAI's conventions; other operations have none there and keep ours."""
GRPC = "grpc "
"""What templates of gRPC calls begin with."""
GRPC_SERVICE = "inference.GRPCInferenceService"
PARAMETERS = {
    "temperature": "gen_ai.request.temperature",
    "top_p": "gen_ai.request.top_p",
    "top_k": "gen_ai.request.top_k",
    "frequency_penalty": "gen_ai.request.frequency_penalty",
    "presence_penalty": "gen_ai.request.presence_penalty",
    "max_tokens": "gen_ai.request.max_tokens",
    "max_completion_tokens": "gen_ai.request.max_tokens",
    "max_output_tokens": "gen_ai.request.max_tokens",
    "seed": "gen_ai.request.seed",
    "n": "gen_ai.request.choice.count",
}
"""Of a body, those that are numbers; texts (stop, user) are left out."""
WELL = "ok"
MOST = 1 << 63
"""OTLP's whole numbers end there; callers' need not."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a request ended for its caller."""

    status: int | None
    """None where the caller left before it had one."""
    code: str
    """Of the error; empty for none."""


def request_span(
    trace: Recorded, template: str, spoken: tuple[str, str], caller: Caller, ended: Ended, now: float
) -> Span:
    """The caller's request; `spoken` are HTTP's method and scheme, `now` is loop time."""
    if template.startswith(GRPC):
        rpc = template.removeprefix(GRPC)
        name = f"{GRPC_SERVICE}/{rpc}"
        attributes: Attributes = {"rpc.system": "grpc", "rpc.service": GRPC_SERVICE, "rpc.method": rpc}
    else:
        method, scheme = spoken
        name = f"{method} {template}"
        attributes = {"http.request.method": method, "http.route": template, "url.scheme": scheme}
        if ended.status is not None:
            attributes["http.response.status_code"] = ended.status
    attributes["mizzen.project"] = caller.project
    attributes["mizzen.key"] = caller.key_id
    if trace.intent is not None:
        attributes |= _of_intent(trace.intent)
    if ended.code:
        attributes["error.type"] = ended.code
    of_batch = trace.of_batch
    if of_batch is not None:
        attributes |= {"mizzen.batch": of_batch.batch_id, "mizzen.batch.line": of_batch.line_id}
    failed = bool(ended.code) and (ended.status is None or ended.status == 200 or ended.status >= 500)
    left = ended.code == "caller_left"
    return Span(
        trace.trace_id,
        trace.span_id,
        trace.parent_id,
        trace.flags,
        trace.state,
        name,
        Kind.SERVER if of_batch is None else Kind.CONSUMER,
        trace.started_ns,
        trace.at(now),
        attributes,
        failed and not left,
        () if of_batch is None else ((of_batch.trace_id, of_batch.span_id),),
    )


@dataclass(frozen=True, slots=True)
class Served:
    """A request that has ended at a deployment."""

    intent: Intent
    outcome: Outcome
    call: Call
    engine: str
    """Its type."""
    first_byte_at: float | None
    """Loop time."""


def try_spans(leg: RecordedLeg, served: Served, *, prompts: bool) -> Iterator[Span]:
    """Each try at an engine. What was used is told by the last one."""
    trace, intent, outcome, call = leg.of, served.intent, served.outcome, served.call
    operation = OPERATIONS.get(intent.operation, intent.operation)
    shared: Attributes = {
        "gen_ai.operation.name": operation,
        "gen_ai.provider.name": served.engine.lower(),
        **_of_intent(intent),
    }
    if call.last_words is not None:
        shared["gen_ai.request.stream"] = True
    if isinstance(call, OpenAICall):
        shared |= _parameters(call.body)
        asked = input_messages(intent.operation, call.body) if prompts else None
        if asked is not None:
            shared["gen_ai.input.messages"] = asked
    last = len(leg.tries) - 1
    for index, (asked_of, told) in enumerate(zip(leg.tries, outcome.attempts, strict=True)):
        attributes = {
            **shared,
            "server.address": asked_of.address,
            "server.port": asked_of.port,
            "mizzen.pod": told.endpoint,
        }
        code = told.outcome if told.outcome != WELL else ""
        if index == last:
            attributes["mizzen.revision"] = outcome.revision
            code = code or outcome.code
            attributes |= _of_usage(outcome.usage)
            if call.last_words is not None and served.first_byte_at is not None:
                attributes["gen_ai.response.time_to_first_chunk"] = served.first_byte_at - asked_of.began_at
        if code:
            attributes["error.type"] = code
        yield Span(
            trace.trace_id,
            asked_of.span_id,
            trace.span_id,
            trace.flags,
            trace.state,
            f"{operation} {intent.model}",
            Kind.CLIENT,
            trace.at(asked_of.began_at),
            trace.at(asked_of.ended_at),
            attributes,
            bool(code) and code != "caller_left",
        )


def _of_intent(intent: Intent) -> Attributes:
    return {
        "gen_ai.request.model": intent.model,
        "mizzen.request_id": intent.request_id,
        "mizzen.namespace": intent.namespace,
        "mizzen.deployment": intent.deployment,
    }


def _parameters(body: dict[str, Any]) -> Attributes:
    return {name: body[field] for field, name in PARAMETERS.items() if _is_number(body.get(field))}


def _is_number(value: Any) -> bool:
    return type(value) is float or (type(value) is int and -MOST <= value < MOST)


def _of_usage(usage: Usage) -> Attributes:
    told: Attributes = {
        "gen_ai.usage.input_tokens": usage.input_tokens,
        "gen_ai.usage.output_tokens": usage.output_tokens,
    }
    if usage.cached_tokens:
        told["gen_ai.usage.cache_read.input_tokens"] = usage.cached_tokens
    if usage.reasoning_tokens:
        told["gen_ai.usage.reasoning.output_tokens"] = usage.reasoning_tokens
    if usage.estimated:
        told["mizzen.usage.estimated"] = True
    return told
