"""How does the gateway talk with the ledger? One conversation at a time: usage goes in, credit comes out.

A lease tells how much credit is left *after* the events charged so far. Were events charged while its answer travels,
they would be counted by neither side; so no lease is asked for while events are being sent.
"""

import asyncio

import aiohttp
from mizzen_crds.access import LeaseGrant, LeaseRequest
from mizzen_crds.usage import RefusedEvent, UsageReceipt
from pydantic import ValidationError

from mizzen_gateway.limits.leases import LedgerUnreachableError

LEASE_SECONDS = 3.0
"""A request waits for a lease no longer than that."""
SHIP_SECONDS = 30.0
"""A batch of events takes no longer than that."""
RETRIED = frozenset({401, 403, 404, 408, 425, 429})
"""Of the 4xx, those that are not about what was sent."""


class BatchRefusedError(Exception):
    """The ledger will never take this batch as it is."""


class LedgerClient:
    """The control plane's ledger."""

    def __init__(self, session: aiohttp.ClientSession, base_url: str, holder: str) -> None:
        """`session` carries the gateway's token; `holder` is the gateway's stable name."""
        self._session = session
        self._events_url = f"{base_url}/internal/v1/usage/events"
        self._leases_url = f"{base_url}/internal/v1/budget-leases"
        self._holder = holder
        self._turn = asyncio.Lock()

    async def lease(self, budget_id: str, want_pico: int) -> LeaseGrant:
        """Ask to have that much credit set aside, counting what is."""
        body = LeaseRequest(holder=self._holder, budget_id=budget_id, want_pico=max(0, want_pico)).model_dump_json()
        try:
            async with asyncio.timeout(LEASE_SECONDS), self._turn:
                return LeaseGrant.model_validate_json(await self._post(self._leases_url, body.encode()))
        except (aiohttp.ClientError, TimeoutError, OSError, ValidationError) as error:
            raise LedgerUnreachableError(budget_id) from error

    async def lease_for(self, holder: str, budget_id: str, want_pico: int) -> LeaseGrant:
        """The same for a store that gateways share. Its answers say what was charged by then: no turn to wait for."""
        body = LeaseRequest(holder=holder, budget_id=budget_id, want_pico=max(0, want_pico)).model_dump_json()
        try:
            async with asyncio.timeout(LEASE_SECONDS):
                return LeaseGrant.model_validate_json(await self._post(self._leases_url, body.encode()))
        except (aiohttp.ClientError, TimeoutError, OSError, ValidationError) as error:
            raise LedgerUnreachableError(budget_id) from error

    async def ship(self, rows: list[bytes]) -> list[RefusedEvent]:
        """Put rows into the ledger, for good; those that it will never take are returned.

        Raises BatchRefusedError where it cannot take the batch as a whole, or what the connection raises.
        """
        body = b'{"events":[' + b",".join(rows) + b"]}"
        async with asyncio.timeout(SHIP_SECONDS), self._turn:
            try:
                answer = await self._post(self._events_url, body)
            except aiohttp.ClientResponseError as error:
                if 400 <= error.status < 500 and error.status not in RETRIED:
                    raise BatchRefusedError(error.status) from error
                raise
        try:
            return UsageReceipt.model_validate_json(answer).refused
        except ValidationError as error:
            raise aiohttp.ClientPayloadError("the ledger's receipt cannot be read") from error

    async def _post(self, url: str, body: bytes) -> bytes:
        async with self._session.post(url, data=body, headers={"content-type": "application/json"}) as response:
            response.raise_for_status()
            return await response.read()
