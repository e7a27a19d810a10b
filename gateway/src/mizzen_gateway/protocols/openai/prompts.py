"""What does the engine read of a body, and whose is it? For routing: equal beginnings are equal bytes."""

from typing import Any

import orjson

from mizzen_gateway.protocols.call import Prompt

OPENING_BYTES = 1024
"""Of a text without turns."""
SESSION_FIELDS = ("session_id", "prompt_cache_key", "user")


def prompt_of(operation: str, body: dict[str, Any]) -> Prompt | None:
    """Of what generates; None for the rest, of which engines keep nothing."""
    match operation:
        case "chat.completions":
            return _turns(body, body["messages"])
        case "completions":
            return _text(body["prompt"])
        case "responses":
            given = body["input"]
            return _turns(body, given if isinstance(given, list) else [given])
    return None


def session_of(body: dict[str, Any]) -> str:
    """What the body says about who or what it belongs to; empty for nothing."""
    for field in SESSION_FIELDS:
        value = body.get(field)
        if isinstance(value, str) and value:
            return value
    return ""


def _turns(body: dict[str, Any], turns: list[Any]) -> Prompt:
    """Tools and instructions come before the turns in every template that knows them."""
    before = orjson.dumps([body.get("tools"), body.get("instructions")])
    first = next((index for index, turn in enumerate(turns) if _is_users(turn)), len(turns) - 1)
    # Without the closing bracket: what follows in the next turn of the conversation follows here.
    return Prompt(before + orjson.dumps(turns)[:-1], before + orjson.dumps(turns[: first + 1]))


def _is_users(turn: Any) -> bool:
    return not isinstance(turn, dict) or turn.get("role") == "user"


def _text(prompt: Any) -> Prompt:
    text = prompt.encode() if isinstance(prompt, str) else orjson.dumps(prompt)
    return Prompt(text, text[:OPENING_BYTES])
