"""A request to /v1/classify: passed on where the engine has that endpoint, else made one of tensors."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

import orjson

from mizzen_gateway.engine.exchange import EngineRequest
from mizzen_gateway.engine.pool import EnginePool
from mizzen_gateway.protocols.call import Admission, Answer
from mizzen_gateway.protocols.classify.answer import ClassifyAnswer
from mizzen_gateway.protocols.classify.signature import WANTED, Signature, signature_of
from mizzen_gateway.protocols.open_inference.errors import several_answers
from mizzen_gateway.protocols.open_inference.metadata import ModelMetadata, metadata_of
from mizzen_gateway.protocols.openai.call import OpenAICall
from mizzen_gateway.protocols.openai.errors import invalid
from mizzen_gateway.routing.target import Target
from mizzen_gateway.stages import Estimate, Refusal
from mizzen_gateway.wire.response import HeaderList, Responder


class ClassifyCall:
    """Which of the two it is turns out when the model is known."""

    operation = "classify"
    protocol = None
    repeatable = True
    whole = True

    def __init__(self, as_texts: OpenAICall, body: dict[str, Any]) -> None:
        self.model = as_texts.model
        self._as_texts = as_texts
        self._body = body
        self._signature: Signature | None = None

    prompt_bytes = 0
    last_words = None

    def prompt(self) -> None:
        """Engines keep nothing of it."""

    def session(self) -> str:
        """Whoever asks."""
        return self._as_texts.session()

    def end_user(self) -> str:
        """`user` of the body."""
        return self._as_texts.end_user()

    async def check(self, target: Target, pool: EnginePool) -> Refusal | None:
        """Whether the model is a classifier; waits for one that is on its way from zero, as every request does."""
        until = pool.now() + target.facts.park_seconds
        while True:
            known = target.endpoint_set
            if known.engine and known.protocol == "OpenAI":
                return await self._as_texts.check(target, pool)
            metadata = await metadata_of(target, pool) if known.engine else []
            if metadata:
                return self._fits(metadata)
            refusal = await target.park(until)
            if refusal is not None:
                return refusal

    def _fits(self, metadata: Sequence[ModelMetadata]) -> Refusal | None:
        if any(one.decoupled for one in metadata):
            return several_answers(self.model)
        found = [signature_of(one) for one in metadata]
        first = found[0]
        if first is None or any(one != first for one in found):
            message = f"Model '{self.model}' is no classifier of text: such a model has {WANTED}; use /v2 instead."
            return Refusal(404, "endpoint_not_available", message, param="model")
        if texts_in(self._body) is None:
            return invalid("input", "input: this model takes a text or a list of texts alone; send those.")
        count = len(texts_in(self._body) or ())
        if first.max_batch and count > first.max_batch:
            limit = first.max_batch
            return invalid(
                "input", f"input: {count} texts, but this model takes {limit} at once; send several requests."
            )
        self._signature = first
        return None

    def estimate(self, target: Target) -> Estimate:
        """Tensors are not counted in tokens."""
        return self._as_texts.estimate(target) if self._signature is None else Estimate(0, 0, 0)

    def engine_request(self, admission: Admission) -> EngineRequest:
        """Texts, or a tensor of them."""
        signature = self._signature
        if signature is None:
            return self._as_texts.engine_request(admission)
        texts = texts_in(self._body) or ()
        shape = [len(texts), 1][: signature.texts_rank]
        wanted = (signature.probabilities, signature.labels)
        document = {
            "inputs": [{"name": signature.texts, "datatype": "BYTES", "shape": shape, "data": texts}],
            "outputs": [{"name": name} for name in wanted if name is not None],
        }
        headers = (
            ("content-type", "application/json"),
            ("x-request-id", admission.request_id),
            *admission.forwarded,
        )
        path = f"/v2/models/{quote(admission.engine_model, safe='')}/infer"
        return EngineRequest(path, orjson.dumps(document), headers)

    def answer(self, responder: Responder, headers: HeaderList, engine_model: str) -> Answer:
        """For one try."""
        signature = self._signature
        if signature is None:
            return self._as_texts.answer(responder, headers, engine_model)
        return ClassifyAnswer(responder, headers, self.model, signature, len(texts_in(self._body) or ()))


def texts_in(body: dict[str, Any]) -> list[str] | None:
    """The texts; None where the input is something else (token ids, a conversation)."""
    given = body.get("input")
    if isinstance(given, str):
        return [given]
    if isinstance(given, list) and all(isinstance(one, str) for one in given):
        return given
    return None
