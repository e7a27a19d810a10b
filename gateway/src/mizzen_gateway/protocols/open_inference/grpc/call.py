"""A ModelInfer call: an inference like any other, whose answer becomes a message."""

from typing import TypeVar

from mizzen_gateway.protocols.call import Answer
from mizzen_gateway.protocols.held_answer import HeldAnswer
from mizzen_gateway.protocols.open_inference.answer import header_end
from mizzen_gateway.protocols.open_inference.call import InferCall, first_refusal
from mizzen_gateway.protocols.open_inference.errors import (
    engine_refused,
    has_several,
    invalid,
    no_port_for_several,
    several_answers,
)
from mizzen_gateway.protocols.open_inference.grpc.fields import MalformedMessageError
from mizzen_gateway.protocols.open_inference.grpc.request import read_infer
from mizzen_gateway.protocols.open_inference.grpc.response import UnfitResponseError, infer_response
from mizzen_gateway.stages import Refusal, Usage
from mizzen_gateway.wire.response import HeaderList, Responder

LONGEST_VERSION = 9
RESPONSE_LIMIT = 256 * 1024 * 1024
"""A message is one piece: what it is made of has to be there."""
Kind = TypeVar("Kind", bound="GrpcInferCall")


def parse(message: bytes, kind: "type[Kind]") -> "Kind | Refusal":
    """Read a ModelInferRequest and hold it to the rules that need no model; the call is of that kind."""
    try:
        found = read_infer(memoryview(message))
    except MalformedMessageError as error:
        return invalid("message", f"Message: not a ModelInferRequest that can be read ({error}).")
    if not found.model:
        return invalid("model_name", "model_name: missing; name the model.")
    if not version_fits(found.version):
        return Refusal(404, "version_not_found", f"Version '{found.version[:20]}': must be a number.", param="version")
    refusal = first_refusal(found.document, len(found.binary))
    if refusal is not None:
        return refusal
    return kind(found.model, found.version or None, found.document, found.binary, 0, "")


def version_fits(version: str) -> bool:
    """Empty, or a number."""
    return not version or (version.isascii() and version.isdigit() and len(version) <= LONGEST_VERSION)


class GrpcInferCall(InferCall):
    """To the engine it is one of HTTP."""

    streamed = False
    """Of a stream."""

    @property
    def request_id(self) -> str:
        """The caller's own name of it; empty for none."""
        return str(self._document.get("id", ""))

    def answer(self, responder: Responder, headers: HeaderList, engine_model: str) -> Answer:  # noqa: ARG002  # as all
        """For one try."""
        return GrpcAnswer(responder, headers, self.model, self.version, final=self.streamed)


class GrpcAnswer(HeldAnswer):
    """The engine's response becomes a message."""

    def __init__(
        self, responder: Responder, headers: HeaderList, public: str, version: str | None, *, final: bool
    ) -> None:
        super().__init__(RESPONSE_LIMIT)
        self._responder = responder
        self._headers = headers
        self._public = public
        self._version = version
        self._final = final

    def complete(self) -> Usage | Refusal:
        """Send it."""
        held = self._held
        if held.status != 200:
            if has_several(held):
                return no_port_for_several(self._public) if self._final else several_answers(self._public)
            return engine_refused(held.status, self._public, self._version)
        body = held.body
        end = header_end(held.headers, body)
        try:
            message = infer_response(body[:end], memoryview(body)[end:], self._public, final=self._final)
        except UnfitResponseError:
            return engine_refused(500, self._public)
        self._responder.send(200, self._headers, message)
        return Usage()

    def so_far(self) -> Usage:
        """A request was made of the engine, which is all that is counted."""
        return Usage()
