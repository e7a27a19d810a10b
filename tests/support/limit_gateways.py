"""Stage 4 of several gateways in one process: each has its own quota and its own connections to the shared store."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from mizzen_crds.access import AccessSnapshot
from mizzen_gateway.discovery.access_building import index_snapshot
from mizzen_gateway.discovery.access_index import AccessState
from mizzen_gateway.limits.choice import PROCESS, StoreSettings, open_store
from mizzen_gateway.limits.leases import CreditLeases
from mizzen_gateway.limits.process_store import ProcessStore
from mizzen_gateway.limits.quota import SnapshotQuota
from mizzen_gateway.limits.shared_store import SharedStore
from mizzen_gateway.stages import Caller, Estimate, Refusal, Reservation
from support.access_snapshots import KEY_ID
from support.quota_bench import OpenGate
from support.shared_ledger import SharedLedger
from support.until import until

CALLER = Caller("org_a", "prj_a", "default", "default", KEY_ID)


@dataclass
class QuotaGateway:
    """One gateway, as far as limits go."""

    quota: SnapshotQuota
    store: ProcessStore | SharedStore
    leases: CreditLeases
    state: AccessState
    tasks: list[asyncio.Task[None]]

    async def reserve(self, estimate: Estimate, end_user: str = "") -> Reservation | Refusal:
        """As the pipeline does."""
        answer = self.quota.reserve(CALLER, "m", estimate, time.time(), lambda: end_user)
        return await answer if isinstance(answer, Awaitable) else answer

    async def admitted(self, estimate: Estimate) -> Reservation:
        """It must be."""
        answer = await self.reserve(estimate)
        assert not isinstance(answer, Refusal), answer.message
        return answer

    async def kill(self) -> None:
        """It renews and settles nothing any more."""
        for task in self.tasks:
            task.cancel()
        ends = await asyncio.gather(*self.tasks, return_exceptions=True)
        assert all(isinstance(end, asyncio.CancelledError) for end in ends), ends
        if isinstance(self.store, SharedStore):
            await self.store.server.close()

    async def told(self) -> None:
        """Wait until the store has every settlement."""
        if isinstance(self.store, SharedStore):
            assert await self.store.drain(10)


@asynccontextmanager
async def quota_gateways(
    address: str, count: int, snapshot: AccessSnapshot, ledger: SharedLedger, hold_seconds: float = 60.0
) -> AsyncIterator[list[QuotaGateway]]:
    """So many gateways at the store of that address."""
    assert address != PROCESS or count == 1
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(_gateway(address, snapshot, ledger, hold_seconds)) for _ in range(count)]


@asynccontextmanager
async def _gateway(
    address: str, snapshot: AccessSnapshot, ledger: SharedLedger, hold_seconds: float
) -> AsyncIterator[QuotaGateway]:
    state = AccessState(3600)
    state.put(index_snapshot(snapshot), time.time() + 10**6)
    leases = CreditLeases(ledger, time.time)
    store = open_store(StoreSettings(address, hold_seconds=hold_seconds), leases, ledger)
    tasks = []
    if isinstance(store, SharedStore):
        tasks.append(asyncio.create_task(store.run()))
        await until(lambda: not store.lost, 20)
    gateway = QuotaGateway(SnapshotQuota(state, store, OpenGate()), store, leases, state, tasks)
    try:
        yield gateway
    finally:
        if isinstance(store, SharedStore):
            with contextlib.suppress(AssertionError):
                await gateway.told()
        await gateway.kill()
        await leases.close()
