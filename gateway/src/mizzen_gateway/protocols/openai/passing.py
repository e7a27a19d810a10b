"""An answer that goes through as it comes: long ones (pictures), and those that are no JSON (subtitles)."""

import json
from typing import Any

from mizzen_gateway.engine.exchange import Beginning
from mizzen_gateway.protocols.openai.answer import BYTES_A_TOKEN
from mizzen_gateway.protocols.openai.errors import REFUSAL_LIMIT, engine_refused, upstream_error
from mizzen_gateway.protocols.openai.tail import usage_of
from mizzen_gateway.stages import Refusal, Usage
from mizzen_gateway.wire.response import HeaderList, Responder

TAIL_BYTES = 16 * 1024
"""Of the end, where engines write their usage."""
CONTENT_TYPES = ("application/json", "text/plain", "text/vtt", "text/event-stream", "application/x-subrip")
USAGE = b'"usage":'


class PassedAnswer:
    """Bytes in, bytes out; the usage is read from the end."""

    def __init__(self, responder: Responder, headers: HeaderList, public: str, *, counts_text: bool) -> None:
        """`counts_text`: an engine that tells no tokens is estimated by the size of its answer."""
        self._responder = responder
        self._headers = headers
        self._public = public
        self._counts_text = counts_text
        self._refused: Beginning | None = None
        self._tail = b""
        self.status = 0

    def on_head(self, status: int, headers: dict[bytes, bytes]) -> None:
        """Begin the caller's answer where the engine's is good."""
        self.status = status
        content_type = headers.get(b"content-type", b"").decode("latin-1").partition(";")[0].strip().lower()
        if status != 200 or content_type not in CONTENT_TYPES:
            self._refused = Beginning(REFUSAL_LIMIT)
            return
        shown = content_type if content_type == "application/json" else f"{content_type}; charset=utf-8"
        self._responder.start(200, (("content-type", shown), *self._headers))

    def on_body(self, data: bytes) -> None:
        """Pass it on."""
        if self._refused is not None:
            self._refused.on_body(data)
            return
        self._tail = (self._tail + data)[-TAIL_BYTES:]
        self._responder.write(data)

    def complete(self) -> Usage | Refusal:
        """The end."""
        if self._refused is not None:
            if self.status == 200:
                return upstream_error(self._public)
            return engine_refused(self.status, self._refused.body, self._public)
        self._responder.finish()
        return self.so_far()

    def so_far(self) -> Usage:
        """From the engine if it has told."""
        if not self._responder.started:
            return Usage(estimated=True)
        return told_in(self._tail) or self._estimate()

    def _estimate(self) -> Usage:
        written = self._responder.bytes_out // BYTES_A_TOKEN if self._counts_text else 0
        return Usage(0, written, estimated=self._counts_text)

    def break_off(self, refusal: Refusal) -> None:  # noqa: ARG002  # other answers have words for it
        """Nothing can be said in the middle of an answer: it ends without its last chunk."""
        self._responder.break_off()


def told_in(tail: bytes) -> Usage | None:
    """The tokens of the last usage in the end of an answer; None where it names none."""
    place = tail.rfind(USAGE)
    if place < 0:
        return None
    try:
        found, _ = json.JSONDecoder().raw_decode(tail[place + len(USAGE) :].decode("utf-8", "replace").lstrip())
    except ValueError:
        return None
    return usage_of({"usage": found}) if _names_tokens(found) else None


def _names_tokens(usage: Any) -> bool:
    return isinstance(usage, dict) and ("input_tokens" in usage or "prompt_tokens" in usage)
