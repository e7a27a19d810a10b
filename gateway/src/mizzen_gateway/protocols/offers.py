"""What can a model do? The paths at which the gateway takes requests for it, as far as its engines have told."""

import asyncio
from collections.abc import Iterable

from mizzen_gateway.engine.pool import EnginePool
from mizzen_gateway.protocols.classify.signature import signature_of
from mizzen_gateway.protocols.open_inference.metadata import metadata_of
from mizzen_gateway.protocols.openai.abilities import OFFERED, abilities_of
from mizzen_gateway.routing.route import RouteFacts
from mizzen_gateway.routing.table import Facts, RouteTable
from mizzen_gateway.routing.target import Target

ASK_SECONDS = 2.0
"""A list of models waits no longer for engines that have not told yet."""
CLASSIFY = "/v1/classify"
INFER = "/v2/models/{model}/infer"


def targets_of(facts: Facts, table: RouteTable) -> list[Target]:
    """Every deployment that may answer under a name."""
    if not isinstance(facts, RouteFacts):
        return [table.target(facts.key)] if facts.key in table else []
    return table.behind(facts)


async def offers(many: Iterable[Facts], table: RouteTable, pool: EnginePool) -> list[list[str] | None]:
    """Paths for each; None where nobody can tell, such as for a model without a replica."""
    groups = [targets_of(facts, table) for facts in many]
    tasks = {target.facts.key: asyncio.create_task(_of(target, pool)) for group in groups for target in group}
    if tasks:
        _, late = await asyncio.wait(tasks.values(), timeout=ASK_SECONDS)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late)
    found = {key: None if task.cancelled() else task.result() for key, task in tasks.items()}
    return [_of_all([found[target.facts.key] for target in group]) for group in groups]


async def _of(target: Target, pool: EnginePool) -> frozenset[str] | None:
    if not target.endpoint_set.engine:
        return None
    if target.endpoint_set.protocol == "OpenAI":
        paths = await abilities_of(target, pool)
        return frozenset(OFFERED[path] for path in paths if path in OFFERED) if paths else None
    metadata = await metadata_of(target, pool)
    if not metadata:
        return None
    return frozenset({INFER, CLASSIFY} if all(map(signature_of, metadata)) else {INFER})


def _of_all(found: list[frozenset[str] | None]) -> list[str] | None:
    """What every deployment of a route can do: any of them may get the next request."""
    known = [one for one in found if one is not None]
    return sorted(frozenset.intersection(*known)) if known and len(known) == len(found) else None
