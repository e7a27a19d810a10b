"""A request of ModelStreamInfer: answered once, as any inference, or as often as the model wants.

Models that answer several times (decoupled) are asked over gRPC, since engines have no other way to call them.
"""

from typing import Literal

from mizzen_gateway.engine.exchange import EngineFailureError, EngineRequest
from mizzen_gateway.engine.pool import EnginePool
from mizzen_gateway.protocols.call import Admission, Answer
from mizzen_gateway.protocols.open_inference.call import STRIPPED
from mizzen_gateway.protocols.open_inference.errors import engine_refused, no_port_for_several
from mizzen_gateway.protocols.open_inference.grpc.call import GrpcInferCall
from mizzen_gateway.protocols.open_inference.grpc.engine_messages import (
    METHOD,
    infer_request,
    read_stream_response,
    stream_message,
)
from mizzen_gateway.protocols.open_inference.grpc.fields import MalformedMessageError, of_text
from mizzen_gateway.protocols.open_inference.grpc.outbox import Turn
from mizzen_gateway.protocols.open_inference.grpc.response import stream_error
from mizzen_gateway.protocols.open_inference.metadata import ModelMetadata
from mizzen_gateway.routing.target import Target
from mizzen_gateway.stages import Refusal, Usage
from mizzen_gateway.wire.response import HeaderList, Responder

NO_ROOM = ("Exceeds maximum queue size", "Server is stopping", "is not at ready state", "has stopped accepting")
"""What Triton says in a stream where it answers 503 to HTTP: messages of streams have no code."""


class StreamedCall(GrpcInferCall):
    """Which of the two it is turns out when the model is known."""

    streamed = True
    _target: Target | None = None
    _several = False

    async def check(self, target: Target, pool: EnginePool) -> Refusal | None:
        """Hold the tensors to the model, and see whether its engine can be asked."""
        self._target = target
        refusal = await super().check(target, pool)
        if refusal is not None:
            return refusal
        there = tuple(target.endpoints())
        if not there or any(one.grpc_address for one in there) or not any(one.decoupled for one in known_of(target)):
            return None
        return no_port_for_several(self.model)

    def _unfit_for(self, metadata: ModelMetadata) -> None:
        """It takes any number of answers."""

    def _asks_over_grpc(self) -> bool:
        """Where nobody can tell, an engine that may have such a model is asked so: it answers once that way too."""
        target = self._target
        if target is None:
            return False
        known = known_of(target)
        if any(one.decoupled for one in known):
            return True
        unknown = not known or any(one.decoupled is None for one in known)
        return (
            unknown and target.endpoint_set.engine == "Triton" and any(one.grpc_address for one in target.endpoints())
        )

    def engine_request(self, admission: Admission) -> EngineRequest:
        """By the way that fits the model."""
        self._several = self._asks_over_grpc()
        if not self._several:
            return super().engine_request(admission)
        binary = memoryview(self._body)
        message = infer_request(admission.engine_model, self.version, self._document, binary, STRIPPED)
        headers = (("x-request-id", admission.request_id), *admission.forwarded)
        return EngineRequest(METHOD, message, headers, grpc=True)

    def answer(self, responder: Responder, headers: HeaderList, engine_model: str) -> Answer:
        """For one try."""
        if not self._several or not isinstance(responder, Turn):
            return super().answer(responder, headers, engine_model)
        responder.has_several()
        return SeveralAnswer(responder, self.model, self.version)


def known_of(target: Target) -> list[ModelMetadata]:
    """What engines have said of their models, by revision."""
    return [one for one in target.metadata.values() if isinstance(one, ModelMetadata)]


class SeveralAnswer:
    """Each of the engine's messages becomes one of the caller's; what is wrong is said in our words.

    An error is kept until another message follows: where it is the only one, nothing was answered.
    """

    lasts: Literal[True] = True

    def __init__(self, turn: Turn, public: str, version: str | None) -> None:
        self._turn = turn
        self._public = public
        self._version = version
        self._kept: bytes | None = None
        self._failed = False
        """A message said so."""
        self._ended = False
        self.status = 0
        """The engine's status."""

    def on_head(self, status: int, headers: dict[bytes, bytes]) -> None:  # noqa: ARG002  # messages have none
        """Keep it."""
        self.status = status

    def on_body(self, data: bytes) -> None:
        """One message."""
        try:
            found = read_stream_response(data)
            response = found.renamed(self._public)
        except MalformedMessageError as error:
            raise EngineFailureError("malformed", True, f"no ModelStreamInferResponse ({error})") from error
        if self._kept is not None:
            kept, self._kept = self._kept, None
            self.status = 200
            self._turn.write(kept)
        if not found.failed:
            self._turn.write(stream_message(response))
            return
        words = engine_refused(500, self._public).message
        message = stream_message(response or (of_text(3, self._turn.request_id),), words)
        if self._failed or self._turn.started:
            self._turn.write(message)
        else:
            self._kept = message
            self.status = 503 if any(words in found.failed for words in NO_ROOM) else 200
        self._failed = True

    def complete(self) -> Usage | Refusal:
        """The engine has ended it."""
        self._ended = True
        if self.status != 200 or self._failed:
            return engine_refused(self.status if self.status != 200 else 500, self._public, self._version)
        self._turn.finish()
        return Usage()

    def so_far(self) -> Usage:
        """A request was made of the engine, which is all that is counted."""
        return Usage()

    def break_off(self, refusal: Refusal) -> None:
        """It ends after its first message; an engine that ended it itself has said what is wrong."""
        if not self._ended:
            self._turn.write(stream_error(refusal.message, self._turn.request_id))
        self._turn.finish()
