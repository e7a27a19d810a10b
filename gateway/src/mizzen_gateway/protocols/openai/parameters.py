"""What a body of the OpenAI API must keep, before anything is reserved for it."""

from collections.abc import Callable
from typing import Any

from mizzen_gateway.protocols.depth import CONTAINERS
from mizzen_gateway.protocols.openai.content import (
    MEDIA_FIELDS,
    NAMED_CONTENT,
    first_media,
    holds_content,
    refused_content,
)
from mizzen_gateway.protocols.openai.errors import invalid
from mizzen_gateway.protocols.openai.media_urls import NO_HOSTS, Hosts
from mizzen_gateway.protocols.openai.rules import MAX_CHOICES, RULES
from mizzen_gateway.stages import Refusal

Body = dict[str, Any]
Check = Callable[[Body, Hosts], Refusal | None]
MODEL_NAME_LENGTH = 256
MAX_PROMPTS = 2048
MAX_DOCUMENTS = 2048
PLAIN_MESSAGE = 2
"""Fields of a message that has a role and a text, and nothing else to look at."""
DATA = frozenset({"tools", "tool_choice", "response_format", "structured_outputs", "text", "metadata", "logit_bias"})
"""What an engine reads as data: a field of a schema may well be called image_url."""


def first_refusal(check: Check, body: Body, hosts: Hosts = NO_HOSTS) -> Refusal | None:
    """The first rule that the body breaks: of its fields, then of its operation. Engines may fetch from `hosts`."""
    refusal = _model(body)
    if refusal is not None:
        return refusal
    for field, value in body.items():
        if value is None:
            continue
        rule = RULES.get(field)
        if rule is not None:
            refusal = rule(field, value)
        elif field in NAMED_CONTENT:
            refusal = refused_content({field: value}, "body", hosts)
        elif type(value) in CONTAINERS and (field != "messages" or check is not chat):
            refusal = refused_content(value, field, hosts)
        if refusal is not None:
            return refusal
    return check(body, hosts)


def media_in(body: Body) -> str | None:
    """Where the first image, sound or file of a body is."""
    for field, value in body.items():
        if field in MEDIA_FIELDS and holds_content(value):
            return field
        if field not in DATA and type(value) in CONTAINERS:
            found = first_media(value, field)
            if found is not None:
                return found
    return None


def _model(body: Body) -> Refusal | None:
    name = body.get("model")
    if not isinstance(name, str) or not 0 < len(name) <= MODEL_NAME_LENGTH:
        return invalid("model", f"model: must be a name of 1 to {MODEL_NAME_LENGTH} characters; see GET /v1/models.")
    return None


def _choices_and_stream(body: Body) -> Refusal | None:
    if (body.get("best_of") or MAX_CHOICES) < (body.get("n") or 1):
        return invalid("best_of", "best_of: must not be smaller than n.")
    if body.get("stream_options") is None or body.get("stream"):
        return None
    return invalid("stream_options", "stream_options: only allowed with stream true; leave it out.")


def _messages(messages: Any, hosts: Hosts) -> Refusal | None:
    if not isinstance(messages, list) or not messages:
        return invalid("messages", "messages: must be a list of at least one message.")
    for index, message in enumerate(messages):
        if not isinstance(message, dict) or not isinstance(message.get("role"), str):
            return invalid(f"messages[{index}]", f"messages[{index}]: must be an object with a role and content.")
        content = message.get("content")
        if len(message) == PLAIN_MESSAGE and type(content) is str:
            continue
        refusal = _parts(content, f"messages[{index}].content") or refused_content(message, f"messages[{index}]", hosts)
        if refusal is not None:
            return refusal
    return None


def _parts(content: Any, where: str) -> Refusal | None:
    if isinstance(content, list):
        for index, part in enumerate(content):
            if not isinstance(part, dict):
                return invalid(f"{where}[{index}]", f"{where}[{index}]: must be an object with a type.")
    return None


def chat(body: Body, hosts: Hosts) -> Refusal | None:
    """chat/completions."""
    return _choices_and_stream(body) or _messages(body.get("messages"), hosts)


def completion(body: Body, _hosts: Hosts) -> Refusal | None:
    """completions."""
    refusal = _choices_and_stream(body)
    if refusal is not None:
        return refusal
    prompt = body.get("prompt")
    if not isinstance(prompt, str) and not (isinstance(prompt, list) and prompt):
        return invalid("prompt", "prompt: must be a text, a list of texts, or a list of token ids.")
    return _count("prompt", prompt, MAX_PROMPTS)


def texts(body: Body, hosts: Hosts) -> Refusal | None:
    """embeddings and classify: what they read is `input`, or a conversation."""
    if body.get("stream"):
        return invalid("stream", "stream: there is nothing to stream here; leave it out.")
    messages = body.get("messages")
    if messages is None:
        return _texts(body, "input")
    if body.get("input") is None:
        return _messages(messages, hosts)
    return invalid("messages", "messages, input: engines take different ones of the two; send one of them alone.")


def ranking(body: Body, _hosts: Hosts) -> Refusal | None:
    """rerank: a query, and documents."""
    query = body.get("query")
    if not query or not isinstance(query, str | dict):
        return invalid("query", "query: must be a text, and not empty.")
    return _sides(body, "documents")


PAIRS = (("text_1", "text_2"), ("queries", "documents"), ("queries", "items"), ("data_1", "data_2"))
"""Names that the two sides of score have."""


def scoring(body: Body, _hosts: Hosts) -> Refusal | None:
    """score: two texts, or one and several, or as many on both sides."""
    found = _pairs(body)
    if not found:
        return invalid("text_1", "text_1, text_2: both are needed, each a text or a list of texts.")
    one, other = found[0]
    if len(found) > 1:
        named = ", ".join(dict.fromkeys(side for pair in found for side in pair))
        return invalid(
            one, f"{named}: more than one pair, of which engines take different ones; send {one} and {other} alone."
        )
    refusal = _sides(body, one) or _sides(body, other)
    if refusal is not None:
        return refusal
    left, right = entries_of(body[one]), entries_of(body[other])
    if left in {1, right}:
        return None
    return invalid(one, f"{one}: {left} texts for {right} of {other}; send one, or as many.")


def _pairs(body: Body) -> list[tuple[str, str]]:
    return [pair for pair in PAIRS if body.get(pair[0]) is not None and body.get(pair[1]) is not None]


def pair_in(body: Body) -> tuple[str, str]:
    """Names of the two sides, in a body that keeps the rules."""
    return _pairs(body)[0]


def picture(body: Body, _hosts: Hosts) -> Refusal | None:
    """images/generations."""
    if not isinstance(body.get("prompt"), str) or not body["prompt"]:
        return invalid("prompt", "prompt: must be a text, and not empty.")
    if body.get("response_format") not in (None, "b64_json"):
        return invalid(
            "response_format", "response_format: only b64_json is offered, since pictures are not kept here."
        )
    return None


def _sides(body: Body, field: str) -> Refusal | None:
    refusal = _texts(body, field)
    if refusal is not None:
        return refusal
    count = sides_of(body[field])
    return None if count <= MAX_DOCUMENTS else _too_many(field, count, MAX_DOCUMENTS)


def _texts(body: Body, field: str) -> Refusal | None:
    value = body.get(field)
    if value and isinstance(value, str | list | dict):
        return _count(field, value, MAX_DOCUMENTS)
    return invalid(field, f"{field}: must be a text, a list of texts, or a list of token ids, and not empty.")


def _count(field: str, value: Any, most: int) -> Refusal | None:
    return None if entries_of(value) <= most else _too_many(field, len(value), most)


def _too_many(field: str, count: int, most: int) -> Refusal:
    return invalid(field, f"{field}: {count} entries, but {most} at most are taken; send several requests.")


def entries_of(value: Any) -> int:
    """Texts that a field holds: a list of token ids is one."""
    return len(value) if isinstance(value, list) and not isinstance(value[0], int) else 1


def sides_of(value: Any) -> int:
    """Texts that an engine may make of a field to rank or to score: each part of a `content` may be one."""
    return sum(map(_parts_of, value)) if isinstance(value, list) else _parts_of(value)


def _parts_of(value: Any) -> int:
    held = value.get("content") if isinstance(value, dict) else value
    return max(len(held), 1) if isinstance(held, list) else 1
