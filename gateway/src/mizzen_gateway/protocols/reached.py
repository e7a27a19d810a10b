"""Do the replicas of a model that are called ready take a connection?

In an installation whoever runs them watches that. Upstreams of a gateway that runs alone are watched by nobody: whoever
asks for the list of models learns whether their addresses lead anywhere.
"""

import asyncio

from mizzen_gateway.engine.exchange import EngineFailureError
from mizzen_gateway.engine.pool import EnginePool
from mizzen_gateway.routing.endpoint import EndpointState
from mizzen_gateway.routing.target import Target


async def ready(target: Target, pool: EnginePool) -> bool:
    """Some replica takes requests."""
    if not target.any_ready or not target.facts.of_a_file:
        return target.any_ready
    return any(await asyncio.gather(*(_reached(one, pool) for one in target.endpoints())))


async def _reached(endpoint: EndpointState, pool: EnginePool) -> bool:
    try:
        connection = await pool.acquire(endpoint.address)
    except EngineFailureError:
        return False
    pool.release(endpoint.address, connection)
    return True
