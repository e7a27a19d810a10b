"""Who ships the usage of a process that is gone? Any that runs beside its folder: nobody may ever start there again."""

import asyncio
from pathlib import Path

import structlog

from mizzen_gateway.metering.places import left_spools
from mizzen_gateway.metering.shipping import Shipper, UsageSink
from mizzen_gateway.metering.spool import Spool

LOOK_SECONDS = 10.0
"""Between two looks."""
SHIP_SECONDS = 300.0
"""For one spool, before the next is looked at: the ledger may be away."""

log = structlog.get_logger(__name__)


class LeftSpools:
    """Looks beside its own spool for those that nobody has."""

    def __init__(self, data_dir: Path, own: Path, sink: UsageSink) -> None:
        self._data_dir = data_dir
        self._own = own
        self._sink = sink

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            await self.ship()

    async def ship(self) -> None:
        """Ship what there is now."""
        with left_spools(self._data_dir, self._own) as found:
            for folder in found:
                try:
                    await self._ship(folder)
                except OSError as error:
                    log.warning("spool of a process that is gone cannot be read", folder=str(folder), error=str(error))

    async def _ship(self, folder: Path) -> None:
        spool = Spool(folder)
        shipper = Shipper(spool, self._sink, lambda _costs: None)
        try:
            whole = await shipper.drain(SHIP_SECONDS)
        finally:
            await spool.close()
        log.info("usage of a process that is gone", folder=str(folder), shipped=shipper.shipped, whole=whole)
