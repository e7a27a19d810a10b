"""What a body of the OpenAI API must keep, before anything is reserved for it."""

from collections.abc import Callable
from typing import Any

from mizzen_gateway.protocols.openai.errors import invalid
from mizzen_gateway.stages import Refusal

Body = dict[str, Any]
MAX_CHOICES = 128
MAX_OUTPUT_TOKENS = 1_000_000
MODEL_NAME_LENGTH = 256
OUTPUT_CAPS = ("max_tokens", "max_completion_tokens")
REFUSED = {
    "prompt_embeds": "it carries serialised objects",
    "logits_processors": "it names code to run",
    "chat_template": "it is code of the engine's template language",
    "chat_template_kwargs": "it changes the engine's template",
    "use_beam_search": "its work cannot be bounded",
}
STRIPPED = ("cache_salt", "priority", "kv_transfer_params", "data_parallel_rank", "request_id", "vllm_xargs")
URL_PARTS = ("image_url", "audio_url", "video_url", "input_image")


def _model(body: Body) -> Refusal | None:
    name = body.get("model")
    if not isinstance(name, str) or not 0 < len(name) <= MODEL_NAME_LENGTH:
        return invalid("model", f"model: must be a name of 1 to {MODEL_NAME_LENGTH} characters; see GET /v1/models.")
    return None


def _integer(body: Body, field: str, low: int, high: int) -> Refusal | None:
    value = body.get(field)
    if value is None or (type(value) is int and low <= value <= high):
        return None
    return invalid(field, f"{field}: must be a whole number from {low} to {high}.")


def _choices(body: Body) -> Refusal | None:
    for field in ("n", "best_of"):
        if field in body and (refusal := _integer(body, field, 1, MAX_CHOICES)):
            return refusal
    if (body.get("best_of") or MAX_CHOICES) < (body.get("n") or 1):
        return invalid("best_of", "best_of: must not be smaller than n.")
    return None


def _caps(body: Body) -> Refusal | None:
    for field in OUTPUT_CAPS:
        if field in body and (refusal := _integer(body, field, 1, MAX_OUTPUT_TOKENS)):
            return refusal
    return _integer(body, "min_tokens", 0, MAX_OUTPUT_TOKENS)


def _stream(body: Body) -> Refusal | None:
    stream, options = body.get("stream"), body.get("stream_options")
    if stream is not None and not isinstance(stream, bool):
        return invalid("stream", "stream: must be true or false.")
    if options is None:
        return None
    if not isinstance(options, dict) or not isinstance(options.get("include_usage", False), bool):
        return invalid("stream_options", 'stream_options: must be an object such as {"include_usage": true}.')
    return None if stream else invalid("stream_options", "stream_options: only allowed with stream true; leave it out.")


def _refused_fields(body: Body) -> Refusal | None:
    for field, why in REFUSED.items():
        if body.get(field) not in (None, False):
            return invalid(field, f"{field}: not allowed, because {why}; leave it out.", "parameter_not_allowed")
    return None


def _messages(body: Body) -> Refusal | None:
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        return invalid("messages", "messages: must be a list of at least one message.")
    for index, message in enumerate(messages):
        if not isinstance(message, dict) or not isinstance(message.get("role"), str):
            return invalid(f"messages[{index}]", f"messages[{index}]: must be an object with a role and content.")
        content = message.get("content")
        if isinstance(content, list) and (refusal := _parts(content, f"messages[{index}].content")):
            return refusal
    return None


def _parts(parts: list[Any], where: str) -> Refusal | None:
    """An engine fetches what a URL names, from inside the network: only data URLs pass."""
    for index, part in enumerate(parts):
        if not isinstance(part, dict):
            return invalid(f"{where}[{index}]", f"{where}[{index}]: must be an object with a type.")
        for field in URL_PARTS:
            held = part.get(field)
            url = held.get("url") if isinstance(held, dict) else held
            if url is not None and not (isinstance(url, str) and url.startswith("data:")):
                field_name = f"{where}[{index}].{field}"
                return invalid(
                    field_name,
                    f"{field_name}: only data: URLs are allowed; send the content itself.",
                    "url_not_allowed",
                )
    return None


def _prompt(body: Body) -> Refusal | None:
    prompt = body.get("prompt")
    if isinstance(prompt, str) or (isinstance(prompt, list) and prompt):
        return None
    return invalid("prompt", "prompt: must be a text, a list of texts, or a list of token ids.")


def _input(body: Body) -> Refusal | None:
    value = body.get("input")
    if (isinstance(value, str) and value) or (isinstance(value, list) and value):
        return None
    return invalid("input", "input: must be a text, a list of texts, or a list of token ids, and not empty.")


GENERATES = (_model, _choices, _caps, _stream, _refused_fields)
CHECKS: dict[str, tuple[Callable[[Body], Refusal | None], ...]] = {
    "chat.completions": (*GENERATES, _messages),
    "completions": (*GENERATES, _prompt),
    "embeddings": (_model, _refused_fields, _input),
}


def first_refusal(operation: str, body: Body) -> Refusal | None:
    """The first rule that the body breaks."""
    for check in CHECKS[operation]:
        refusal = check(body)
        if refusal is not None:
            return refusal
    return None


def prompt_count(body: Body) -> int:
    """Prompts in a body of completions: a list of token ids is one."""
    prompt = body.get("prompt")
    if isinstance(prompt, list) and not isinstance(prompt[0], int):
        return len(prompt)
    return 1
