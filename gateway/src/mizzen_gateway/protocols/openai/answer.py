"""The engine's response becomes the caller's: whole, or as a stream."""

import orjson

from mizzen_gateway.engine.exchange import Collected, EngineFailureError
from mizzen_gateway.protocols.openai.errors import engine_refused, upstream_error
from mizzen_gateway.protocols.openai.tail import EngineSaidError, Shape, StreamTail, usage_of
from mizzen_gateway.stages import Refusal, Usage
from mizzen_gateway.wire.response import HeaderList, Responder

RESPONSE_LIMIT = 128 * 1024 * 1024
DONE = (b"data: [DONE]\n\n", b"data: [DONE]\r\n\r\n")
BYTES_A_TOKEN = 4
"""For estimates only, where the engine told nothing."""


class WholeAnswer:
    """A response that is one JSON document."""

    def __init__(
        self, responder: Responder, headers: HeaderList, public: str, engine_model: str, prompt_bytes: int
    ) -> None:
        self._responder = responder
        self._headers = headers
        self._public = public
        self._renamed = public != engine_model
        self._prompt_bytes = prompt_bytes
        self._pieces: list[bytes] = []
        self._size = 0
        self._body = b""
        self.status = 0

    def on_head(self, status: int, headers: dict[bytes, bytes]) -> None:  # noqa: ARG002  # as of every answer
        """Keep the status."""
        self.status = status

    def on_body(self, data: bytes) -> None:
        """Keep it; raises EngineFailureError past the limit."""
        self._size += len(data)
        if self._size > RESPONSE_LIMIT:
            raise EngineFailureError("malformed", True, f"response larger than {RESPONSE_LIMIT} bytes")
        self._pieces.append(data)

    def complete(self) -> Usage | Refusal:
        """Look at it."""
        body = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        if self.status != 200:
            return engine_refused(self.status, body, self._public)
        try:
            document = orjson.loads(body)
        except orjson.JSONDecodeError:
            return upstream_error(self._public)
        if not isinstance(document, dict) or document.get("error") is not None:
            return upstream_error(self._public)
        if self._renamed and "model" in document:
            document["model"] = self._public
            body = orjson.dumps(document)
        self._body = body
        return usage_of(document) or self._estimate(len(body))

    def send(self) -> None:
        """The caller has it."""
        self._responder.send(200, (("content-type", "application/json"), *self._headers), self._body)

    def _estimate(self, body_bytes: int) -> Usage:
        return Usage(self._prompt_bytes // BYTES_A_TOKEN + 1, body_bytes // BYTES_A_TOKEN, estimated=True)

    def so_far(self) -> Usage:
        """Nothing was delivered, but the engine had the prompt to read."""
        return Usage(self._prompt_bytes // BYTES_A_TOKEN + 1, estimated=True)

    def break_off(self, refusal: Refusal) -> None:
        """Nothing was written yet."""


class StreamAnswer:
    """A response of server-sent events."""

    def __init__(
        self,
        responder: Responder,
        headers: HeaderList,
        public: str,
        engine_model: str,
        prompt_bytes: int,
        usage_wanted: bool,
        shape: Shape,
    ) -> None:
        self._responder = responder
        self._headers = headers
        self._public = public
        self._prompt_bytes = prompt_bytes
        rename = None
        if public != engine_model:
            rename = (orjson.dumps(engine_model), orjson.dumps(public))
        self._shape = shape
        self._tail = StreamTail(usage_wanted, rename, shape)
        self._refused: Collected | None = None
        self.status = 0

    def on_head(self, status: int, headers: dict[bytes, bytes]) -> None:
        """Begin the caller's stream where the engine began one."""
        self.status = status
        if status == 200 and headers.get(b"content-type", b"").startswith(b"text/event-stream"):
            stream_headers = (("content-type", "text/event-stream; charset=utf-8"), ("cache-control", "no-cache"))
            self._responder.start(200, (*stream_headers, *self._headers))
        else:
            self._refused = Collected(RESPONSE_LIMIT)

    def on_body(self, data: bytes) -> None:
        """Pass it on."""
        if self._refused is not None:
            self._refused.on_body(data)
            return
        try:
            self._responder.write(self._tail.feed(data))
        except EngineSaidError:
            raise EngineFailureError("broken", True, "the engine ended the stream with an error") from None

    def complete(self) -> Usage | Refusal:
        """The last bytes."""
        if self._refused is not None:
            return engine_refused(self.status if self.status != 200 else 500, self._refused.body, self._public)
        try:
            self._responder.write(self._tail.rest())
        except EngineSaidError:
            return upstream_error(self._public)
        self._responder.finish()
        return self.so_far()

    @property
    def generated(self) -> int:
        """Tokens so far, as the engine tells them with each part, else the events counted."""
        usage = self._tail.usage
        return self._tail.events if usage is None else usage.output_tokens

    @property
    def events(self) -> int:
        """Those with output so far."""
        return self._tail.events

    def ended_with(self, data: bytes) -> bool:
        """Those bytes were its last."""
        return self._refused is not None or self._tail.over or data.endswith(DONE)

    def so_far(self) -> Usage:
        """From the engine if it has told, else the events counted."""
        if self._tail.usage is not None:
            return self._tail.usage
        return Usage(self._prompt_bytes // BYTES_A_TOKEN + 1, self._tail.events, estimated=True)

    def break_off(self, refusal: Refusal) -> None:
        """One error event, then the end: of the stream, which is whole for HTTP, so that its connection stays open."""
        self._responder.write(self._shape.last_words(refusal))
        self._responder.finish()
