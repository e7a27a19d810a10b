"""Refusals in the words of the OpenAI API: all four keys, always; an engine's own text never."""

import re

import orjson

from mizzen_gateway.protocols.not_taken import NOT_TAKEN, gateway_refused
from mizzen_gateway.stages import Refusal

REFUSAL_LIMIT = 64 * 1024
"""Bytes of an engine's refusal that are read: it may repeat all that the caller sent."""
TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
CONTEXT_LIMIT = re.compile(rb"maximum context length (?:is|of) (\d{1,9})")


class OpenAIDialect:
    """`{"error": {"message", "type", "param", "code"}}`."""

    def render(self, refusal: Refusal) -> bytes:
        """Body of a refusal."""
        return orjson.dumps({"error": error_object(refusal)})


def error_object(refusal: Refusal) -> dict[str, str | None]:
    """The four keys."""
    fallback = "server_error" if refusal.status >= 500 else "invalid_request_error"
    return {
        "message": refusal.message,
        "type": TYPES.get(refusal.status, fallback),
        "param": refusal.param,
        "code": refusal.code,
    }


def invalid(param: str, message: str, code: str = "invalid_parameter") -> Refusal:
    """400: which field, its limit, and what to do."""
    return Refusal(400, code, message, param=param)


def engine_refused(status: int, body: bytes, model: str) -> Refusal:
    """What a caller is told when the engine refused the request; of the engine's text only known figures."""
    if status in {405, 501} or (status == 404 and b"Not Found" in body):  # a path, not a model that is unknown
        return Refusal(
            404,
            "endpoint_not_available",
            f"Model '{model}' has no such endpoint: its engine does not offer it; GET /v1/models/{model} has those that"
            " it offers.",
            param="model",
        )
    if status in NOT_TAKEN:
        return gateway_refused(model)
    if status in {408, 429} or not 400 <= status < 500:
        return upstream_error(model)
    limit = CONTEXT_LIMIT.search(body)
    if limit is not None:
        return Refusal(
            400,
            "context_length_exceeded",
            f"Prompt and max_tokens together are longer than the {int(limit[1])} tokens of context of model '{model}';"
            " send a shorter prompt or ask for fewer tokens.",
            param="messages",
        )
    return Refusal(
        400,
        "invalid_request",
        f"Model '{model}' cannot take this request: a parameter, a message or the length of the prompt is outside of"
        " what it supports; send only what the model's documentation names.",
    )


def upstream_error(model: str) -> Refusal:
    """502."""
    return Refusal(502, "upstream_error", f"Model '{model}' failed while it answered; try again.")
