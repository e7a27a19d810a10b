"""A quota of the gateway on a snapshot and a ledger in memory, with a clock that a test moves."""

import time
from collections.abc import Awaitable

from mizzen_crds.access import AccessSnapshot
from mizzen_gateway.discovery.access_building import index_snapshot
from mizzen_gateway.discovery.access_index import AccessState
from mizzen_gateway.limits.leases import CreditLeases
from mizzen_gateway.limits.process_store import ProcessStore
from mizzen_gateway.limits.quota import SnapshotQuota
from mizzen_gateway.stages import Caller, Estimate, Refusal, Reservation, Usage
from support.access_snapshots import KEY_ID
from support.ledger_double import LedgerDouble

CALLER = Caller("org_a", "prj_a", "default", "default", KEY_ID)


class OpenGate:
    """Lets everything through, until a test says otherwise."""

    refusal: Refusal | None = None

    def closed(self) -> Refusal | None:
        return self.refusal


class QuotaBench:
    """What a test of limits and budgets needs."""

    def __init__(self, snapshot: AccessSnapshot, ledger: LedgerDouble | None = None) -> None:
        self.ledger = ledger or LedgerDouble()
        self.state = AccessState(3600)
        self.now_ns = 10**12
        self.began = time.time()
        self.skew = 0.0
        self.gate = OpenGate()
        self.leases = CreditLeases(self.ledger, self.clock)
        self.store = ProcessStore(self.leases, lambda: self.now_ns, self.clock)
        self.quota = SnapshotQuota(self.state, self.store, self.gate, self.clock)
        self.swap(snapshot)

    def clock(self) -> float:
        return self.began + self.skew

    def swap(self, snapshot: AccessSnapshot) -> None:
        self.state.put(index_snapshot(snapshot), time.time() + 10**6)

    def pass_seconds(self, seconds: float) -> None:
        self.now_ns += int(seconds * 1e9)
        self.skew += seconds
        self.ledger.skew = self.skew

    async def reserve(
        self, estimate: Estimate, model: str = "m", caller: Caller = CALLER, end_user: str = ""
    ) -> Reservation | Refusal:
        answer = self.quota.reserve(caller, model, estimate, self.clock(), lambda: end_user)
        return await answer if isinstance(answer, Awaitable) else answer

    async def admitted(self, estimate: Estimate) -> Reservation:
        answer = await self.reserve(estimate)
        assert not isinstance(answer, Refusal), answer.message
        return answer

    def remaining(self, unit: str) -> int:
        """What is left of the limit, as a caller would read it."""
        reservation = self.quota.reserve(CALLER, "m", Estimate(0, 0, 0), self.clock())
        assert not isinstance(reservation, Refusal | Awaitable)
        left = int(dict(reservation.headers)[f"x-ratelimit-remaining-{unit}"])
        reservation.settle(Usage(billable=False))
        return left + (1 if unit == "requests" else 0)


def headers_of(refusal: Refusal) -> dict[str, str]:
    """Headers of a refusal by name."""
    return dict(refusal.headers)
