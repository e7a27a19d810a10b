"""The stages that decide and count, put together: keys, limits, budgets, metering, metrics and their tasks.

`wiring.py` makes one of these and hands its parts to the pipeline.
"""

import asyncio
import ssl
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import aiohttp
import structlog
from mizzen_crds.access import LeaseGrant
from mizzen_crds.usage import RefusedEvent

from mizzen_gateway.auth.authenticator import KeyAuthenticator
from mizzen_gateway.discovery.access import AccessFeed
from mizzen_gateway.discovery.access_index import AccessState
from mizzen_gateway.errors import CannotStartError
from mizzen_gateway.limits.choice import StoreSettings, open_store
from mizzen_gateway.limits.leases import CreditLeases
from mizzen_gateway.limits.quota import SnapshotQuota
from mizzen_gateway.limits.shared_server import UnfitServerError
from mizzen_gateway.limits.shared_store import SharedStore
from mizzen_gateway.load.report import Load, LoadReporter
from mizzen_gateway.metering.ledger import LedgerClient
from mizzen_gateway.metering.left_spools import LeftSpools
from mizzen_gateway.metering.meter import SpoolMeter
from mizzen_gateway.metering.shipping import Shipper
from mizzen_gateway.metering.spool import Spool, SpoolSettings
from mizzen_gateway.stages import Observer
from mizzen_gateway.telemetry.access_log import AccessLog
from mizzen_gateway.telemetry.counts import RequestCounts
from mizzen_gateway.telemetry.exposition import Sources

DRAIN_SECONDS = 5.0
"""How long a stopping gateway waits for the ledger; what is left is shipped by the next start."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class AccountingSettings:
    """What the environment says of accounting."""

    controlplane_url: str
    """Without a slash at its end."""
    operator_url: str
    """Without a slash at its end; empty for none."""
    gateway: str
    """Stable name: holder of leases, sender of load."""
    data_dir: Path
    """Holds `access.json`."""
    spool_dir: Path
    """Usage on its way to the ledger; this process's own."""
    pepper: bytes
    """What key digests are made with."""
    access_log_share: float = 0.0
    """Of the requests that end well, those with a line in the access log; 0 for no access log."""
    snapshot_max_age_seconds: float = 86_400.0
    """How long serving survives without the control plane."""
    spool: SpoolSettings = field(default_factory=SpoolSettings)
    limits: StoreSettings = field(default_factory=StoreSettings)


class Ledger(Protocol):
    """Where usage goes and credit comes from."""

    async def ship(self, rows: list[bytes]) -> list[RefusedEvent]:
        """As `UsageSink` of metering/shipping.py."""
        ...

    async def lease(self, budget_id: str, want_pico: int) -> LeaseGrant:
        """As `CreditSource` of limits/leases.py."""
        ...

    async def lease_for(self, holder: str, budget_id: str, want_pico: int) -> LeaseGrant:
        """As `CreditSource` of limits/shared_credit.py."""
        ...


class Accounting:
    """The stages, and their tasks."""

    def __init__(
        self,
        settings: AccountingSettings,
        session: aiohttp.ClientSession,
        load: Load,
        operator_trust: ssl.SSLContext | bool = True,
        own_ledger: Ledger | None = None,
    ) -> None:
        """Opens the spool and takes up the cached snapshot; raises OSError where the data folder cannot be used.

        `session` carries the gateway's token; `operator_trust` as in LoadReporter. With a ledger of its own the gateway
        asks no control plane: somebody else fills `state`.
        """
        self.state = AccessState(settings.snapshot_max_age_seconds)
        self.feed: AccessFeed | None = None
        if own_ledger is None:
            cache_file = settings.data_dir / "access.json"
            self.feed = AccessFeed(session, settings.controlplane_url, self.state, cache_file, settings.pepper)
            self.feed.load_cache()
        self.spool = Spool(settings.spool_dir, settings.spool)
        ledger: Ledger = own_ledger or LedgerClient(session, settings.controlplane_url, settings.gateway)
        self.leases = CreditLeases(ledger, time.time)
        self.store = open_store(settings.limits, self.leases, ledger)
        if isinstance(self.store, SharedStore):
            # The ledger tells a shared store what it has charged; this gateway holds no credit.
            self.shipper = Shipper(self.spool, ledger, _told_by_the_ledger)
        else:
            for budget_id, pico in self.spool.costs_left.items():
                self.leases.account(budget_id).on_the_way += pico
            self.shipper = Shipper(self.spool, ledger, self.leases.acknowledge)
        self.authenticator = KeyAuthenticator(self.state, settings.pepper)
        self.quota = SnapshotQuota(self.state, self.store, self.spool)
        self.meter = SpoolMeter(self.spool, settings.gateway)
        counts = RequestCounts()
        self.lines = AccessLog(settings.access_log_share) if settings.access_log_share else None
        self.observer: Observer = counts
        self.sources = Sources(
            counts, self.state, self.quota, self.leases, self.spool, self.shipper, load.revisions, self.store
        )
        self._reporter = (
            LoadReporter(session, settings.operator_url, settings.gateway, load, operator_trust)
            if settings.operator_url
            else None
        )
        self._left = LeftSpools(settings.data_dir, settings.spool_dir, ledger)
        self._tasks: list[asyncio.Task[None]] = []

    async def open_store(self) -> None:
        """Ask a shared store once whether it will do; one that is away may come later. Raises CannotStartError."""
        if isinstance(self.store, SharedStore):
            try:
                await self.store.start()
            except UnfitServerError as error:
                raise CannotStartError(f"MIZZEN_LIMITS_STORE: {error}.") from error

    def start(self) -> None:
        """Start the tasks. One that ends by an error of its own is logged and started again."""
        if self.feed is not None:
            self._go(self.feed.run, "access feed")
        self._go(self.spool.run, "spool")
        self._go(self.shipper.run, "shipper")
        self._go(self._left.run, "left spools")
        self._go(self._renew_leases, "leases")
        if isinstance(self.store, SharedStore):
            self._go(self.store.run, "limits")
        if self._reporter is not None:
            self._go(self._reporter.run, "load")

    async def close(self) -> None:
        """Stop the tasks, ship what can be shipped, and close the spool. Call it when no request is under way."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if isinstance(self.store, SharedStore):
            await self.store.close(DRAIN_SECONDS)
        await self.leases.close()
        self.spool.flush()
        await self.shipper.drain(DRAIN_SECONDS)
        await self.spool.close()
        if self.lines is not None:
            self.lines.close()

    async def _renew_leases(self) -> None:
        while True:
            await asyncio.sleep(1.0)
            self.leases.renew()

    def _go(self, run: Callable[[], Awaitable[None]], name: str) -> None:
        self._tasks.append(asyncio.create_task(_keep_running(run, name), name=name))


def _told_by_the_ledger(_costs: dict[str, int]) -> None:
    """Nothing to note here."""


async def _keep_running(run: Callable[[], Awaitable[None]], name: str) -> None:
    while True:
        try:
            await run()
        except Exception:  # outermost guard: these tasks outlive any one error
            log.exception("task failed; it starts again", task=name)
        await asyncio.sleep(1.0)
