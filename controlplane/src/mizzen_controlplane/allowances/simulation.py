"""What would proposed limits have refused of the last days? The ledger's requests, put to the gateways' own counts."""

import asyncio
from datetime import timedelta
from typing import Final

from mizzen_crds.access import Enforcement, Scope
from sqlmodel.ext.asyncio.session import AsyncSession

from mizzen_controlplane.access.counted_over import Asked, Parent, parent_of, target_of
from mizzen_controlplane.allowances.recorded import as_recorded, moment
from mizzen_controlplane.allowances.replay import Proposed, Refusals, replay
from mizzen_controlplane.allowances.schemas import HourRefused, LimitTried, Simulation, SimulationOutcome
from mizzen_controlplane.identity.repository import ids_of_owner
from mizzen_controlplane.kit.clock import utc_now
from mizzen_controlplane.kit.database import reading
from mizzen_controlplane.kit.plane import Plane
from mizzen_controlplane.kit.problem import invalid_field
from mizzen_controlplane.limits.measures import measure_of
from mizzen_controlplane.limits.schemas import LimitCreate
from mizzen_controlplane.metering.repository import recorded_between

MOST: Final = 200_000
"""Requests that are replayed at once."""


async def simulate(plane: Plane, project: str, body: Simulation) -> SimulationOutcome:
    """The outcome; raises Invalid for a limit that could never match or that the ledger cannot tell of."""
    end = utc_now()
    start = end - timedelta(days=body.days)
    async with reading(plane.database) as session:
        parent = await parent_of(session, plane, project)
        limits = [await _proposed(session, parent, place, one) for place, one in enumerate(body.limits)]
        rows = await recorded_between(session, parent.id, start, end, MOST + 1)
    if len(rows) > MOST:
        raise invalid_field(
            "/days", f"The last {body.days} days have more than {MOST} requests, which is the most: ask for fewer days"
        )
    outcome = await asyncio.to_thread(lambda: replay(as_recorded(rows), limits))
    tried = [_tried(limit, told) for limit, told in zip(limits, outcome.by_limit, strict=True)]
    return SimulationOutcome(start=start, end=end, requests=outcome.requests, refused=outcome.refused, limits=tried)


async def _proposed(session: AsyncSession, parent: Parent, place: int, body: LimitCreate) -> Proposed:
    target = await target_of(session, parent, Asked(body.scope, body.key, body.model, body.owner), utc_now())
    if target.scope not in (Scope.PROJECT, Scope.OWNER, Scope.KEY):
        raise invalid_field(
            f"/limits/{place}/scope",
            f"limits[{place}].scope: {target.scope.value} cannot be replayed, since the project's ledger does not tell "
            "end users, nor other projects' requests; use project, owner or key",
        )
    measure = measure_of(body)
    owner = target.scope_id.rpartition("/")[2]
    keys = await ids_of_owner(session, parent.id, owner) if target.scope is Scope.OWNER else None
    return Proposed(
        body.name,
        body.metric,
        measure.amount,
        measure.window_seconds,
        target.scope_id if target.scope is Scope.KEY else "",
        body.model,
        keys,
        body.enforcement is Enforcement.ENFORCE,
    )


def _tried(limit: Proposed, told: Refusals) -> LimitTried:
    return LimitTried(
        name=limit.name,
        refused=told.count,
        first_at=moment(told.first_ns) if told.count else None,
        last_at=moment(told.last_ns) if told.count else None,
        hours=[HourRefused(start=moment(hour), refused=count) for hour, count in sorted(told.by_hour.items())],
    )
