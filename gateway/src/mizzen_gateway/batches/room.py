"""Is there a gap for a line of a batch? While its model has little to do, and nobody waits for a replica of it."""

import asyncio

from mizzen_gateway.routing.table import RouteTable
from mizzen_gateway.routing.target import Target
from mizzen_gateway.stages import Caller, Refusal


class Room:
    """Looks at this gateway's own counts, and at what engines say of other gateways' requests."""

    def __init__(self, table: RouteTable, busy_from: int) -> None:
        """`busy_from`: requests under way at a replica, from which on it gets no line of a batch."""
        self._table = table
        self._busy_from = busy_from

    def has(self, caller: Caller, model: str) -> bool:
        """A line may be sent now; also where it will be refused, so that it is told why."""
        found = self._table.way(caller, model, {})
        if isinstance(found, Refusal):
            return True
        if isinstance(found, Target):
            return self._gap_at(found)
        legs = [leg for _, leg in found.steps] or [found.first]
        return all(self._gap_at(leg.target) for leg in legs)

    def _gap_at(self, target: Target) -> bool:
        if target.parked or any(gate.waiting for gate in target.gates.values()):
            return False
        now = asyncio.get_running_loop().time()
        ready = [one for one in target.endpoints() if one.takes_requests(now)]
        if not ready:
            return True  # one line waits for a replica, as any request would, and so wakes it
        return min(one.in_flight + one.others for one in ready) < self._busy_from
