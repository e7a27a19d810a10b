"""How refused attempts are recorded: an authenticated subject's one by one, anonymous ones counted, not written."""

from fastapi import Request
from prometheus_client import Counter

from mizzen_controlplane.audit.record import Trace, record_trace
from mizzen_controlplane.kit.auth import authenticate
from mizzen_controlplane.kit.database import unit_of_work
from mizzen_controlplane.kit.plane import Plane
from mizzen_controlplane.kit.problem import Forbidden, Problem, Unauthorized

ANONYMOUS_REFUSALS = Counter("mizzen_controlplane_anonymous_refusals", "Requests without a valid token.")


async def record_refusal(plane: Plane, problem: Problem, request: Request) -> None:
    """Leave a trace of `problem`, where it is a refusal of a subject.

    Whoever has no token must not be able to fill the table, so such attempts only raise a counter.
    """
    if isinstance(problem, Unauthorized):
        ANONYMOUS_REFUSALS.inc()
        return
    if not isinstance(problem, Forbidden):
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
