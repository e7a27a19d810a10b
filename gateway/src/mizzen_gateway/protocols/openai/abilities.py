"""Which endpoints does an engine have? Its own OpenAPI document says it: asked once for a set of endpoints, then held.

An engine that has none (many have one) is taken at its word when it is called.
"""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass

import orjson

from mizzen_gateway.engine.exchange import Collected, EngineFailureError, EngineRequest
from mizzen_gateway.engine.pool import EnginePool
from mizzen_gateway.routing.endpoint import EndpointState
from mizzen_gateway.routing.target import Target
from mizzen_gateway.stages import Refusal

DOCUMENT_LIMIT = 16 * 1024 * 1024
ASK_SECONDS = 2.0
SILENT_SECONDS = 30.0
"""Between two questions to an engine that did not answer the first."""
HELD = ""
"""Place in `Target.metadata` that no revision has: what is there goes when the endpoints change."""
OFFERED = {
    "/v1/chat/completions": "/v1/chat/completions",
    "/v1/completions": "/v1/completions",
    "/v1/responses": "/v1/responses",
    "/v1/embeddings": "/v1/embeddings",
    "/v1/rerank": "/v1/rerank",
    "/v1/score": "/v1/score",
    "/classify": "/v1/classify",
    "/v1/audio/transcriptions": "/v1/audio/transcriptions",
    "/v1/images/generations": "/v1/images/generations",
}
"""Path at the gateway by path at the engine."""
Paths = frozenset[str]


def known_to_have(target: Target, path: str) -> bool:
    """Every engine has told what it has, and `path` is among it, or none tells: nobody need be asked."""
    held = target.metadata.get(HELD)
    return isinstance(held, frozenset) and (not held or path in held)


async def lacking(target: Target, pool: EnginePool, path: str, model: str) -> Refusal | None:
    """404 where every engine says what it has, and `path` is not among it."""
    held = target.metadata.get(HELD)
    paths = held if isinstance(held, frozenset) else await abilities_of(target, pool)
    if not paths or path in paths:
        return None
    has = ", ".join(OFFERED[one] for one in sorted(paths) if one in OFFERED) or "none of this API"
    message = f"Model '{model}' has no {OFFERED[path]}: its engine does not offer it for this model; it has {has}."
    return Refusal(404, "endpoint_not_available", message, param="model")


async def abilities_of(target: Target, pool: EnginePool) -> Paths | None:
    """Paths of all revisions that take requests; empty where an engine does not tell, None where none is there."""
    held = target.metadata.get(HELD)
    if isinstance(held, frozenset):
        return held
    if isinstance(held, _Silent) and pool.now() < held.until:
        return frozenset()
    if not isinstance(held, asyncio.Task):
        endpoints = target.one_of_each_revision(pool.now())
        if not endpoints:
            return None
        held = asyncio.get_running_loop().create_task(_ask(target.metadata, endpoints, pool))
        target.metadata[HELD] = held
    # Several callers may wait for it; one that leaves does not end it for the others.
    return await asyncio.shield(held)


@dataclass(frozen=True, slots=True)
class _Silent:
    """An engine gave no answer: it is taken at its word until it is asked again, at this loop time."""

    until: float


async def _ask(metadata: dict[str, object], endpoints: Iterable[EndpointState], pool: EnginePool) -> Paths:
    """What was told is kept by revision, so that replicas that come and go cost no question."""
    told = await asyncio.gather(*(_told(metadata, endpoint, pool) for endpoint in endpoints))
    known = [one for one in told if one is not None]
    if len(known) < len(told):
        metadata[HELD] = _Silent(pool.now() + SILENT_SECONDS)
        return frozenset()
    found: Paths = frozenset().union(*known) if all(known) else frozenset()
    metadata[HELD] = found
    return found


async def _told(metadata: dict[str, object], endpoint: EndpointState, pool: EnginePool) -> Paths | None:
    revision = endpoint.facts.revision
    held = metadata.get(revision)
    if isinstance(held, frozenset):
        return held
    paths = await _paths(endpoint, pool)
    if paths is not None:
        metadata[revision] = paths
    return paths


async def _paths(endpoint: EndpointState, pool: EnginePool) -> Paths | None:
    collected = Collected(DOCUMENT_LIMIT)
    request = EngineRequest("/openapi.json", method="GET")
    try:
        await pool.exchange(endpoint.address, request, collected, ASK_SECONDS, ASK_SECONDS)
        document = orjson.loads(collected.body) if collected.status == 200 else {}
    except EngineFailureError:
        return None
    except orjson.JSONDecodeError:
        return frozenset()
    paths = document.get("paths") if isinstance(document, dict) else None
    return frozenset(paths) if isinstance(paths, dict) else frozenset()
