"""The engine's response becomes the caller's: whole, or as a stream."""

import orjson

from mizzen_gateway.engine.exchange import Beginning, EngineFailureError
from mizzen_gateway.protocols.held_bytes import HELD, HeldShare
from mizzen_gateway.protocols.openai.errors import REFUSAL_LIMIT, engine_refused, upstream_error
from mizzen_gateway.protocols.openai.long_document import LongDocument
from mizzen_gateway.protocols.openai.tail import EngineSaidError, Shape, StreamTail, usage_of
from mizzen_gateway.stages import Refusal, Usage
from mizzen_gateway.wire.response import HeaderList, Responder

LONG_BYTES = 128 * 1024
"""An answer that is longer is not held: it goes on as it comes."""
DONE = (b"data: [DONE]\n\n", b"data: [DONE]\r\n\r\n")
LONGEST_END = max(map(len, DONE))
EVENT_ENDS = (b"\n\n", b"\r\n\r\n")
BYTES_A_TOKEN = 4
"""For estimates only, where the engine told nothing."""


class WholeAnswer:
    """A response that is one JSON document: held until it is whole, or, where it is long, passed on as it comes."""

    # Most answers have none of these, and none of their own is made for them.
    _body = b""
    _share: HeldShare | None = None
    _long: LongDocument | None = None
    _passed = 0
    """Bytes of a long one that have gone on."""
    _most_tokens = 0

    def __init__(
        self, responder: Responder, headers: HeaderList, public: str, engine_model: str, prompt_bytes: int
    ) -> None:
        self._responder = responder
        self._headers = headers
        self._public = public
        self._renamed = public != engine_model
        self._prompt_bytes = prompt_bytes
        self._pieces: list[bytes] | None = None
        self.status = 0

    def on_head(self, status: int, headers: dict[bytes, bytes]) -> None:  # noqa: ARG002  # as of every answer
        """Keep the status."""
        self.status = status

    def on_body(self, data: bytes) -> None:
        """Keep it; most come in one piece."""
        if self._pieces is None:
            self._pieces = [data]
        else:
            self._more(self._pieces, data)

    def _more(self, pieces: list[bytes], data: bytes) -> None:
        """What comes after the first piece. Raises BadRequestError where the answer must not begin."""
        if self._long is not None:
            self._pass_on(self._long, data)
            return
        share = self._share
        if share is None:
            share = self._share = HeldShare(HELD)
            share.grow(len(pieces[0]))
        if self.status != 200 and share.bytes > REFUSAL_LIMIT:
            return
        share.grow(len(data))
        pieces.append(data)
        if self.status == 200 and (share.bytes > LONG_BYTES or HELD.too_many):
            self._long = LongDocument(self._public if self._renamed else None)
            data = b"".join(pieces)
            pieces.clear()
            self._share = None
            self._pass_on(self._long, data)

    def _pass_on(self, document: LongDocument, data: bytes) -> None:
        passed = document.feed(data)
        if document.unfit or not passed:
            return
        if not self._passed:
            self._most_tokens = self._responder.goes_on_early()
            self._responder.start(200, (("content-type", "application/json"), *self._headers))
        self._passed += len(passed)
        self._responder.write(passed)

    def complete(self) -> Usage | Refusal:
        """Look at it."""
        if self._long is not None:
            return self._end(self._long)
        pieces = self._pieces or [b""]
        body = pieces[0] if len(pieces) == 1 else b"".join(pieces)
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
        return usage_of(document) or self._estimate(len(body) // BYTES_A_TOKEN)

    def _end(self, document: LongDocument) -> Usage | Refusal:
        if document.unfit or not document.whole:
            return upstream_error(self._public)
        self._responder.finish()
        return self.so_far()

    def send(self) -> None:
        """The caller has it."""
        if self._long is None:
            self._responder.send(200, (("content-type", "application/json"), *self._headers), self._body)

    def _estimate(self, output_tokens: int) -> Usage:
        return Usage(self._prompt_bytes // BYTES_A_TOKEN + 1, output_tokens, estimated=True)

    def so_far(self) -> Usage:
        """From the engine if it has told. Of an answer that was not delivered it had the prompt to read."""
        document = self._long
        if document is None:
            return self._estimate(0)
        return document.usage or self._estimate(min(self._passed // BYTES_A_TOKEN, self._most_tokens))

    def break_off(self, refusal: Refusal) -> None:  # noqa: ARG002  # other answers have words for it
        """Nothing can be said in the middle of a document: it ends without its last chunk."""
        if self._long is not None:
            self._responder.break_off()


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
        self._refused: Beginning | None = None
        self._last = b""
        """That has gone on."""
        self.status = 0

    def on_head(self, status: int, headers: dict[bytes, bytes]) -> None:
        """Begin the caller's stream where the engine began one."""
        self.status = status
        if status == 200 and headers.get(b"content-type", b"").startswith(b"text/event-stream"):
            stream_headers = (("content-type", "text/event-stream; charset=utf-8"), ("cache-control", "no-cache"))
            self._responder.start(200, (*stream_headers, *self._headers))
        else:
            self._refused = Beginning(REFUSAL_LIMIT)

    def on_body(self, data: bytes) -> None:
        """Pass it on."""
        if self._refused is not None:
            self._refused.on_body(data)
            return
        try:
            data = self._tail.feed(data)
            self._last = data[-LONGEST_END:]  # a copy: what a caller does not read must not be held twice
            self._responder.write(data)
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

    def told_its_end(self, waiting: bytes = b"") -> bool:
        """Of chat and completions that is `[DONE]`, of responses the event with the usage."""
        if self._refused is not None:
            return False
        last, over = waiting or self._last, self._tail.over
        if self._shape.separate:
            return last.endswith(DONE)
        if waiting:
            tail = StreamTail(True, None, self._shape)
            try:
                tail.feed(waiting)
            except EngineSaidError:
                return False
            over = tail.over
        return over and last.endswith(EVENT_ENDS)

    def so_far(self) -> Usage:
        """From the engine if it has told, else the events counted."""
        if self._tail.usage is not None:
            return self._tail.usage
        return Usage(self._prompt_bytes // BYTES_A_TOKEN + 1, self._tail.events, estimated=True)

    def break_off(self, refusal: Refusal) -> None:
        """One error event, then the end: of the stream, which is whole for HTTP, so that its connection stays open."""
        self._responder.write(self._shape.last_words(refusal))
        self._responder.finish()
