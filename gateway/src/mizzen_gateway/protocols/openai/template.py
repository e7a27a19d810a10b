"""How many tokens does a model's chat template put around a conversation? Its engine's tokenizer says it, asked once
for each revision.

A template may have a system prompt of its own, of more than a thousand tokens. vLLM answers `/tokenize` with the
template that it uses itself; an engine that has no such path, or none for conversations, leaves TEMPLATE_TOKENS.
"""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass

import orjson

from mizzen_gateway.engine.exchange import Collected, EngineFailureError, EngineRequest
from mizzen_gateway.engine.pool import EnginePool
from mizzen_gateway.protocols.openai.abilities import ASK_SECONDS, HELD, SILENT_SECONDS
from mizzen_gateway.protocols.openai.bounds import TEMPLATE_TOKENS
from mizzen_gateway.routing.endpoint import EndpointState
from mizzen_gateway.routing.target import Target

PATH = "/tokenize"
MEASURED = "chat template"
"""Place in `Target.metadata` that no revision has: what is there goes when the endpoints change."""
SPARE_TOKENS = 128
"""Beside what was measured: a template may say more where a caller asks for reasoning, or has tools."""
ANSWER_LIMIT = 4 * 1024 * 1024
SHORTEST = [{"role": "user", "content": "a"}]


def template_tokens(target: Target) -> int:
    """What is known of it, without asking; of a deployment at zero, what was measured before."""
    return max(TEMPLATE_TOKENS, *target.templates.values()) if target.templates else TEMPLATE_TOKENS


def measured(target: Target) -> bool:
    """Nobody need be asked."""
    return target.metadata.get(MEASURED) is True


async def measure(target: Target, pool: EnginePool) -> None:
    """Ask an engine of each revision that has not been asked, where they have told that they can be."""
    paths = target.metadata.get(HELD)
    if not isinstance(paths, frozenset):
        return
    if PATH not in paths:
        target.metadata[MEASURED] = True
        return
    held = target.metadata.get(MEASURED)
    if held is True or (isinstance(held, _Silent) and pool.now() < held.until):
        return
    if not isinstance(held, asyncio.Task):
        endpoints = target.one_of_each_revision(pool.now())
        held = asyncio.get_running_loop().create_task(_ask(target, endpoints, pool))
        target.metadata[MEASURED] = held
    # Several callers may wait for it; one that leaves does not end it for the others.
    await asyncio.shield(held)


@dataclass(frozen=True, slots=True)
class _Silent:
    """An engine gave no answer: what is known has to do until it is asked again, at this loop time."""

    until: float


async def _ask(target: Target, endpoints: Iterable[EndpointState], pool: EnginePool) -> None:
    metadata = target.metadata
    unknown = [one for one in endpoints if one.facts.revision not in target.templates]
    question = orjson.dumps({"model": target.endpoint_set.model_name, "messages": SHORTEST})
    told = await asyncio.gather(*(_counted(endpoint, question, pool) for endpoint in unknown))
    for endpoint, tokens in zip(unknown, told, strict=True):
        if tokens is not None:
            target.templates[endpoint.facts.revision] = tokens
    asked = all(one.facts.revision in target.templates for one in target.endpoints() if one.facts.ready)
    metadata[MEASURED] = True if asked else _Silent(pool.now() + SILENT_SECONDS)


async def _counted(endpoint: EndpointState, question: bytes, pool: EnginePool) -> int | None:
    """Tokens of the shortest conversation; 0 where the engine knows no template, None where it did not answer."""
    sink = Collected(ANSWER_LIMIT)
    request = EngineRequest(PATH, question, (("content-type", "application/json"),))
    try:
        await pool.exchange(endpoint.address, request, sink, ASK_SECONDS, ASK_SECONDS)
        told = orjson.loads(sink.body) if sink.status == 200 else {}
    except EngineFailureError:
        return None
    except orjson.JSONDecodeError:
        return 0
    if sink.status >= 500:
        return None
    count = told.get("count") if isinstance(told, dict) else None
    return count + SPARE_TOKENS if type(count) is int and 0 <= count <= ANSWER_LIMIT else 0
