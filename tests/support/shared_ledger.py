"""A ledger of leases that several stores use at once, with the rules of the real one: in memory, and over HTTP."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from aiohttp import web
from mizzen_crds.access import LeaseGrant
from mizzen_gateway.limits.leases import LedgerUnreachableError


@dataclass
class HeldLease:
    """One holder's."""

    credit: int = 0
    charged: int = 0
    expires_at: float = 0.0


@dataclass
class SharedLedger:
    """One budget. `spent` + all leases never exceed the amount."""

    amount: int
    spent: int = 0
    lease_seconds: float = 60.0
    away: bool = False
    asked: int = 0
    sequence: int = 0
    leases: dict[str, HeldLease] = field(default_factory=dict)
    rows: dict[str, dict[str, Any]] = field(default_factory=dict)
    tokens: bool = True
    """The budget is of tokens."""

    async def lease_for(self, holder: str, budget_id: str, want_pico: int) -> LeaseGrant:
        """As the control plane grants it."""
        await asyncio.sleep(0.001)
        self.asked += 1
        if self.away:
            raise LedgerUnreachableError(budget_id)
        return self.grant(holder, budget_id, want_pico)

    async def lease(self, budget_id: str, want_pico: int) -> LeaseGrant:
        """The same for a gateway that counts for itself."""
        return await self.lease_for("gateway", budget_id, want_pico)

    def grant(self, holder: str, budget_id: str, want: int) -> LeaseGrant:
        """Set aside, now."""
        now = time.time()
        own = self.leases.setdefault(holder, HeldLease())
        others = sum(one.credit for one in self.leases.values() if one is not own and one.expires_at > now)
        store = holder.partition("@")[0]
        older = [
            one.expires_at
            for name, one in self.leases.items()
            if "@" in holder
            and name.partition("@")[0] == store
            and one is not own
            and one.credit
            and one.expires_at > now
        ]
        available = max(0, self.amount - self.spent - others)
        own.credit = 0 if older else min(want, available)
        own.expires_at = now + self.lease_seconds
        self.sequence += 1
        moment = datetime.fromtimestamp(now, UTC)
        day = moment.replace(hour=0, minute=0, second=0, microsecond=0)
        return LeaseGrant(
            budget_id=budget_id,
            credit_pico=own.credit,
            remaining_pico=available - own.credit,
            period_start=day,
            period_end=day + timedelta(days=400),
            expires_at=datetime.fromtimestamp(own.expires_at, UTC),
            charged_pico=own.charged,
            sequence=self.sequence,
            closed_until=datetime.fromtimestamp(max(older), UTC) if older else None,
        )

    def held(self) -> int:
        """Credit that holders have now."""
        now = time.time()
        return sum(one.credit for one in self.leases.values() if one.expires_at > now)

    def charge(self, holder: str, amount: int) -> None:
        """An event has arrived."""
        self.spent += amount
        lease = self.leases.setdefault(holder, HeldLease())
        lease.credit = max(0, lease.credit - amount)
        lease.charged += amount

    def take_events(self, events: list[dict[str, Any]]) -> None:
        """Each once."""
        for event in events:
            if event["request_id"] in self.rows:
                continue
            self.rows[event["request_id"]] = event
            amount = event.get("input_tokens", 0) + event.get("output_tokens", 0) if self.tokens else event["cost_pico"]
            if event["budget_ids"] and amount:
                self.charge(event["gateway"], amount)


@asynccontextmanager
async def ledger_over_http(ledger: SharedLedger) -> AsyncIterator[str]:
    """The two routes that gateways use; yields the URL of this control plane."""

    async def lease(request: web.Request) -> web.Response:
        body = await request.json()
        grant = await ledger.lease_for(body["holder"], body["budget_id"], body["want_pico"])
        return web.Response(body=grant.model_dump_json(), content_type="application/json")

    async def events(request: web.Request) -> web.Response:
        body = orjson.loads(await request.read())
        ledger.take_events(body["events"])
        return web.json_response({"accepted": len(body["events"]), "duplicates": 0})

    app = web.Application(client_max_size=64 << 20)
    app.router.add_post("/internal/v1/budget-leases", lease)
    app.router.add_post("/internal/v1/usage/events", events)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        await runner.cleanup()
