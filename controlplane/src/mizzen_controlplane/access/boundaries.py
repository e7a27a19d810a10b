"""When does time alone change access? At the end of a period and when prices come into force: each gets a version."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from typing import Final

import structlog
from mizzen_crds.access import BudgetWindow
from mizzen_crds.periods import Window
from sqlalchemy.exc import SQLAlchemyError

from mizzen_controlplane.access.models import AccessClock
from mizzen_controlplane.access.repository import access_clock
from mizzen_controlplane.budgets.repository import windows_in_force
from mizzen_controlplane.identity.repository import organization
from mizzen_controlplane.kit.background import in_background
from mizzen_controlplane.kit.changes import ACCESS, next_access_version
from mizzen_controlplane.kit.clock import utc_now
from mizzen_controlplane.kit.database import reading, unit_of_work
from mizzen_controlplane.kit.plane import Plane
from mizzen_controlplane.pricing.repository import next_effective

LONGEST_REST: Final = timedelta(seconds=5)
"""Until a price is seen that another replica wrote, should its signal be lost."""
_RETRY_SECONDS: Final = 1.0
_SHORTEST_REST: Final = 0.02

log = structlog.get_logger(__name__)


async def next_boundary(plane: Plane, after: datetime) -> datetime:
    """The first moment after `after` at which access changes by itself."""
    async with reading(plane.database) as session:
        zone = (await organization(session, plane.organization_id)).time_zone
        # A rolling window changes all the time: gateways learn of it with each lease.
        calendar = {BudgetWindow(name) for name in await windows_in_force(session)} - {BudgetWindow.ROLLING}
        prices = await next_effective(session, after)
    ends = [Window(kind, 0, zone).period_of(after).end for kind in calendar | {BudgetWindow.MONTH}]
    return min([*ends, prices] if prices else ends)


async def pass_boundaries(plane: Plane, now: datetime) -> datetime:
    """Give a boundary that lies between the last call and now its version; of several replicas only one does.

    Returns the next boundary after `now`.
    """
    async with reading(plane.database) as session:
        clock = await access_clock(session)
    if clock is not None and (boundary := await next_boundary(plane, clock.passed_until)) > now:
        return boundary
    await _give_version(plane, now)
    return await next_boundary(plane, now)


async def _give_version(plane: Plane, now: datetime) -> None:
    async with unit_of_work(plane.database) as session:
        clock = await access_clock(session, lock=True)
        if clock is None:
            session.add(AccessClock(passed_until=now))
        elif clock.passed_until < now:
            clock.passed_until = now
            await next_access_version(session)


@asynccontextmanager
async def boundaries_passed(plane: Plane) -> AsyncIterator[None]:
    """Pass boundaries in the background while the control plane runs."""
    async with in_background(_pass_for_ever(plane), "access-boundaries"):
        yield


async def _pass_for_ever(plane: Plane) -> None:
    with plane.database.signals.listening(ACCESS) as changed:
        while True:
            changed.clear()
            rest = await _pass_once(plane)
            with suppress(TimeoutError):
                async with asyncio.timeout(rest):
                    await changed.wait()


async def _pass_once(plane: Plane) -> float:
    """Pass what is due; returns the seconds until the next boundary, as far as it is known now."""
    now = utc_now()  # one moment for both, or a boundary between two of them would be slept over
    try:
        rest = await pass_boundaries(plane, now) - utc_now()
    except SQLAlchemyError as error:
        log.warning("access boundaries wait for the database", error=type(error).__name__)
        return _RETRY_SECONDS
    return max(_SHORTEST_REST, min(rest, LONGEST_REST).total_seconds())
