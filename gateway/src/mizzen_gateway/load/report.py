"""How does the operator learn of load? Each second, and at once when a request parks for want of a replica.

A report that gets lost is not repeated: the next one says more, as its counters only rise.
"""

import asyncio
import secrets
import ssl
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Protocol

import aiohttp
import structlog
from mizzen_crds.serving import GatewayLoad, RevisionLoad

PERIOD_SECONDS = 1.0
SEND_SECONDS = 2.0
"""A report that takes longer is given up."""
PARKED_PAUSE_SECONDS = 0.05
"""Between two reports at least, however many requests park."""

log = structlog.get_logger(__name__)


class Load(Protocol):
    """What is counted; routing/ does it."""

    parked: asyncio.Event
    """Set when a request parks; cleared here."""

    def revisions(self) -> Iterable[RevisionLoad]:
        """Load by revision."""
        ...


class LoadReporter:
    """Sends reports to one operator."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        operator_url: str,
        gateway: str,
        load: Load,
        trust: ssl.SSLContext | bool = True,
    ) -> None:
        """`session` carries the gateway's token; `operator_url` has no slash at its end.

        `trust`: whose certificates are taken for the operator's; True for those of authorities that the system trusts.
        """
        self._session = session
        self._trust = trust
        self._url = f"{operator_url}/v1/load"
        self._gateway = gateway
        self._boot_id = secrets.token_hex(8)
        self._load = load
        self._lost = 0

    async def run(self) -> None:
        """Report until cancelled."""
        while True:
            await self._send()
            await asyncio.sleep(PARKED_PAUSE_SECONDS)
            try:
                async with asyncio.timeout(PERIOD_SECONDS - PARKED_PAUSE_SECONDS):
                    await self._load.parked.wait()
            except TimeoutError:
                continue

    async def _send(self) -> None:
        self._load.parked.clear()
        report = GatewayLoad(
            gateway=self._gateway,
            boot_id=self._boot_id,
            sent_at=datetime.now(UTC),
            revisions=list(self._load.revisions()),
        )
        headers = {"content-type": "application/json"}
        timeout = aiohttp.ClientTimeout(total=SEND_SECONDS)
        try:
            body = report.model_dump_json()
            async with self._session.post(
                self._url, data=body, headers=headers, timeout=timeout, ssl=self._trust
            ) as response:
                response.raise_for_status()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            self._lost += 1
            if self._lost == 1:
                log.warning("operator does not take load reports", url=self._url, error=type(error).__name__)
        else:
            self._lost = 0
