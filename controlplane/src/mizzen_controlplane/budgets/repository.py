"""SQL of budgets, of what they spent and of the credit that gateways hold."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from mizzen_crds.access import Scope
from mizzen_crds.periods import Period
from sqlalchemy import case, delete, func, update
from sqlmodel import col, or_, select
from sqlmodel.ext.asyncio.session import AsyncSession
from sqlmodel.sql.expression import SelectOfScalar

from mizzen_controlplane.budgets.models import Budget, BudgetLease, BudgetSpending, BudgetThreshold
from mizzen_controlplane.kit.upsert import insert_into
from mizzen_controlplane.limits.models import DECLARED

PAGE_FIELDS = {
    "id": col(Budget.id),
    "name": col(Budget.name),
    "created_at": col(Budget.created_at),
    "scope": col(Budget.scope),
    "scope_id": col(Budget.scope_id),
    "model": col(Budget.model),
}


def budgets_of(parent_id: str) -> SelectOfScalar[Budget]:
    """All budgets of a project or of the organization, for a page."""
    return select(Budget).where(Budget.parent_id == parent_id)


async def find_budget(session: AsyncSession, parent_id: str, id_or_name: str, *, lock: bool = False) -> Budget | None:
    """A budget by id or name."""
    statement = budgets_of(parent_id).where(or_(Budget.id == id_or_name, Budget.name == id_or_name))
    return (await session.exec(statement.with_for_update() if lock else statement)).one_or_none()


async def declared_budgets(session: AsyncSession, project_id: str) -> Sequence[Budget]:
    """The project's budgets that its object in the cluster declares, held until the transaction ends."""
    statement = budgets_of(project_id).where(Budget.owner == DECLARED).order_by(col(Budget.id))
    return (await session.exec(statement.with_for_update())).all()


async def budgets_in_force(session: AsyncSession) -> Sequence[Budget]:
    """Every budget that is not off, by id."""
    return (await session.exec(select(Budget).where(Budget.enforcement != "off").order_by(col(Budget.id)))).all()


async def owner_scopes(session: AsyncSession) -> set[str]:
    """What budgets of owners that are not off are counted over."""
    statement = select(Budget.scope_id).where(Budget.scope == Scope.OWNER, Budget.enforcement != "off")
    return set((await session.exec(statement)).all())


async def locked_budgets(session: AsyncSession, budget_ids: Iterable[str]) -> Sequence[Budget]:
    """Those budgets that exist, held until the transaction ends, always locked in the order of their ids."""
    statement = select(Budget).where(col(Budget.id).in_(sorted(budget_ids))).order_by(col(Budget.id))
    return (await session.exec(statement.with_for_update())).all()


async def all_budgets(session: AsyncSession) -> Sequence[Budget]:
    """Every budget."""
    return (await session.exec(select(Budget))).all()


async def windows_in_force(session: AsyncSession) -> set[str]:
    """The windows of budgets that are not off."""
    statement = select(Budget.window).where(Budget.enforcement != "off").distinct()
    return set((await session.exec(statement)).all())


async def spent_of(session: AsyncSession, budget_ids: Iterable[str], period: Period) -> Mapping[str, int]:
    """What the period has spent, by budget."""
    statement = (
        select(BudgetSpending.budget_id, func.sum(BudgetSpending.spent_pico))
        .where(col(BudgetSpending.budget_id).in_(list(budget_ids)))
        .where(BudgetSpending.period_start >= period.start, BudgetSpending.period_start < period.end)
        .group_by(col(BudgetSpending.budget_id))
    )
    return {budget_id: int(spent) for budget_id, spent in (await session.exec(statement)).all()}


async def leased_of(
    session: AsyncSession, budget_ids: Iterable[str], period_start: datetime, now: datetime, *, but_for: str = ""
) -> Mapping[str, int]:
    """Credit set aside and not expired, by budget; that of the holder `but_for` left out."""
    statement = (
        select(BudgetLease.budget_id, func.sum(BudgetLease.credit_pico))
        .where(col(BudgetLease.budget_id).in_(list(budget_ids)), BudgetLease.period_start == period_start)
        .where(BudgetLease.expires_at > now, BudgetLease.holder != but_for)
        .group_by(col(BudgetLease.budget_id))
    )
    return {budget_id: int(credit) for budget_id, credit in (await session.exec(statement)).all()}


async def drop_void_leases(session: AsyncSession, budget_id: str, period_start: datetime, before: datetime) -> None:
    """Forget what belongs to another period, or expired before that moment.

    What expired later counts no more, but still tells what its holder was charged.
    """
    void = or_(col(BudgetLease.expires_at) <= before, col(BudgetLease.period_start) != period_start)
    await session.exec(delete(BudgetLease).where(col(BudgetLease.budget_id) == budget_id, void))


async def find_lease(session: AsyncSession, budget_id: str, holder: str) -> BudgetLease | None:
    """The holder's lease, expired or not."""
    return await session.get(BudgetLease, (budget_id, holder), populate_existing=True)


async def held_until(
    session: AsyncSession, budget_id: str, holders: str, now: datetime, *, but_for: str
) -> datetime | None:
    """When the last credit expires of holders whose name begins so, that of `but_for` left out; None for none."""
    statement = select(func.max(BudgetLease.expires_at)).where(
        BudgetLease.budget_id == budget_id,
        col(BudgetLease.holder).startswith(holders, autoescape=True),
        BudgetLease.holder != but_for,
        BudgetLease.expires_at > now,
        BudgetLease.credit_pico > 0,
    )
    return (await session.exec(statement)).one()


async def leases_in_force(session: AsyncSession, budget_ids: Iterable[str], now: datetime) -> Sequence[BudgetLease]:
    """Credit that holders have of these budgets now, by budget and holder."""
    statement = (
        select(BudgetLease)
        .where(col(BudgetLease.budget_id).in_(list(budget_ids)))
        .where(BudgetLease.expires_at > now, BudgetLease.credit_pico > 0)
        .order_by(col(BudgetLease.budget_id), col(BudgetLease.holder))
    )
    return (await session.exec(statement)).all()


async def put_lease(session: AsyncSession, lease: BudgetLease) -> None:
    """Write the holder's only lease of the budget."""
    wanted = lease.model_dump()
    statement = insert_into(session, BudgetLease).values(**wanted)
    changed = {name: wanted[name] for name in ("period_start", "credit_pico", "expires_at", "sequence")}
    await session.exec(statement.on_conflict_do_update(index_elements=["budget_id", "holder"], set_=changed))


async def add_spent(session: AsyncSession, budget_id: str, period_start: datetime, pico: int) -> None:
    """Add to what the period, or the quarter-hour of a rolling window, has spent."""
    statement = insert_into(session, BudgetSpending).values(
        budget_id=budget_id, period_start=period_start, spent_pico=pico
    )
    raised = {"spent_pico": col(BudgetSpending.spent_pico) + pico}
    await session.exec(statement.on_conflict_do_update(index_elements=["budget_id", "period_start"], set_=raised))


async def note_threshold(session: AsyncSession, budget_id: str, period_start: datetime, percent: int) -> bool:
    """Note that the period announces the percentage; False where it has done so already."""
    statement = insert_into(session, BudgetThreshold).values(
        budget_id=budget_id, period_start=period_start, percent=percent
    )
    connection = await session.connection()
    noted = await connection.execute(statement.on_conflict_do_nothing().returning(col(BudgetThreshold.percent)))
    return noted.first() is not None


async def lower_lease(session: AsyncSession, budget_id: str, holder: str, period_start: datetime, pico: int) -> None:
    """Take what was spent out of the holder's credit, and note it; an expired or smaller lease ends at nothing."""
    credit = col(BudgetLease.credit_pico)
    await session.exec(
        update(BudgetLease)
        .where(col(BudgetLease.budget_id) == budget_id, col(BudgetLease.holder) == holder)
        .where(col(BudgetLease.period_start) == period_start)
        .values(
            credit_pico=case((credit > pico, credit - pico), else_=0),
            charged_pico=col(BudgetLease.charged_pico) + pico,
        )
        .execution_options(synchronize_session=False)
    )


async def all_spending(session: AsyncSession) -> Mapping[str, int]:
    """What each budget has ever spent."""
    statement = select(BudgetSpending.budget_id, func.sum(BudgetSpending.spent_pico)).group_by(
        col(BudgetSpending.budget_id)
    )
    return {budget_id: int(spent) for budget_id, spent in (await session.exec(statement)).all()}
