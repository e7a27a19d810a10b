"""GET /v1/models and /v1/models/{model}."""

import asyncio
from datetime import datetime

import orjson

from mizzen_gateway.engine.pool import EnginePool
from mizzen_gateway.protocols.offers import offers, targets_of
from mizzen_gateway.protocols.reached import ready
from mizzen_gateway.routing.route import RouteFacts
from mizzen_gateway.routing.table import Facts, RouteTable
from mizzen_gateway.stages import Caller, Refusal


async def _entry(
    name: str, facts: Facts, paths: list[str] | None, table: RouteTable, pool: EnginePool
) -> dict[str, object]:
    created = facts.created_at
    seconds = int(datetime.fromisoformat(created).timestamp()) if created else 0
    return {
        "id": name,
        "object": "model",
        "created": seconds,
        "owned_by": facts.key[0],
        "max_model_len": None if isinstance(facts, RouteFacts) else facts.max_model_len,
        "ready": any(await asyncio.gather(*(ready(target, pool) for target in targets_of(facts, table)))),
        "endpoints": paths,
    }


async def list_models(table: RouteTable, caller: Caller, pool: EnginePool) -> bytes:
    """Every model that the caller may use, and what each can do."""
    found = list(table.visible(caller))
    told = await offers([facts for _, facts in found], table, pool)
    entries = (_entry(name, facts, paths, table, pool) for (name, facts), paths in zip(found, told, strict=True))
    return orjson.dumps({"object": "list", "data": await asyncio.gather(*entries)})


async def get_model(table: RouteTable, caller: Caller, model: str, pool: EnginePool) -> bytes | Refusal:
    """One of them."""
    found = table.describe(caller, model)
    if isinstance(found, Refusal):
        return found
    (paths,) = await offers([found], table, pool)
    return orjson.dumps(await _entry(model, found, paths, table, pool))
