"""What an engine says about its model: asked once for each revision, then held."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import orjson

from mizzen_gateway.engine.exchange import Collected, EngineFailureError, EngineRequest
from mizzen_gateway.engine.pool import EnginePool
from mizzen_gateway.protocols.open_inference.errors import unknown_version
from mizzen_gateway.routing.endpoint import EndpointState
from mizzen_gateway.routing.target import Target
from mizzen_gateway.stages import Refusal

DOCUMENT_LIMIT = 4 * 1024 * 1024
ASK_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Tensor:
    """An input or output as the engine describes it."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    """With the batch dimension, -1 for any size."""
    optional: bool | None = False
    """An input that may be left out; None where the engine, of a kind that has them, does not tell."""


@dataclass(frozen=True, slots=True)
class ModelMetadata:
    """Answer of GET /v2/models/{model}, and what of the configuration bounds a request."""

    document: dict[str, Any]
    inputs: dict[str, Tensor]
    outputs: dict[str, Tensor]
    max_batch: int
    """Largest batch; 0 where the model does not batch or it is not known."""
    decoupled: bool | None = None
    """It answers one request with any number of responses; None where the engine does not tell."""

    def lacks(self, version: str | None, model: str) -> Refusal | None:
        """404 where the caller names a version that the engine does not serve."""
        served = self.document.get("versions")
        if version is None or not isinstance(served, list) or version in served:
            return None
        return unknown_version(model, version, served)


async def metadata_of(target: Target, pool: EnginePool) -> list[ModelMetadata]:
    """Of each revision that takes requests; from memory, else from an endpoint. Empty where nobody can tell."""
    endpoints = target.one_of_each_revision(pool.now())
    if not endpoints:
        return [held for held in target.metadata.values() if isinstance(held, ModelMetadata)]
    found: list[ModelMetadata] = []
    for endpoint in endpoints:
        held = target.metadata.get(endpoint.facts.revision)
        metadata = held if isinstance(held, ModelMetadata) else await _ask(target, endpoint, pool)
        if metadata is not None:
            target.metadata[endpoint.facts.revision] = metadata
            found.append(metadata)
    return found


async def _ask(target: Target, endpoint: EndpointState, pool: EnginePool) -> ModelMetadata | None:
    path = f"/v2/models/{quote(target.endpoint_set.model_name, safe='')}"
    try:
        document = await _get(endpoint, pool, path)
        if document is None:
            return None
        told = await _get(endpoint, pool, path + "/config")
        return understand(document, told, hidden=told is None and target.endpoint_set.engine == "Triton")
    except EngineFailureError:
        return None


async def _get(endpoint: EndpointState, pool: EnginePool, path: str) -> dict[str, Any] | None:
    """None where the engine has no such document. Raises EngineFailureError where it did not say."""
    collected = Collected(DOCUMENT_LIMIT)
    await pool.exchange(endpoint.address, EngineRequest(path, method="GET"), collected, ASK_SECONDS, ASK_SECONDS)
    return document_in(collected.body) if collected.status == 200 else None


def document_in(body: bytes) -> dict[str, Any] | None:
    """A JSON object; None for anything else."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    return document if isinstance(document, dict) else None


def understand(document: dict[str, Any], told: dict[str, Any] | None, *, hidden: bool = False) -> ModelMetadata | None:
    """Metadata from the engine's two documents; the second one is Triton's, None where there is none, or it is hidden.

    None where they say something else than the protocol has them say.
    """
    config = told or {}
    try:
        optional = frozenset(held["name"] for held in config.get("input", ()) if held.get("optional"))
        return ModelMetadata(
            document,
            {tensor.name: tensor for tensor in _tensors(document.get("inputs", ()), None if hidden else optional)},
            {tensor.name: tensor for tensor in _tensors(document.get("outputs", ()), frozenset())},
            int(config.get("max_batch_size", 0)),
            None if told is None else bool((config.get("model_transaction_policy") or {}).get("decoupled")),
        )
    except (AttributeError, KeyError, OverflowError, TypeError, ValueError):
        return None


def _tensors(described: Iterable[dict[str, Any]], optional: frozenset[str] | None) -> Iterable[Tensor]:
    for one in described:
        shape = tuple(int(size) for size in one["shape"])
        yield Tensor(one["name"], one["datatype"], shape, None if optional is None else one["name"] in optional)
