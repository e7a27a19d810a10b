"""How does credit reach gateways, and how is it charged? spent + all leases never exceed the amount by a lease.

A lease request and a charge both lock the budget's row first, so that they happen one after the other.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from mizzen_crds.access import BudgetUnit, BudgetWindow, LeaseGrant, LeaseRequest
from sqlmodel.ext.asyncio.session import AsyncSession

from mizzen_controlplane.budgets import repository
from mizzen_controlplane.budgets.models import BudgetLease
from mizzen_controlplane.budgets.thresholds import announce_reached
from mizzen_controlplane.identity.models import Organization
from mizzen_controlplane.kit.problem import NotFound

LEASE_LIFE: Final = timedelta(seconds=120)
"""A gateway that is gone gives its credit back after so long."""
LEASE_REMEMBERED: Final = timedelta(days=1)
"""So long after its end a lease still tells what its holder was charged."""


@dataclass(frozen=True, slots=True)
class Charge:
    """What one gateway's requests of one moment used."""

    budget_id: str
    moment: datetime
    holder: str
    pico: int
    tokens: int = 0
    accelerator_ms: int = 0

    def amount_in(self, unit: BudgetUnit) -> int:
        """In the unit's smallest part."""
        if unit is BudgetUnit.MONEY:
            return self.pico
        return self.tokens if unit is BudgetUnit.TOKENS else self.accelerator_ms


async def lease(session: AsyncSession, request: LeaseRequest, time_zone: str, now: datetime) -> LeaseGrant:
    """Set aside what the holder wants in all, as far as the budget goes; raises NotFound.

    A holder `store@epoch` is the memory of a store that gateways share. It gets nothing while an earlier memory of the
    same store holds credit: what was admitted under that may still be spending.
    """
    locked = await repository.locked_budgets(session, [request.budget_id])
    if not locked:
        raise NotFound(f"There is no budget {request.budget_id[:64]!r}; it was deleted.", code="budget_not_found")
    budget, window = locked[0], locked[0].window_in(time_zone)
    period, lent_at = window.period_of(now), window.lent_at(now)
    await repository.drop_void_leases(session, budget.id, lent_at, now - LEASE_REMEMBERED)
    own = await repository.find_lease(session, budget.id, request.holder)
    spent = (await repository.spent_of(session, [budget.id], period)).get(budget.id, 0)
    # The holder's own lease is replaced, so it does not count against it.
    leased = await repository.leased_of(session, [budget.id], lent_at, now, but_for=request.holder)
    available = max(0, budget.amount_pico - spent - leased.get(budget.id, 0))
    credit = min(max(0, request.want_pico), available)
    closed_until = await _closed_until(session, budget.id, request.holder, now)
    if closed_until is not None:
        credit = 0
    sequence = int(now.timestamp() * 1_000_000)
    if own is not None:
        sequence = max(sequence, own.sequence + 1)
    # What slides has no end that credit would have to end with.
    expires_at = now + LEASE_LIFE if window.kind is BudgetWindow.ROLLING else min(now + LEASE_LIFE, period.end)
    await repository.put_lease(
        session,
        BudgetLease(
            budget_id=budget.id,
            holder=request.holder,
            period_start=lent_at,
            credit_pico=credit,
            expires_at=expires_at,
            sequence=sequence,
        ),
    )
    return LeaseGrant(
        budget_id=budget.id,
        credit_pico=credit,
        remaining_pico=available - credit,
        period_start=period.start,
        period_end=period.end,
        expires_at=expires_at,
        charged_pico=0 if own is None else own.charged_pico,
        sequence=sequence,
        closed_until=closed_until,
    )


async def _closed_until(session: AsyncSession, budget_id: str, holder: str, now: datetime) -> datetime | None:
    store, separator, epoch = holder.rpartition("@")
    if not (separator and epoch):
        return None
    return await repository.held_until(session, budget_id, store + separator, now, but_for=holder)


async def charge(session: AsyncSession, charges: Iterable[Charge], owner: Organization) -> None:
    """Add to what the periods have spent, take it out of the holders' leases, and announce what that reaches.

    Deleted budgets are passed over.
    """
    listed = list(charges)
    budgets = {
        budget.id: budget for budget in await repository.locked_budgets(session, {it.budget_id for it in listed})
    }
    spent: dict[tuple[str, datetime], int] = defaultdict(int)
    used: dict[tuple[str, str, datetime], int] = defaultdict(int)
    for item in listed:
        budget = budgets.get(item.budget_id)
        if budget is None:
            continue
        window, amount = budget.window_in(owner.time_zone), item.amount_in(budget.amount_unit)
        spent[budget.id, window.booked_at(item.moment)] += amount
        used[budget.id, item.holder, window.lent_at(item.moment)] += amount
    for (budget_id, start), amount in sorted(spent.items()):
        await repository.add_spent(session, budget_id, start, amount)
    for (budget_id, holder, start), amount in sorted(used.items()):
        await repository.lower_lease(session, budget_id, holder, start, amount)
    await announce_reached(session, owner, budgets.values(), spent)
