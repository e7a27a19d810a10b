"""When is it announced how much of a budget is spent? In the charge that reaches a percentage, once in a period."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from mizzen_crds.access import BudgetUnit, BudgetWindow
from mizzen_crds.periods import Period
from sqlmodel.ext.asyncio.session import AsyncSession

from mizzen_controlplane.budgets import amounts, repository
from mizzen_controlplane.budgets.models import Budget
from mizzen_controlplane.identity.models import Organization, Project
from mizzen_controlplane.webhooks.announcing import announce
from mizzen_controlplane.webhooks.event_types import BUDGET_THRESHOLD


async def announce_reached(
    session: AsyncSession,
    owner: Organization,
    budgets: Iterable[Budget],
    added: Mapping[tuple[str, datetime], int],
) -> None:
    """Announce what these charges reached; `added` is by budget and booked moment. The budgets' rows are locked."""
    for budget in budgets:
        if not budget.notify_at:
            continue
        window = budget.window_in(owner.time_zone)
        booked = sorted(start for budget_id, start in added if budget_id == budget.id)
        if window.kind is BudgetWindow.ROLLING:
            booked = booked[-1:]  # what slides is looked at as it stands with the newest charge
        for start in booked:
            period = window.period_of(start)
            spent = (await repository.spent_of(session, [budget.id], period)).get(budget.id, 0)
            now_added = sum(
                amount for (of, at), amount in added.items() if of == budget.id and period.start <= at < period.end
            )
            for percent in await _new(session, budget, period, spent - now_added, spent):
                await _announce(session, owner, budget, period, percent, spent)


def reached(notify_at: Sequence[int], amount: int, spent: int) -> list[int]:
    """The percentages that `spent` has reached of `amount`, both in the unit's smallest part."""
    return [percent for percent in notify_at if spent * 100 >= percent * amount]


async def _new(session: AsyncSession, budget: Budget, period: Period, before: int, spent: int) -> list[int]:
    wanted, now = budget.notify_at or [], set[int]()
    if BudgetWindow(budget.window) is BudgetWindow.ROLLING:
        # What left the window makes room: whoever comes up again is announced again.
        now = set(reached(wanted, budget.amount_pico, spent)) - set(reached(wanted, budget.amount_pico, before))
    else:
        for percent in reached(wanted, budget.amount_pico, spent):
            if await repository.note_threshold(session, budget.id, period.start, percent):
                now.add(percent)
    return sorted(now)


async def _announce(
    session: AsyncSession, owner: Organization, budget: Budget, period: Period, percent: int, spent: int
) -> None:
    project = await session.get(Project, budget.parent_id)
    unit = budget.amount_unit
    said = owner.currency if unit is BudgetUnit.MONEY else unit.value
    amount = amounts.text_of(unit, budget.amount_pico)
    whose = f"project {project.name}" if project else "the organization"
    data = {
        "summary": f"Budget {budget.name} of {whose} has spent {percent} % of {amount} {said}",
        "budget_id": budget.id,
        "budget": budget.name,
        "project": project.name if project else "",
        "scope": budget.scope,
        "scope_id": budget.scope_id,
        "model": budget.model,
        "percent": percent,
        "amount": amount,
        "spent": amounts.text_of(unit, spent),
        "unit": unit.value,
        "currency": owner.currency,
        "window": budget.window,
        "period_start": period.start.isoformat(),
        "period_end": period.end.isoformat(),
        "enforcement": budget.enforcement,
    }
    await announce(session, project, BUDGET_THRESHOLD, budget.id, data)
