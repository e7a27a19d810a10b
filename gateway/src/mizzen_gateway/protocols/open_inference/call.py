"""A request to /v2/models/{model}/infer."""

from functools import lru_cache
from typing import Any, Literal
from urllib.parse import quote

import orjson

from mizzen_gateway.engine.exchange import EngineRequest
from mizzen_gateway.engine.pool import EnginePool
from mizzen_gateway.protocols.call import Admission, Answer
from mizzen_gateway.protocols.depth import too_deep_field, why_too_deep
from mizzen_gateway.protocols.open_inference.answer import InferAnswer
from mizzen_gateway.protocols.open_inference.errors import invalid, several_answers
from mizzen_gateway.protocols.open_inference.inflate import inflated
from mizzen_gateway.protocols.open_inference.metadata import ModelMetadata, metadata_of
from mizzen_gateway.protocols.open_inference.tensors import binary_size, check_inputs, check_outputs
from mizzen_gateway.routing.target import Target
from mizzen_gateway.stages import Estimate, Refusal
from mizzen_gateway.wire.request import Request
from mizzen_gateway.wire.response import HeaderList, Responder

HEADER_LENGTH = b"inference-header-content-length"
LONG = 64 * 1024
"""Bytes of tensors from which on they are not copied to stand behind their header."""
STRIPPED = ("priority", "timeout")
SHARED_MEMORY = ("shared_memory_region", "shared_memory_offset", "shared_memory_byte_size")


async def parse(model: str, version: str | None, request: Request, body_limit: int) -> "InferCall | Refusal":
    """Open the body and hold it to the rules that need no model."""
    body = request.body
    coding = request.headers.get(b"content-encoding")
    if coding is not None and coding.lower() != b"identity":
        opened = await inflated(body, coding, body_limit)
        if isinstance(opened, Refusal):
            return opened
        body = opened
    length = request.headers.get(HEADER_LENGTH)
    if length is not None and not (length.isdigit() and 0 < int(length) <= len(body)):
        return invalid(
            "Inference-Header-Content-Length",
            f"Header Inference-Header-Content-Length: must be a number from 1 to the {len(body)} bytes of the body.",
        )
    end = int(length) if length is not None else len(body)
    try:
        document = orjson.loads(memoryview(body)[:end])
    except orjson.JSONDecodeError as error:
        return Refusal(400, "invalid_json", f"Body: not JSON ({error}); send one JSON object, then binary tensors.")
    deep = too_deep_field(document, body, end) if isinstance(document, dict) else None
    if deep is not None:
        return invalid(deep[:100], why_too_deep(deep[:100]))
    accept = request.headers.get(b"accept-encoding", b"").decode("latin-1")
    return first_refusal(document, len(body) - end) or InferCall(model, version, document, body, end, accept)


def first_refusal(document: Any, binary_bytes: int) -> Refusal | None:
    """The first thing wrong with the JSON header."""
    if not isinstance(document, dict) or not isinstance(document.get("inputs"), list) or not document["inputs"]:
        return invalid("inputs", "inputs: must be a list of at least one input tensor.")
    outputs = document.get("outputs", [])
    if not isinstance(outputs, list):
        return invalid("outputs", "outputs: must be a list of output tensors.")
    for tensor in (*document["inputs"], *outputs):
        if not isinstance(tensor, dict) or not isinstance(tensor.get("name"), str):
            return invalid("inputs", "inputs, outputs: each must be an object with a name.")
        parameters = tensor.get("parameters")
        if isinstance(parameters, dict) and any(field in parameters for field in SHARED_MEMORY):
            message = f"Tensor '{tensor['name']}': shared memory is not offered here; send the data in the request."
            return Refusal(403, "not_offered", message, param=tensor["name"])
    return _check_layout(document["inputs"], binary_bytes)


def _check_layout(inputs: list[dict[str, Any]], binary_bytes: int) -> Refusal | None:
    announced = 0
    for tensor in inputs:
        name, shape, size = tensor["name"], tensor.get("shape"), binary_size(tensor)
        if not isinstance(tensor.get("datatype"), str):
            return invalid(name, f"Input '{name}': datatype is missing; name it, e.g. FP32.")
        if not isinstance(shape, list) or not all(type(one) is int and 0 <= one < 2**40 for one in shape):
            return invalid(name, f"Input '{name}': shape must be a list of whole numbers, none negative.")
        if size is None and not isinstance(tensor.get("data"), list):
            return invalid(name, f"Input '{name}': no data; give data, or parameters.binary_data_size and the bytes.")
        if size is not None and (size < 0 or tensor.get("data") is not None):
            return invalid(name, f"Input '{name}': give either data or a binary_data_size that is not negative.")
        announced += size or 0
    if announced != binary_bytes:
        return invalid(
            "binary_data_size",
            f"Body: {binary_bytes} bytes follow the JSON header, but binary_data_size adds up to {announced};"
            " they must be equal.",
        )
    return None


@lru_cache(maxsize=1024)
def infer_path(engine_model: str, version: str | None) -> str:
    """Path at the engine."""
    of_version = f"/versions/{version}" if version is not None else ""
    return f"/v2/models/{quote(engine_model, safe='')}{of_version}/infer"


class InferCall:
    """Parsed; what needs no model holds."""

    operation = "infer"
    protocol: Literal["OpenInference"] = "OpenInference"
    repeatable = True
    whole = False
    prompt_bytes = 0
    last_words = None

    def __init__(
        self, model: str, version: str | None, document: dict[str, Any], body: bytes, end: int, accept: str
    ) -> None:
        self.model = model
        self.version = version
        self._document = document
        self._body = body
        self._end = end
        self._accept = accept

    async def check(self, target: Target, pool: EnginePool) -> Refusal | None:
        """Hold the tensors to the metadata of every revision: one that takes them will do.

        Where no endpoint can tell its metadata, the engine alone decides.
        """
        refusal: Refusal | None = None
        for metadata in await metadata_of(target, pool):
            refusal = metadata.lacks(self.version, self.model) or self._refused_by(metadata)
            if refusal is None:
                return None
        return refusal

    def _refused_by(self, metadata: ModelMetadata) -> Refusal | None:
        return self._unfit_for(metadata) or self._lacking_in(metadata)

    def _unfit_for(self, metadata: ModelMetadata) -> Refusal | None:
        """What kind of call this is, and what kind of model."""
        return several_answers(self.model) if metadata.decoupled else None

    def _lacking_in(self, metadata: ModelMetadata) -> Refusal | None:
        binary = memoryview(self._body)[self._end :]
        return check_inputs(self._document["inputs"], binary, metadata) or check_outputs(
            self._document.get("outputs", []), metadata
        )

    def prompt(self) -> None:
        """Engines keep nothing of tensors."""

    @property
    def sequence(self) -> str:
        """Of which it is a part, for engines that keep a state from one request to the next; empty for none."""
        parameters = self._document.get("parameters")
        return str(parameters.get("sequence_id") or "") if isinstance(parameters, dict) else ""

    def session(self) -> str:
        """The protocol has no field for it."""
        return ""

    def end_user(self) -> str:
        """Nor for whom it asks."""
        return ""

    def estimate(self, _target: Target) -> Estimate:
        """Nothing is counted in tokens."""
        return Estimate(0, 0, 0)

    def engine_request(self, admission: Admission) -> EngineRequest:
        """The document that was checked, but for what a caller may not set.

        Never the caller's own bytes: of a key that comes twice the engine reads the first, the check read the last.
        """
        path = infer_path(admission.engine_model, self.version)
        document = self._document
        parameters = document.get("parameters")
        if isinstance(parameters, dict) and any(field in parameters for field in STRIPPED):
            kept = {field: value for field, value in parameters.items() if field not in STRIPPED}
            document = {**document, "parameters": kept}
        header = orjson.dumps(document)
        end = len(header)
        binary = memoryview(self._body)[self._end :]
        headers: list[tuple[str, str]] = [("x-request-id", admission.request_id)]
        if binary:
            headers += [("content-type", "application/octet-stream"), (HEADER_LENGTH.decode(), str(end))]
        else:
            headers.append(("content-type", "application/json"))
        if self._accept in {"gzip", "deflate"} and self.model == admission.engine_model:
            headers.append(("accept-encoding", self._accept))
        sent = (*headers, *admission.forwarded)
        if len(binary) < LONG:
            return EngineRequest(path, header + binary, sent)
        return EngineRequest(path, header, sent, tail=binary)

    def answer(self, responder: Responder, headers: HeaderList, engine_model: str) -> Answer:
        """For one try."""
        return InferAnswer(responder, headers, self.model, engine_model, self.version)
