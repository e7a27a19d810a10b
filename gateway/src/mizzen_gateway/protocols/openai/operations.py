"""Every operation of the OpenAI API that takes JSON: what it is called at the engine, and what its body must keep."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from mizzen_gateway.protocols.openai.parameters import (
    PAIRS,
    Check,
    chat,
    completion,
    entries_of,
    picture,
    ranking,
    scoring,
    texts,
)
from mizzen_gateway.protocols.openai.responses import stateless


@dataclass(frozen=True, slots=True)
class Operation:
    """One of them."""

    name: str
    """As rows and metrics have it."""
    path: str
    """Path at the engine."""
    check: Check
    """Rules of its own, beside those of single fields."""
    caps: tuple[str, ...] = ()
    """Fields that cap the output, the one that every engine reads first; none where nothing is generated."""
    asks_for_usage: bool = False
    """Streams tell their usage only where stream_options ask for it."""
    sent: Mapping[str, Any] = field(default_factory=dict)
    """Fields that engines always get so."""
    around: int = 256
    """Tokens that the engine may put around each prompt: a chat template with a system prompt of its own, say."""
    passed: bool = False
    """Answers are long: they go through as they come."""


OPERATIONS: Final[dict[str, Operation]] = {
    one.name: one
    for one in (
        Operation("chat.completions", "/v1/chat/completions", chat, ("max_tokens", "max_completion_tokens"), True),
        Operation("completions", "/v1/completions", completion, ("max_tokens",), True, around=16),
        Operation("responses", "/v1/responses", stateless, ("max_output_tokens",), sent={"store": False}),
        Operation("embeddings", "/v1/embeddings", texts, around=16),
        Operation("rerank", "/v1/rerank", ranking, around=128),
        Operation("score", "/v1/score", scoring, around=128),
        Operation("classify", "/classify", texts, around=16),
        Operation(
            "images.generations", "/v1/images/generations", picture, sent={"response_format": "b64_json"}, passed=True
        ),
    )
}


OF_SEVERAL = frozenset({"completions", "embeddings", "classify", "rerank", "score"})
"""What may be asked for several prompts at once."""


def prompts_in(name: str, body: dict[str, Any]) -> int:
    """Prompts that the engine makes of a body, each with a template around it."""
    if name not in OF_SEVERAL:
        return 1
    match name:
        case "completions":
            return entries_of(body["prompt"])
        case "embeddings" | "classify":
            return 1 if body.get("input") is None else entries_of(body["input"])
        case "rerank":
            return entries_of(body["documents"])
        case "score":
            one, other = next(pair for pair in PAIRS if pair[0] in body and pair[1] in body)
            return max(entries_of(body[one]), entries_of(body[other]))
    return 1


def repeated(name: str, body: dict[str, Any]) -> Any:
    """The part of a body that is read once for each prompt: the query that all documents are ranked by."""
    if name == "rerank":
        return body["query"]
    if name == "score":
        one, _ = next(pair for pair in PAIRS if pair[0] in body and pair[1] in body)
        return body[one] if entries_of(body[one]) == 1 else None
    return None
