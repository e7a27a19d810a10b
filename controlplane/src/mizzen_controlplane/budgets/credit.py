"""How does credit reach gateways, and how is it charged? spent + all leases never exceed the amount by a lease.

A lease request and a charge both lock the budget's row first, so that they happen one after the other.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from mizzen_crds.access import LeaseGrant, LeaseRequest
from sqlmodel.ext.asyncio.session import AsyncSession

from mizzen_controlplane.budgets import repository
from mizzen_controlplane.budgets.models import BudgetLease
from mizzen_controlplane.budgets.periods import month_of
from mizzen_controlplane.kit.problem import NotFound

LEASE_LIFE: Final = timedelta(seconds=120)
"""A gateway that is gone gives its credit back after so long."""


@dataclass(frozen=True, slots=True)
class Charge:
    """Money that one gateway's requests cost in one month."""

    budget_id: str
    period_start: datetime
    holder: str
    pico: int


async def lease(session: AsyncSession, request: LeaseRequest, time_zone: str, now: datetime) -> LeaseGrant:
    """Set aside what the holder wants in all, as far as the budget goes; raises NotFound."""
    locked = await repository.locked_budgets(session, [request.budget_id])
    if not locked:
        raise NotFound(f"There is no budget {request.budget_id[:64]!r}; it was deleted.", code="budget_not_found")
    budget, period = locked[0], month_of(now, time_zone)
    await repository.drop_void_leases(session, budget.id, period.start, now)
    spent = (await repository.spent_of(session, [budget.id], period.start)).get(budget.id, 0)
    # The holder's own lease is replaced, so it does not count against it.
    leased = await repository.leased_of(session, [budget.id], period.start, now, but_for=request.holder)
    available = max(0, budget.amount_pico - spent - leased.get(budget.id, 0))
    credit = min(max(0, request.want_pico), available)
    expires_at = min(now + LEASE_LIFE, period.end)
    await repository.put_lease(
        session,
        BudgetLease(
            budget_id=budget.id,
            holder=request.holder,
            period_start=period.start,
            credit_pico=credit,
            expires_at=expires_at,
        ),
    )
    return LeaseGrant(
        budget_id=budget.id,
        credit_pico=credit,
        remaining_pico=available - credit,
        period_start=period.start,
        period_end=period.end,
        expires_at=expires_at,
    )


async def charge(session: AsyncSession, charges: Iterable[Charge]) -> None:
    """Add to what the months have spent and take it out of the holders' leases. Deleted budgets are passed over."""
    sums: dict[tuple[str, datetime, str], int] = defaultdict(int)
    for item in charges:
        sums[item.budget_id, item.period_start, item.holder] += item.pico
    existing = {budget.id for budget in await repository.locked_budgets(session, {key[0] for key in sums})}
    for (budget_id, period_start, holder), pico in sorted(sums.items()):
        if budget_id in existing:
            await repository.add_spent(session, budget_id, period_start, pico)
            await repository.lower_lease(session, budget_id, holder, period_start, pico)
