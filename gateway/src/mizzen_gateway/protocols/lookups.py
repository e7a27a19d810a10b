"""What is answered without an engine's work: which models there are, what they take, whether they are ready."""

from importlib.metadata import version

import orjson

from mizzen_gateway.engine.pool import EnginePool
from mizzen_gateway.protocols.open_inference.metadata import metadata_of
from mizzen_gateway.protocols.openai.models import get_model, list_models
from mizzen_gateway.protocols.surface import Route
from mizzen_gateway.routing.table import RouteTable, wrong_protocol
from mizzen_gateway.stages import Caller, Refusal

EXTENSIONS = ("binary_tensor_data",)


async def look_up(route: Route, caller: Caller, table: RouteTable, pool: EnginePool) -> bytes | Refusal:
    """Body of the answer."""
    match route.action:
        case "models.list":
            return await list_models(table, caller, pool)
        case "models.get":
            return await get_model(table, caller, route.model, pool)
        case "server.metadata":
            return orjson.dumps({"name": "mizzen", "version": version("mizzen-gateway"), "extensions": EXTENSIONS})
    target = table.find(caller, route.model)
    if isinstance(target, Refusal):
        return target
    if route.action == "model.ready" and (route.version is None or not target.any_ready):
        return b"{}" if target.any_ready else target.not_ready("no replica is ready")
    if refusal := wrong_protocol("OpenInference", route.model, target.endpoint_set):
        return refusal
    metadata = await metadata_of(target, pool)
    if not metadata:
        return target.not_ready("no replica is ready to describe it")
    refusals = [one.lacks(route.version, route.model) for one in metadata]
    if None not in refusals and refusals[0] is not None:
        return refusals[0]
    if route.action == "model.ready":
        return b"{}"
    return orjson.dumps({**metadata[refusals.index(None)].document, "name": route.model})
