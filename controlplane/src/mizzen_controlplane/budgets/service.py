"""Rules of budgets: each write is one transaction with its audit event and a new version of access."""

from collections.abc import Sequence
from datetime import datetime

from mizzen_crds.access import LeaseGrant, LeaseRequest
from sqlmodel.ext.asyncio.session import AsyncSession

from mizzen_controlplane.access.counted_over import Parent, parent_of, target_of
from mizzen_controlplane.budgets import credit, repository
from mizzen_controlplane.budgets.models import Budget
from mizzen_controlplane.budgets.periods import month_of
from mizzen_controlplane.budgets.schemas import BudgetCreate, BudgetPatch, BudgetView
from mizzen_controlplane.identity.repository import organization
from mizzen_controlplane.kit.auth import Subject
from mizzen_controlplane.kit.clock import utc_now
from mizzen_controlplane.kit.database import reading, unit_of_work
from mizzen_controlplane.kit.etag import require_match
from mizzen_controlplane.kit.ids import new_id
from mizzen_controlplane.kit.pages import PageQuery, page_of
from mizzen_controlplane.kit.plane import Plane
from mizzen_controlplane.kit.problem import NotFound, invalid_field
from mizzen_controlplane.kit.wire import resource_fields
from mizzen_controlplane.limits.entries import Kind, add_row, alter_row, drop_row
from mizzen_controlplane.limits.ownership import take_up
from mizzen_controlplane.pricing.money import MoneyError, amount_text, parse_amount

BUDGETS = Kind("budget", frozenset({"scope", "scope_id", "model", "amount_pico", "enforcement", "labels"}))


async def list_budgets(plane: Plane, project: str | None, page: PageQuery) -> tuple[list[BudgetView], str]:
    """One page of a project's budgets, or of the organization's for None."""
    async with reading(plane.database) as session:
        parent = await parent_of(session, plane, project)
        rows, token = await page_of(
            session, repository.budgets_of(parent.id), page, repository.PAGE_FIELDS, plane.secrets.page_key,
            scope=f"budgets {parent.id}",
        )  # fmt: skip
        return await _views(session, plane, rows, utc_now()), token


async def get_budget(plane: Plane, project: str | None, budget: str) -> BudgetView:
    """One budget with what is spent, set aside and left; raises NotFound."""
    async with reading(plane.database) as session:
        parent = await parent_of(session, plane, project)
        row = _found(await repository.find_budget(session, parent.id, budget), budget)
        return (await _views(session, plane, [row], utc_now()))[0]


async def create_budget(plane: Plane, subject: Subject, project: str | None, body: BudgetCreate) -> BudgetView:
    """Make a budget; it counts from now on. Raises Invalid for one that could never match."""
    async with unit_of_work(plane.database) as session:
        row = await add_budget(session, subject, await parent_of(session, plane, project), body)
        return (await _views(session, plane, [row], utc_now()))[0]


async def patch_budget(
    plane: Plane, subject: Subject, project: str | None, budget: str, body: BudgetPatch, if_match: str | None
) -> BudgetView:
    """Change a budget. A lower amount takes nothing back that gateways hold; they ask anew within a lease's life.

    Raises Conflict for one that a Project object owns.
    """
    changes = body.model_dump(mode="json", exclude_unset=True)
    if "amount" in changes:
        changes["amount_pico"] = pico_of(changes.pop("amount"))
    async with unit_of_work(plane.database) as session:
        parent = await parent_of(session, plane, project)
        row = _found(await repository.find_budget(session, parent.id, budget, lock=True), budget)
        require_match(if_match, row)
        await take_up(session, row, "budgets")
        await alter_row(session, subject, BUDGETS, parent, row, changes)
        return (await _views(session, plane, [row], utc_now()))[0]


async def delete_budget(plane: Plane, subject: Subject, project: str | None, budget: str, if_match: str | None) -> None:
    """Remove a budget and what it counted; the ledger keeps its rows. Raises Conflict as `patch_budget` does."""
    async with unit_of_work(plane.database) as session:
        parent = await parent_of(session, plane, project)
        row = _found(await repository.find_budget(session, parent.id, budget, lock=True), budget)
        require_match(if_match, row)
        await take_up(session, row, "budgets")
        await drop_row(session, subject, BUDGETS, parent, row)


async def add_budget(
    session: AsyncSession, subject: Subject, parent: Parent, body: BudgetCreate, owner: str = ""
) -> Budget:
    """Make a budget in this transaction; raises Invalid for one that could never match, Conflict for a taken name."""
    amount = pico_of(body.amount)
    target = await target_of(session, parent, body.scope, body.key, body.model, utc_now())
    row = Budget(
        id=new_id("bud"),
        name=body.name,
        labels=body.labels,
        parent_id=parent.id,
        scope=target.scope.value,
        scope_id=target.scope_id,
        model=body.model,
        amount_pico=amount,
        enforcement=body.enforcement.value,
        owner=owner,
    )
    await add_row(session, subject, BUDGETS, parent, row)
    return row


async def lease(plane: Plane, request: LeaseRequest) -> LeaseGrant:
    """Set credit aside for a gateway."""
    async with unit_of_work(plane.database) as session:
        zone = (await organization(session, plane.organization_id)).time_zone
        return await credit.lease(session, request, zone, utc_now())


async def _views(session: AsyncSession, plane: Plane, rows: Sequence[Budget], now: datetime) -> list[BudgetView]:
    await session.flush()
    period = month_of(now, (await organization(session, plane.organization_id)).time_zone)
    ids = [row.id for row in rows]
    spent = await repository.spent_of(session, ids, period.start)
    leased = await repository.leased_of(session, ids, period.start, now)
    return [
        BudgetView.model_validate(
            resource_fields(row)
            | row.model_dump(include={"scope", "scope_id", "model", "enforcement"})
            | {
                "project_id": "" if row.scope == "organization" else row.parent_id,
                "currency": plane.currency,
                "amount": amount_text(row.amount_pico),
                "spent": amount_text(spent.get(row.id, 0)),
                "leased": amount_text(leased.get(row.id, 0)),
                "remaining": amount_text(max(0, row.amount_pico - spent.get(row.id, 0) - leased.get(row.id, 0))),
                "period_start": period.start,
                "period_end": period.end,
            }
        )
        for row in rows
    ]


def pico_of(text: str) -> int:
    """An amount as pico; raises Invalid for what is none."""
    try:
        return parse_amount(text)
    except MoneyError as error:
        raise invalid_field("/amount", f"amount: {error}") from error


def _found(row: Budget | None, asked: str) -> Budget:
    if row is None:
        raise NotFound(f"There is no budget {asked[:64]!r} here.", code="budget_not_found")
    return row
