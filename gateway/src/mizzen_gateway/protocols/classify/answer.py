"""Tensors of a classifier become labels and probabilities, in the shape of vLLM's classification."""

import time
import uuid
from typing import Any

import orjson

from mizzen_gateway.protocols.classify.signature import Signature
from mizzen_gateway.protocols.held_answer import HeldAnswer
from mizzen_gateway.protocols.open_inference.errors import has_several, several_answers
from mizzen_gateway.protocols.openai.errors import upstream_error
from mizzen_gateway.stages import Refusal, Usage
from mizzen_gateway.wire.response import HeaderList, Responder

RESPONSE_LIMIT = 8 * 1024 * 1024
"""It is read while everybody waits, and takes ten times as much memory for that long."""


class ClassifyAnswer(HeldAnswer):
    """A response of tensors, as JSON."""

    def __init__(
        self, responder: Responder, headers: HeaderList, public: str, signature: Signature, texts: int
    ) -> None:
        super().__init__(RESPONSE_LIMIT)
        self._responder = responder
        self._headers = headers
        self._public = public
        self._signature = signature
        self._texts = texts
        self._body = b""

    def complete(self) -> Usage | Refusal:
        """Read the labels."""
        held = self._held
        if has_several(held):
            return several_answers(self._public)
        if held.status in {400, 413, 422}:
            message = f"Model '{self._public}' cannot take these texts; send shorter or fewer ones."
            return Refusal(400, "invalid_request", message, param="input")
        found = self._read(held.body) if held.status == 200 else None
        if found is None:
            return upstream_error(self._public)
        usage = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}
        body = {
            "id": f"classify-{uuid.uuid4().hex}",
            "object": "list",
            "created": int(time.time()),
            "model": self._public,
            "data": found,
            "usage": usage,
        }
        self._body = orjson.dumps(body)
        return Usage()

    def send(self) -> None:
        """The caller has them."""
        self._responder.send(200, (("content-type", "application/json"), *self._headers), self._body)

    def _read(self, body: bytes) -> list[dict[str, Any]] | None:
        """None where the tensors are not what the metadata promised."""
        try:
            outputs = {one["name"]: one["data"] for one in orjson.loads(body)["outputs"]}
            flat = outputs[self._signature.probabilities]
        except (orjson.JSONDecodeError, KeyError, TypeError):
            return None
        labels = outputs.get(self._signature.labels) or [None] * self._texts
        classes, rest = divmod(len(flat), self._texts)
        if rest or not classes or len(labels) != self._texts:
            return None
        return [
            {
                "index": index,
                "label": None if labels[index] is None else str(labels[index]),
                "probs": flat[index * classes : (index + 1) * classes],
                "num_classes": classes,
            }
            for index in range(self._texts)
        ]

    def so_far(self) -> Usage:
        """A request was made of the engine, which is all that is counted."""
        return Usage()
