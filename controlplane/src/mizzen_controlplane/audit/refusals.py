"""How refused attempts are recorded: an authenticated subject's one by one, anonymous ones told together."""

from collections import Counter as Tally
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import structlog
from fastapi import Request
from prometheus_client import Counter
from sqlalchemy.exc import SQLAlchemyError

from mizzen_controlplane.audit.record import Trace, record_trace
from mizzen_controlplane.kit.auth import authenticate
from mizzen_controlplane.kit.clock import utc_now
from mizzen_controlplane.kit.database import unit_of_work
from mizzen_controlplane.kit.plane import Plane
from mizzen_controlplane.kit.problem import Forbidden, Hidden, Problem, Unauthorized
from mizzen_controlplane.kit.request_context import current_address

ANONYMOUS_REFUSALS = Counter("mizzen_controlplane_anonymous_refusals", "Requests without a valid token.")
TOLD_APART: Final = 20
"""Methods with path, and addresses: the rest is told as `other`."""
OTHER: Final = "other"
log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Anonymous:
    """Refusals of callers whom nobody knows, since they were last told of."""

    since: datetime | None = None
    attempts: Tally[str] = field(default_factory=Tally)
    addresses: Tally[str] = field(default_factory=Tally)

    def count(self, attempt: str, address: str, now: datetime) -> None:
        """One more; memory stays bounded whatever is tried."""
        self.since = self.since or now
        for tally, what in ((self.attempts, attempt), (self.addresses, address)):
            tally[what if what in tally or len(tally) < TOLD_APART else OTHER] += 1

    def taken(self) -> "Anonymous":
        """What there is, beginning anew."""
        taken = Anonymous(self.since, self.attempts, self.addresses)
        self.since, self.attempts, self.addresses = None, Tally(), Tally()
        return taken


_ANONYMOUS: Final = Anonymous()


async def record_refusal(plane: Plane, problem: Problem, request: Request) -> None:
    """Leave a trace of `problem`, where it is a refusal of a subject.

    Whoever has no token must not be able to fill the table, so such attempts are counted, and told of together.
    """
    if isinstance(problem, Unauthorized):
        ANONYMOUS_REFUSALS.inc()
        _ANONYMOUS.count(f"{request.method} {request.url.path[:128]}", current_address(), utc_now())
        return
    if not isinstance(problem, (Forbidden, Hidden)):
        return
    try:
        actor = (await authenticate(request)).name
    except Unauthorized:  # refused on a public route, where nobody has signed in yet
        ANONYMOUS_REFUSALS.inc()
        return
    async with unit_of_work(plane.database) as session:
        trace = Trace(
            actor,
            f"{request.method} denied",
            request.url.path[:512],
            outcome="denied",
            after={"detail": problem.detail},
        )
        record_trace(session, trace)


async def tell_anonymous(plane: Plane) -> None:
    """One event for all anonymous refusals since the last one; none where there were none."""
    told = _ANONYMOUS.taken()
    if told.since is None:
        return
    after = {
        "count": told.attempts.total(),
        "since": told.since.isoformat(),
        "attempts": [{"attempt": attempt, "count": count} for attempt, count in told.attempts.items()],
        # Stands apart from the chain, as all addresses do.
        "address": [{"from": address, "count": count} for address, count in told.addresses.items()],
    }
    try:
        async with unit_of_work(plane.database) as session:
            trace = Trace("anonymous", "anonymous denied", "", outcome="denied", after=after, person="anonymous")
            record_trace(session, trace)
    except SQLAlchemyError as error:
        log.warning("anonymous refusals were not recorded", count=after["count"], error=type(error).__name__)
