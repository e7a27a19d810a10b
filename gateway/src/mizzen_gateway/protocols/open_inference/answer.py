"""The engine's answer to an inference becomes the caller's."""

import orjson

from mizzen_gateway.engine.exchange import EngineFailureError
from mizzen_gateway.protocols.held_answer import HeldAnswer
from mizzen_gateway.protocols.held_bytes import HELD, HeldShare
from mizzen_gateway.protocols.open_inference.errors import engine_refused, has_several, several_answers
from mizzen_gateway.protocols.openai.long_document import LongDocument
from mizzen_gateway.stages import Refusal, Usage
from mizzen_gateway.wire.response import HeaderList, Responder

RESPONSE_LIMIT = 16 * 1024 * 1024
"""Of an answer whose header alone is so long, or is none."""
LONG_BYTES = 4 * 1024 * 1024
"""An answer that is longer is not held: it goes on as it comes."""
HEADER_NAME = "inference-header-content-length"
HEADER_LENGTH = HEADER_NAME.encode()
LONGEST_LENGTH = 12
"""Digits."""
PASSED = ("content-type", HEADER_NAME, "content-encoding")


class InferAnswer(HeldAnswer):
    """A response that is one document, with binary tensors behind it."""

    def __init__(
        self, responder: Responder, headers: HeaderList, public: str, engine_model: str, version: str | None = None
    ) -> None:
        super().__init__(RESPONSE_LIMIT)
        self._responder = responder
        self._headers = headers
        self._public = public
        self._version = version
        self._renamed = public != engine_model
        self._share = HeldShare(HELD)
        self._passes = False
        self._document: LongDocument | None = None
        """The JSON of one that goes on as it comes, where the name in it has to be another."""

    def on_body(self, data: bytes) -> None:
        """Keep it, or pass it on. Raises BadRequestError past the limit."""
        if self._passes:
            self._responder.write(data if self._document is None else self._document.feed(data))
            return
        super().on_body(data)
        self._share.grow(len(data))
        if self.status == 200 and (self._share.bytes > LONG_BYTES or HELD.too_many):
            self._pass_on()

    def _pass_on(self) -> None:
        """It goes on as it comes from here on, once its header is there."""
        headers, told = self._passed(), self._held.headers
        end = header_end(told, b"") if self._renamed and HEADER_LENGTH in told else 0
        if end > self._share.bytes:
            return
        body = self._held.body
        if end:
            header = renamed(body[:end], self._public)
            if header is None:
                raise EngineFailureError("malformed", True, "the header of an inference is no JSON object")
            headers[HEADER_NAME] = str(len(header))
            body = header + body[end:]
        elif self._renamed:
            self._document = LongDocument(self._public, b"model_name")
            body = self._document.feed(body)
        self._responder.goes_on_early()
        self._passes = True
        self._held.pieces.clear()
        del self._share
        self._responder.start(200, (*headers.items(), *self._headers))
        self._responder.write(body)

    def _passed(self) -> dict[str, str]:
        held = self._held.headers
        return {name: held[name.encode()].decode("latin-1") for name in PASSED if name.encode() in held}

    def complete(self) -> Usage | Refusal:
        """Send it."""
        held = self._held
        if self._passes:
            return self._end()
        if held.status != 200:
            if has_several(held):
                return several_answers(self._public)
            return engine_refused(held.status, self._public, self._version)
        passed = self._passed()
        if not self._renamed:
            self._responder.send_pieces(200, (*passed.items(), *self._headers), held.pieces)
        else:
            body = held.body
            end = header_end(held.headers, body)
            header = renamed(body[:end], self._public)
            if header is None:
                return engine_refused(500, self._public)
            body = header + body[end:]
            if HEADER_NAME in passed:
                passed[HEADER_NAME] = str(len(header))
            self._responder.send(200, (*passed.items(), *self._headers), body)
        return Usage()

    def _end(self) -> Usage | Refusal:
        if self._document is not None and (self._document.unfit or not self._document.whole):
            return engine_refused(500, self._public)
        self._responder.finish()
        return Usage()

    def break_off(self, refusal: Refusal) -> None:  # noqa: ARG002  # other answers have words for it
        """Nothing can be said in the middle of tensors: it ends without its last chunk."""
        if self._passes:
            self._responder.break_off()

    def so_far(self) -> Usage:
        """A request was made of the engine, which is all that is counted."""
        return Usage()


def header_end(headers: dict[bytes, bytes], body: bytes) -> int:
    """Where the JSON of an answer ends; 0, where no JSON can, for an engine that names no place in it."""
    length = headers.get(HEADER_LENGTH)
    if length is None:
        return len(body)
    return int(length) if length.isdigit() and len(length) <= LONGEST_LENGTH else 0


def renamed(header: bytes, public: str) -> bytes | None:
    """The JSON header with the caller's name of the model; None where it is none."""
    try:
        document = orjson.loads(header)
    except orjson.JSONDecodeError:
        return None
    return orjson.dumps({**document, "model_name": public}) if isinstance(document, dict) else None
