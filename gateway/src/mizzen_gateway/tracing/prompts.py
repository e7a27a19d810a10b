"""What did the caller ask, in the form of the GenAI conventions? Only where MIZZEN_TRACES_PROMPTS wants it in spans."""

from collections.abc import Iterator
from typing import Any

import orjson

MOST_MESSAGES = 64
MOST_CHARACTERS = 4096
"""Of each text."""


def input_messages(operation: str, body: dict[str, Any]) -> str | None:
    """`gen_ai.input.messages` as JSON: texts alone, cut to a bound; None where the call has no messages."""
    match operation:
        case "chat.completions":
            turns = body["messages"]
        case "completions":
            turns = body["prompt"]
        case "responses":
            turns = body["input"]
        case _:
            return None
    listed = turns if isinstance(turns, list) else [turns]
    messages = [_message(turn) for turn in listed[-MOST_MESSAGES:]]
    return orjson.dumps([message for message in messages if message["parts"]]).decode()


def _message(turn: Any) -> dict[str, Any]:
    if not isinstance(turn, dict):
        return {"role": "user", "parts": list(_parts(turn))}
    return {"role": str(turn.get("role", "user")), "parts": list(_parts(turn.get("content")))}


def _parts(content: Any) -> Iterator[dict[str, str]]:
    for piece in content if isinstance(content, list) else [content]:
        text = piece.get("text") if isinstance(piece, dict) else piece
        if isinstance(text, str):
            yield {"type": "text", "content": text[:MOST_CHARACTERS]}
