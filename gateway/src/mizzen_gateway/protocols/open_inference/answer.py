"""The engine's answer to an inference becomes the caller's."""

import orjson

from mizzen_gateway.protocols.held_answer import HeldAnswer
from mizzen_gateway.protocols.open_inference.errors import engine_refused, has_several, several_answers
from mizzen_gateway.stages import Refusal, Usage
from mizzen_gateway.wire.response import HeaderList, Responder

RESPONSE_LIMIT = 256 * 1024 * 1024
HEADER_LENGTH = b"inference-header-content-length"
LONGEST_LENGTH = 12
"""Digits."""
PASSED = ("content-type", "inference-header-content-length", "content-encoding")


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

    def complete(self) -> Usage | Refusal:
        """Send it."""
        held = self._held
        if held.status != 200:
            if has_several(held):
                return several_answers(self._public)
            return engine_refused(held.status, self._public, self._version)
        passed = {
            name: held.headers[name.encode()].decode("latin-1") for name in PASSED if name.encode() in held.headers
        }
        if not self._renamed:
            self._responder.send_pieces(200, (*passed.items(), *self._headers), held.pieces)
        else:
            body = held.body
            end = header_end(held.headers, body)
            header = renamed(body[:end], self._public)
            if header is None:
                return engine_refused(500, self._public)
            body = header + body[end:]
            if "inference-header-content-length" in passed:
                passed["inference-header-content-length"] = str(len(header))
            self._responder.send(200, (*passed.items(), *self._headers), body)
        return Usage()

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
