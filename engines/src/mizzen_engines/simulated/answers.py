"""What is an answer made of? A plan that depends on seed and request alone, and OpenAI's bodies for it."""

import itertools
import time
import uuid
from dataclasses import dataclass
from random import Random
from typing import Any

import orjson

from mizzen_engines.simulated.requests import Asked
from mizzen_engines.simulated.text import answer_length, drawn_from, pieces, tool_arguments

FINGERPRINT = "simulated"
"""`system_fingerprint` of every answer, so that nobody takes it for a model's."""


@dataclass(frozen=True)
class PlannedAnswer:
    """One choice before it is given out token by token."""

    pieces: list[str]
    """One a token. For a tool call, the parts of its arguments."""
    finish_reason: str
    tool_name: str = ""


@dataclass(frozen=True)
class Envelope:
    """What the bodies of one answer share."""

    id: str
    kind: str
    """chat.completion or text_completion."""
    model: str
    created: int

    @property
    def is_chat(self) -> bool:
        """Chat, not completion."""
        return self.kind == "chat.completion"


def envelope(kind: str, model: str) -> Envelope:
    """A new answer's envelope."""
    prefix = "chatcmpl" if kind == "chat.completion" else "cmpl"
    return Envelope(f"{prefix}-{uuid.uuid4().hex}", kind, model, int(time.time()))


def plan(seed: int, asked: Asked, index: int, room: int) -> PlannedAnswer:
    """The answer number `index` to a request, of at most `room` tokens."""
    source = drawn_from(seed, asked.seed, asked.prompt, index)
    if asked.tool is not None:
        return PlannedAnswer(_json_pieces(source, asked.tool.schema), "tool_calls", asked.tool.name)
    if asked.schema is not None:
        return PlannedAnswer(_json_pieces(source, asked.schema), "stop")
    natural = answer_length(source)
    limit = min(asked.limit if asked.limit is not None else room, room)
    length = limit if asked.fixed else min(natural, limit)
    made = list(itertools.islice(pieces(source), length))
    stopped = _cut_at_stop(made, asked.stops)
    if stopped is not None:
        return PlannedAnswer(stopped, "stop")
    return PlannedAnswer(made, "length" if length == limit and (asked.fixed or natural > limit) else "stop")


def _json_pieces(source: Random, schema: dict[str, Any]) -> list[str]:
    text = orjson.dumps(tool_arguments(source, schema)).decode()
    return [text[start : start + 4] for start in range(0, len(text), 4)]


def _cut_at_stop(made: list[str], stops: tuple[str, ...]) -> list[str] | None:
    text = "".join(made)
    places = [text.find(stop) for stop in stops if stop and stop in text]
    if not places:
        return None
    kept, room = [], min(places)
    for piece in made:
        kept.append(piece[:room])
        room -= len(piece)
        if room <= 0:
            break
    return kept


def usage(prompt_tokens: int, completion_tokens: int) -> dict[str, int]:
    """OpenAI's usage object."""
    return {
        "prompt_tokens": prompt_tokens,
        "completion_tokens": completion_tokens,
        "total_tokens": prompt_tokens + completion_tokens,
    }


def body(
    head: Envelope, choices: list[dict[str, Any]], tokens: dict[str, int] | None, streamed: bool
) -> dict[str, Any]:
    """A whole answer, or one chunk of a stream."""
    kind = "chat.completion.chunk" if streamed and head.is_chat else head.kind
    return {
        "id": head.id,
        "object": kind,
        "created": head.created,
        "model": head.model,
        "system_fingerprint": FINGERPRINT,
        "choices": choices,
        **({"usage": tokens} if tokens is not None else {}),
    }


def whole_choice(head: Envelope, index: int, answer: PlannedAnswer) -> dict[str, Any]:
    """A choice of an answer that is not streamed."""
    text = "".join(answer.pieces)
    choice: dict[str, Any] = {"index": index, "finish_reason": answer.finish_reason, "logprobs": None}
    if not head.is_chat:
        return choice | {"text": text}
    if answer.tool_name:
        call = {
            "id": _call_id(head, index),
            "type": "function",
            "function": {"name": answer.tool_name, "arguments": text},
        }
        return choice | {"message": {"role": "assistant", "content": None, "tool_calls": [call]}}
    return choice | {"message": {"role": "assistant", "content": text}}


def piece_choice(head: Envelope, index: int, answer: PlannedAnswer, number: int) -> dict[str, Any]:
    """The choice of a stream's chunk that carries token `number`."""
    last = number == len(answer.pieces) - 1
    choice: dict[str, Any] = {
        "index": index,
        "finish_reason": answer.finish_reason if last else None,
        "logprobs": None,
    }
    piece = answer.pieces[number]
    if not head.is_chat:
        return choice | {"text": piece}
    if not answer.tool_name:
        return choice | {"delta": {"content": piece}}
    function: dict[str, str] = {"arguments": piece}
    call: dict[str, Any] = {"index": 0, "function": function}
    if number == 0:
        function["name"] = answer.tool_name
        call |= {"id": _call_id(head, index), "type": "function"}
    return choice | {"delta": {"tool_calls": [call]}}


def first_choice(index: int) -> dict[str, Any]:
    """The choice of a chat stream's first chunk: the role, before any text."""
    return {"index": index, "finish_reason": None, "logprobs": None, "delta": {"role": "assistant", "content": ""}}


def _call_id(head: Envelope, index: int) -> str:
    return f"call_{head.id[-24:]}{index}"
