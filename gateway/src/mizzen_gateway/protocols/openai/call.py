"""A request to /v1/chat/completions, /v1/completions or /v1/embeddings."""

from typing import Any, Literal

import orjson

from mizzen_gateway.engine.exchange import EngineRequest
from mizzen_gateway.engine.pool import EnginePool
from mizzen_gateway.protocols.call import Admission, Answer
from mizzen_gateway.protocols.openai.answer import StreamAnswer, WholeAnswer
from mizzen_gateway.protocols.openai.errors import invalid
from mizzen_gateway.protocols.openai.parameters import OUTPUT_CAPS, STRIPPED, first_refusal, prompt_count
from mizzen_gateway.routing.target import Target
from mizzen_gateway.stages import Estimate, Refusal
from mizzen_gateway.wire.request import Request
from mizzen_gateway.wire.response import HeaderList, Responder

PATHS = {
    "chat.completions": "/v1/chat/completions",
    "completions": "/v1/completions",
    "embeddings": "/v1/embeddings",
}
TEMPLATE_TOKENS = 256
"""What a chat template may add to a conversation (a default system prompt, say)."""
MESSAGE_TOKENS = 16
"""What it may add to each message."""
DEFAULT_OUTPUT_TOKENS = 4096
"""Taken for the most that a model writes where neither caller nor deployment says it."""


def parse(operation: str, request: Request) -> "OpenAICall | Refusal":
    """Read the body and hold it to the rules."""
    try:
        body = orjson.loads(request.body)
    except orjson.JSONDecodeError as error:
        return Refusal(400, "invalid_json", f"Body: not JSON ({error}); send one JSON object.")
    if not isinstance(body, dict):
        return Refusal(400, "invalid_json", "Body: must be one JSON object.")
    return first_refusal(operation, body) or OpenAICall(operation, body, len(request.body))


class OpenAICall:
    """Parsed; its parameters hold."""

    protocol: Literal["OpenAI"] = "OpenAI"

    def __init__(self, operation: str, body: dict[str, Any], body_bytes: int) -> None:
        self.operation = operation
        self.model: str = body["model"]
        self._body = body
        self._body_bytes = body_bytes
        self._stream = body.get("stream") is True
        options = body.get("stream_options") or {}
        self._usage_wanted = options.get("include_usage") is True

    async def check(self, target: Target, _pool: EnginePool) -> Refusal | None:
        """A cap beyond the context, where the deployment names it."""
        longest, cap = target.facts.max_model_len, self._cap()
        if longest is not None and cap is not None and cap > longest:
            field = next(name for name in OUTPUT_CAPS if self._body.get(name) == cap)
            return invalid(
                field, f"{field}: {cap} is more than the {longest} tokens of context of this model; ask for fewer."
            )
        return None

    def _cap(self) -> int | None:
        caps = [self._body[field] for field in OUTPUT_CAPS if self._body.get(field) is not None]
        return max(caps) if caps else None

    def estimate(self, target: Target) -> Estimate:
        """A token is a byte at least, and JSON never shortens a text: the body's size bounds the prompt."""
        longest = target.facts.max_model_len
        prompts = prompt_count(self._body)
        extra = TEMPLATE_TOKENS + MESSAGE_TOKENS * len(self._body.get("messages", ()))
        prompt = self._body_bytes + extra
        if longest is not None:
            prompt = min(prompt, longest * prompts)
        if self.operation == "embeddings":
            return Estimate(self._body_bytes + TEMPLATE_TOKENS, 0, 0)
        choices = max(self._body.get("n") or 1, self._body.get("best_of") or 1) * prompts
        return Estimate(prompt, choices, self._cap() or min(longest or DEFAULT_OUTPUT_TOKENS, DEFAULT_OUTPUT_TOKENS))

    def engine_request(self, admission: Admission) -> EngineRequest:
        """The caller's body, with what a caller may not set replaced."""
        body = dict(self._body)
        for field in STRIPPED:
            body.pop(field, None)
        body["model"] = admission.engine_model
        if admission.engine == "vLLM" and self.operation != "embeddings":
            body["cache_salt"] = admission.cache_salt
        if self._stream:
            body["stream_options"] = {**(body.get("stream_options") or {}), "include_usage": True}
        if admission.output_cap is not None and self.operation != "embeddings":
            self._write_cap(body, admission.output_cap)
        headers = (
            ("content-type", "application/json"),
            ("accept", "text/event-stream" if self._stream else "application/json"),
            ("x-request-id", admission.request_id),
            *admission.forwarded,
        )
        return EngineRequest(PATHS[self.operation], orjson.dumps(body), headers)

    def _write_cap(self, body: dict[str, Any], cap: int) -> None:
        body["max_tokens"] = cap
        if self.operation == "chat.completions":
            body["max_completion_tokens"] = cap
        else:
            body.pop("max_completion_tokens", None)
        if (body.get("min_tokens") or 0) > cap:
            body["min_tokens"] = cap

    def answer(self, responder: Responder, headers: HeaderList, engine_model: str) -> Answer:
        """For one try."""
        if self._stream:
            return StreamAnswer(responder, headers, self.model, engine_model, self._body_bytes, self._usage_wanted)
        return WholeAnswer(responder, headers, self.model, engine_model, self._body_bytes)
