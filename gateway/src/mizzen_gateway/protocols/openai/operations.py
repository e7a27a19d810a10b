"""Every operation of the OpenAI API that takes JSON: what it is called at the engine, and what its body must keep."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from mizzen_gateway.protocols.openai.parameters import (
    Check,
    chat,
    completion,
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
    around: int = 16
    """Tokens that the engine may put around each prompt, beside a chat template."""
    passed: bool = False
    """Answers are long: they go through as they come."""


OPERATIONS: Final[dict[str, Operation]] = {
    one.name: one
    for one in (
        Operation("chat.completions", "/v1/chat/completions", chat, ("max_tokens", "max_completion_tokens"), True),
        Operation("completions", "/v1/completions", completion, ("max_tokens",), True),
        Operation("responses", "/v1/responses", stateless, ("max_output_tokens",), sent={"store": False}),
        Operation("embeddings", "/v1/embeddings", texts),
        Operation("rerank", "/v1/rerank", ranking, around=128),
        Operation("score", "/v1/score", scoring, around=128),
        Operation("classify", "/classify", texts),
        Operation(
            "images.generations", "/v1/images/generations", picture, sent={"response_format": "b64_json"}, passed=True
        ),
    )
}
