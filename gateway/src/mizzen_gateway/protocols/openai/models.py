"""GET /v1/models and /v1/models/{model}."""

from datetime import datetime

import orjson

from mizzen_gateway.routing.table import Facts, RouteTable
from mizzen_gateway.stages import Caller, Refusal


def _entry(name: str, facts: Facts) -> dict[str, object]:
    created = facts.created_at
    seconds = int(datetime.fromisoformat(created).timestamp()) if created else 0
    return {"id": name, "object": "model", "created": seconds, "owned_by": facts.key[0]}


def list_models(table: RouteTable, caller: Caller) -> bytes:
    """Every model that the caller may use and that speaks any protocol."""
    data = [_entry(name, facts) for name, facts in table.visible(caller)]
    return orjson.dumps({"object": "list", "data": data})


def get_model(table: RouteTable, caller: Caller, model: str) -> bytes | Refusal:
    """One of them."""
    found = table.describe(caller, model)
    return found if isinstance(found, Refusal) else orjson.dumps(_entry(model, found))
