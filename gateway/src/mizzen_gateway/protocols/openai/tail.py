"""Server-sent events on their way through: untouched, but for what we asked the engine for and the caller did not."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from mizzen_gateway.engine.exchange import EngineFailureError
from mizzen_gateway.protocols.event_ends import EVENT_END, LF, count_of_events
from mizzen_gateway.protocols.openai.errors import error_object
from mizzen_gateway.stages import Refusal, Usage

NAMED, USAGE, SPACED_USAGE, ERROR = b'"usage"', b'"usage":{', b'"usage": {', b'"error"'
LONGEST_EVENT = 4 * 1024 * 1024
MOST_TOKENS = 1_000_000_000
"""What an engine can have used for one request; it is not believed beyond."""


class EngineSaidError(Exception):
    """The engine ended the stream with an error event; its text stays here."""


@dataclass(frozen=True, slots=True)
class Shape:
    """How one kind of stream tells its end."""

    usage: Callable[[dict[str, Any]], Usage | None]
    """What an event says that was used."""
    failed: Callable[[dict[str, Any]], bool]
    """The event says that the engine failed."""
    last_words: Callable[[Refusal], bytes]
    """The event that tells the caller so."""
    separate: bool = False
    """Usage comes in an event without output, which a caller that did not ask does not get."""


def speaks(data: bytes) -> bool:
    """Some event of these may say what was used, or that the engine failed.

    Each event comes by here: `find` takes 60 % of the time of `in`, which tries bytes as a number first.
    """
    return data.find(ERROR) >= 0 or (data.find(NAMED) >= 0 and (USAGE in data or SPACED_USAGE in data))


def renamed(event: bytes, told: bytes, public: bytes) -> bytes:
    """With the public name of the model, both in JSON, where the engine's stands, as engines write it: with or without
    a space. Within text its quotes would be escaped."""
    for field in (b'"model":', b'"model": '):
        if field + told in event:
            return event.replace(field + told, field + public, 1)
    return event


class StreamTail:
    """Reads just so much of a stream as is needed to know what it used."""

    __slots__ = ("_held", "_rename", "_shape", "_usage_wanted", "events", "over", "usage")

    def __init__(self, usage_wanted: bool, rename: tuple[bytes, bytes] | None, shape: Shape) -> None:
        self._usage_wanted = usage_wanted
        self._rename = rename
        self._shape = shape
        self._held = b""
        self.events = 0
        """Events that carried output."""
        self.usage: Usage | None = None
        """From the engine, once it has told."""
        self.over = False
        """It has told so at the end."""

    def feed(self, data: bytes) -> bytes:
        """What of it the caller gets. Raises EngineSaidError."""
        if self._held:
            data, self._held = self._held + data, b""
        whole = data.endswith(LF)
        if not whole:
            data = self._hold_back(data)
        if self._rename is None and not speaks(data):
            if not self.over:  # what follows, `[DONE]`, carries none
                self.events += data.count(LF) if whole else count_of_events(data)
            return data
        return b"".join(self._look_at(data))

    def _hold_back(self, data: bytes) -> bytes:
        end = 0
        for match in EVENT_END.finditer(data):
            end = match.end()
        self._held = data[end:]
        if len(self._held) > LONGEST_EVENT:
            raise EngineFailureError("malformed", True, f"event longer than {LONGEST_EVENT} bytes")
        return data[:end]

    def rest(self) -> bytes:
        """What was held back when the stream ended."""
        held, self._held = self._held, b""
        return b"".join(self._look_at(held)) if held else b""

    def _look_at(self, data: bytes) -> Iterator[bytes]:
        start = 0
        for match in [*EVENT_END.finditer(data), None]:
            end = len(data) if match is None else match.end()
            event = data[start:end]
            start = end
            if event and self._keeps(event):
                yield event if self._rename is None else renamed(event, *self._rename)

    def _keeps(self, event: bytes) -> bool:
        self.events += not self.over
        if not speaks(event):
            return True
        _, _, payload = event.partition(b"data:")
        try:
            chunk = orjson.loads(payload)
        except orjson.JSONDecodeError:
            return True
        if not isinstance(chunk, dict):
            return True
        if self._shape.failed(chunk):
            raise EngineSaidError
        usage = self._shape.usage(chunk)
        if usage is None:
            return True
        self.usage = usage
        only_usage = self._shape.separate and not chunk.get("choices")
        self.over = only_usage or not self._shape.separate
        self.events -= only_usage
        return self._usage_wanted or not only_usage


def usage_of(document: dict[str, Any]) -> Usage | None:
    """What the engine says that it used; None where it does not or makes no sense."""
    usage = document.get("usage")
    if not isinstance(usage, dict):
        return None
    prompt = usage.get("prompt_tokens", usage.get("input_tokens", 0))
    completion = usage.get("completion_tokens", usage.get("output_tokens", 0)) or 0
    if type(prompt) is int and type(completion) is int and 0 <= prompt <= MOST_TOKENS >= completion >= 0:
        cached = _part(usage, "prompt_tokens_details", "input_tokens_details", "cached_tokens", prompt)
        reasoning = _part(usage, "completion_tokens_details", "output_tokens_details", "reasoning_tokens", completion)
        return Usage(prompt, completion, False, True, cached, reasoning)
    return None


def _part(usage: dict[str, Any], details: str, other_details: str, name: str, whole: int) -> int:
    """Tokens of a kind of their own, as chat completions or responses tell them; never more than there are in all."""
    told = usage.get(details) or usage.get(other_details)
    part = told.get(name) if isinstance(told, dict) else None
    return min(part, whole) if type(part) is int and part > 0 else 0


def _event_of(refusal: Refusal) -> bytes:
    return b"data: " + orjson.dumps({"error": error_object(refusal)}) + b"\n\n"


def _usage_of_response(event: dict[str, Any]) -> Usage | None:
    response = event.get("response")
    return usage_of(response) if isinstance(response, dict) else None


def _response_failed(event: dict[str, Any]) -> bool:
    return event.get("type") in {"error", "response.failed"} or event.get("error") is not None


def _error_event(refusal: Refusal) -> bytes:
    """The protocol's own event; `error` beside it is what the package openai raises."""
    error = error_object(refusal)
    event = {**error, "type": "error", "sequence_number": 0, "error": error}
    return b"event: error\ndata: " + orjson.dumps(event) + b"\n\n"


CHUNKS = Shape(usage_of, lambda chunk: chunk.get("error") is not None, _event_of, separate=True)
"""chat/completions, completions: a chunk without choices tells the usage, where it was asked for."""
EVENTS = Shape(_usage_of_response, _response_failed, _error_event)
"""responses: the last event holds the whole response, with its usage."""
