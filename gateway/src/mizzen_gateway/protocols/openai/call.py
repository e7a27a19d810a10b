"""A request of the OpenAI API whose body is JSON."""

from collections.abc import Callable
from functools import partial
from typing import Any, Literal

import orjson

from mizzen_gateway.engine.exchange import EngineRequest
from mizzen_gateway.engine.pool import EnginePool
from mizzen_gateway.protocols.call import Admission, Answer, Prompt
from mizzen_gateway.protocols.depth import too_deep_field, why_too_deep
from mizzen_gateway.protocols.openai.abilities import known_to_have, lacking
from mizzen_gateway.protocols.openai.answer import StreamAnswer, WholeAnswer
from mizzen_gateway.protocols.openai.bounds import TEMPLATED, Bound, closer_bound, pads, prompt_bound, prompts_in
from mizzen_gateway.protocols.openai.duplicates import named_twice
from mizzen_gateway.protocols.openai.errors import invalid
from mizzen_gateway.protocols.openai.media_urls import NO_HOSTS, Hosts
from mizzen_gateway.protocols.openai.operations import OPERATIONS, Operation
from mizzen_gateway.protocols.openai.parameters import first_refusal, media_in
from mizzen_gateway.protocols.openai.passing import PassedAnswer
from mizzen_gateway.protocols.openai.prompts import prompt_of, session_of
from mizzen_gateway.protocols.openai.rules import CAP_ALIASES, MORE_CHOICES, OUTPUT_CAPS, STRIPPED
from mizzen_gateway.protocols.openai.tail import CHUNKS, EVENTS, Shape
from mizzen_gateway.protocols.openai.template import measure, measured, template_tokens
from mizzen_gateway.routing.target import Target
from mizzen_gateway.stages import Estimate, Refusal
from mizzen_gateway.wire.request import Request
from mizzen_gateway.wire.response import HeaderList, Responder

DEFAULT_OUTPUT_TOKENS = 4096
"""Taken for the most that a model writes where neither caller nor deployment says it."""
CHUNKED = frozenset({"embeddings"})
"""What engines may take longer texts for than the model's context: they read them in pieces."""
ONE_CAP = "OpenAI"
"""The engine that refuses `max_tokens` beside `max_completion_tokens`."""


def parse(operation: str, request: Request, hosts: Hosts = NO_HOSTS) -> "OpenAICall | Refusal":
    """Read the body and hold it to the rules; engines may fetch from `hosts`."""
    try:
        body = orjson.loads(request.body)
    except orjson.JSONDecodeError as error:
        return Refusal(400, "invalid_json", f"Body: not JSON ({error}); send one JSON object.")
    if not isinstance(body, dict):
        return Refusal(400, "invalid_json", "Body: must be one JSON object.")
    kind = OPERATIONS[operation]
    refusal = first_refusal(kind.check, body, hosts)
    if refusal is not None:
        return refusal
    deep = too_deep_field(body, request.body)
    if deep is not None:
        return invalid(deep[:100], why_too_deep(deep[:100]))
    return OpenAICall(kind, body, request.body)


class OpenAICall:
    """Parsed; its parameters hold."""

    protocol: Literal["OpenAI"] = "OpenAI"
    repeatable = True

    def __init__(self, kind: Operation, body: dict[str, Any], raw: bytes) -> None:
        self.operation = kind.name
        self.model: str = body["model"]
        self._kind = kind
        self.body = body
        self._raw = raw
        self.prompt_bytes = len(raw)
        """Of the whole body."""
        self._stream = body.get("stream") is True
        self.whole = not self._stream and not kind.passed
        options = body.get("stream_options") or {}
        self._usage_wanted = options.get("include_usage") is True

    @property
    def _shape(self) -> Shape:
        return CHUNKS if self._kind.asks_for_usage else EVENTS

    @property
    def last_words(self) -> Callable[[Refusal], bytes] | None:
        """Only streams can wait for longer than their callers do."""
        return self._shape.last_words if self._stream else None

    def prompt(self) -> Prompt | None:
        """For routing."""
        return prompt_of(self.operation, self.body)

    def session(self) -> str:
        """For routing."""
        return session_of(self.body)

    def end_user(self) -> str:
        """`safety_identifier`, else `user`, which it replaces."""
        named = self.body.get("safety_identifier") or self.body.get("user")
        return named if isinstance(named, str) else ""

    async def check(self, target: Target, pool: EnginePool) -> Refusal | None:
        """An endpoint that the engine lacks; a cap beyond the context, where the deployment names it."""
        if not known_to_have(target, self._kind.path):
            refusal = await lacking(target, pool, self._kind.path, self.model)
            if refusal is not None:
                return refusal
        if self._kind.name in TEMPLATED and not measured(target):
            await measure(target, pool)
        longest = target.facts.max_model_len
        if longest is None:
            return None
        cap = self._cap()
        if cap is not None and cap > longest:
            field = next(name for name in OUTPUT_CAPS if self.body.get(name) == cap)
            return invalid(
                field, f"{field}: {cap} is more than the {longest} tokens of context of this model; ask for fewer."
            )
        return None

    def _cap(self) -> int | None:
        caps = [self.body[field] for field in self._kind.caps if self.body.get(field) is not None]
        return max(caps) if caps else None

    def estimate(self, target: Target) -> Estimate:
        """A token is a byte at least, and JSON never shortens a text: the body's size bounds the prompt."""
        longest, kind, body = target.facts.max_model_len, self._kind, self.body
        prompts = prompts_in(kind.name, body)
        prompt = self._within(prompt_bound, target)
        closer = None
        if not self._raw.isascii() or self._raw.find(b"\\") >= 0:
            closer = partial(self._within, closer_bound, target)
        if not kind.caps:
            return Estimate(prompt, 0, 0, self._why_unbounded, closer_input=closer)
        choices = max(body.get("n") or 1, body.get("best_of") or 1) * prompts
        most = self._cap() or min(longest or DEFAULT_OUTPUT_TOKENS, DEFAULT_OUTPUT_TOKENS)
        return Estimate(prompt, choices, most, self._why_unbounded, closer_input=closer)

    def _within(self, bound: Bound, target: Target) -> int:
        """A bound on the prompt, and no more than the contexts of all prompts, where the deployment names it."""
        longest, kind, body = target.facts.max_model_len, self._kind, self.body
        tokens = bound(kind.name, body, self._raw, kind.around, template_tokens(target))
        if longest is None or kind.name in CHUNKED:
            return tokens
        return min(tokens, longest * prompts_in(kind.name, body))

    def _why_unbounded(self) -> Refusal | None:
        if self._kind.passed:
            message = (
                "model: how many tokens a picture takes is not known before it is made, and a hard budget applies to"
                " this request; use a key or model without one."
            )
            return invalid("model", message, "unbounded_input")
        twice = named_twice(self._raw, self.body)
        if twice is not None:
            message = f"{twice[:100]}: named twice in one object; under a hard budget each key is taken once only."
            return invalid(twice[:100], message, "duplicate_key")
        fault = self._filled_or_many()
        if fault is not None:
            return fault
        media = media_in(self.body)
        if media is None:
            return None
        message = (
            f"{media}: how many tokens an image, a sound or a file becomes is not known before it is read, and a hard"
            " budget applies to this request; leave it out, or use a key or model without one."
        )
        return invalid(media, message, "unbounded_input")

    def _filled_or_many(self) -> Refusal | None:
        if pads(self.body):
            message = (
                "padding: every prompt is filled up to the longest that the engine takes, and a hard budget applies to"
                " this request; leave it out, or use a key or model without one."
            )
            return invalid("padding", message, "unbounded_input")
        for field in MORE_CHOICES:
            if self.body.get(field) is not None:
                message = f"{field}: no field of this API, and a hard budget applies to this request; send n instead."
                return invalid(field, message, "parameter_not_allowed")
        return None

    def engine_request(self, admission: Admission) -> EngineRequest:
        """The caller's body, with what a caller may not set replaced."""
        body, kind = dict(self.body), self._kind
        for field in STRIPPED:
            body.pop(field, None)
        body["model"] = admission.engine_model
        if admission.engine == "vLLM":
            body["cache_salt"] = admission.cache_salt
        body |= kind.sent
        if self._stream and kind.asks_for_usage:
            body["stream_options"] = {**(body.get("stream_options") or {}), "include_usage": True}
        if admission.output_cap is not None and kind.caps:
            self._write_cap(body, admission.output_cap, admission.engine)
        headers = (
            ("content-type", "application/json"),
            ("accept", "text/event-stream" if self._stream else "application/json"),
            ("x-request-id", admission.request_id),
            *admission.forwarded,
        )
        return EngineRequest(kind.path, orjson.dumps(body), headers)

    def _write_cap(self, body: dict[str, Any], cap: int, engine: str) -> None:
        """Under every name that an engine may take for it; an engine that refuses two gets the newest alone."""
        names = self._kind.caps
        if engine == ONE_CAP:
            names = names[-1:]
            for field in (*OUTPUT_CAPS, *CAP_ALIASES):
                body.pop(field, None)
        for field in (*OUTPUT_CAPS, *CAP_ALIASES):
            if field in names or field in body:
                body[field] = cap
        if (body.get("min_tokens") or 0) > cap:
            body["min_tokens"] = cap

    def answer(self, responder: Responder, headers: HeaderList, engine_model: str) -> Answer:
        """For one try."""
        prompt_bytes = self.prompt_bytes
        if self._kind.passed:
            return PassedAnswer(responder, headers, self.model, counts_text=False)
        if not self._stream:
            return WholeAnswer(responder, headers, self.model, engine_model, prompt_bytes)
        return StreamAnswer(responder, headers, self.model, engine_model, prompt_bytes, self._usage_wanted, self._shape)
