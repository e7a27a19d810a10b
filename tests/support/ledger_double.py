"""A ledger in memory, for unit tests of the gateway: rules of leases, and each event once, without a database."""

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from mizzen_crds.access import LeaseGrant
from mizzen_crds.usage import RefusedEvent
from mizzen_gateway.limits.leases import LedgerUnreachableError
from mizzen_gateway.metering.ledger import BatchRefusedError


@dataclass
class LedgerDouble:
    """One budget and all events."""

    amount: int = 0
    spent: int = 0
    others: int = 0
    """Leased to other holders."""
    credit: int = 0
    """Leased to the gateway under test."""
    lease_seconds: float = 60.0
    period_end: datetime = field(default_factory=lambda: datetime.now(UTC) + timedelta(days=1))
    skew: float = 0.0
    """Seconds that a test has let pass."""
    away: bool = False
    leases_asked: int = 0
    rows: dict[str, dict[str, Any]] = field(default_factory=dict)
    duplicates: int = 0
    poison: set[str] = field(default_factory=set)
    """Request ids at which a whole batch is refused."""
    unwanted: set[str] = field(default_factory=set)
    """Request ids that are refused by name."""
    lose_answers: int = 0
    """So many batches are taken and their answer lost."""
    lose_grants: int = 0
    """So many lease requests are carried out and their answer lost."""

    async def lease(self, budget_id: str, want_pico: int) -> LeaseGrant:
        await asyncio.sleep(0)
        self.leases_asked += 1
        if self.away:
            raise LedgerUnreachableError(budget_id)
        left = self.amount - self.spent - self.others
        self.credit = min(want_pico, left)
        if self.lose_grants:
            self.lose_grants -= 1
            raise LedgerUnreachableError(budget_id)
        now = datetime.now(UTC) + timedelta(seconds=self.skew)
        return LeaseGrant(
            budget_id=budget_id,
            credit_pico=self.credit,
            remaining_pico=left - self.credit,
            period_start=now - timedelta(days=1),
            period_end=self.period_end,
            expires_at=now + timedelta(seconds=self.lease_seconds),
        )

    async def ship(self, rows: list[bytes]) -> list[RefusedEvent]:
        await asyncio.sleep(0)
        if self.away:
            raise ConnectionError("ledger away")
        events = [orjson.loads(row) for row in rows]
        if any(event["request_id"] in self.poison for event in events):
            raise BatchRefusedError(422)
        refused = [event for event in events if event["request_id"] in self.unwanted]
        for event in events:
            if event in refused:
                continue
            if event["request_id"] in self.rows:
                self.duplicates += 1
                continue
            self.rows[event["request_id"]] = event
            if event["budget_ids"]:
                self.spent += event["cost_pico"]
                self.credit -= event["cost_pico"]
        if self.lose_answers:
            self.lose_answers -= 1
            raise ConnectionError("answer lost")
        return [
            RefusedEvent(project_id=one["project_id"], request_id=one["request_id"], code="unknown_project", detail="")
            for one in refused
        ]
