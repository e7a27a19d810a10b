"""Rules of budgets: each write is one transaction with its audit event and a new version of access."""

from collections.abc import Sequence
from datetime import datetime

from mizzen_crds.access import BudgetUnit, BudgetWindow, Hardness, LeaseGrant, LeaseRequest
from mizzen_crds.periods import Period
from sqlmodel.ext.asyncio.session import AsyncSession

from mizzen_controlplane.access.counted_over import Asked, Parent, parent_of, target_of
from mizzen_controlplane.budgets import amounts, credit, repository
from mizzen_controlplane.budgets.models import Budget
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
from mizzen_controlplane.kit.schema_floor import raise_floor
from mizzen_controlplane.kit.wire import resource_fields
from mizzen_controlplane.limits import held
from mizzen_controlplane.limits.entries import Kind, add_row, alter_row, drop_row
from mizzen_controlplane.limits.first_kinds import FURTHER_KINDS, kept_by_first_release, known_since
from mizzen_controlplane.limits.ownership import take_up

BUDGETS = Kind(
    "budget",
    frozenset(
        {
            "scope", "scope_id", "model", "unit", "amount_pico", "window", "window_seconds", "hardness", "enforcement",
            "on_store_loss", "labels", "notify_at",
        }
    ),
)  # fmt: skip


SHOWN = {
    "scope", "scope_id", "model", "enforcement", "unit", "window", "window_seconds", "hardness", "on_store_loss",
}  # fmt: skip


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
    """Change a budget. A gateway spends nothing more of what it was lent before once it has heard of a lower amount:
    about a second later, or where it cannot be reached when its lease ends.

    Raises Conflict for one that a Project object owns.
    """
    changes = body.model_dump(mode="json", exclude_unset=True)
    held.refuse_unheld_patch(body)
    async with unit_of_work(plane.database) as session:
        parent = await parent_of(session, plane, project)
        row = _found(await repository.find_budget(session, parent.id, budget, lock=True), budget)
        require_match(if_match, row)
        await take_up(session, row, "budgets")
        if body.hardness is Hardness.SOFT:
            await raise_floor(session, FURTHER_KINDS)
        if "hardness" in changes:
            held.refuse_unbounded(row.amount_unit, body.hardness)
        if "amount" in changes:
            changes["amount_pico"] = amount_of(row.amount_unit, changes.pop("amount"))
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
    amount, seconds = amount_of(body.unit, body.amount), rolling_seconds(body)
    target = await target_of(session, parent, Asked(body.scope, body.key, body.model, body.owner), utc_now())
    held.refuse_unheld_budget(body, target.scope)
    row = Budget(
        id=new_id("bud"),
        name=body.name,
        labels=body.labels,
        parent_id=parent.id,
        scope=target.scope.value,
        scope_id=target.scope_id,
        model=body.model,
        amount_pico=amount,
        window_seconds=seconds,
        owner=owner,
        notify_at=body.notify_at or None,
        **body.model_dump(mode="json", include={"unit", "window", "hardness", "enforcement", "on_store_loss"}),
    )
    if not kept_by_first_release(body.unit, body.hardness, target.scope, body.window):
        await raise_floor(session, known_since(target.scope))
    await add_row(session, subject, BUDGETS, parent, row)
    return row


async def lease(plane: Plane, request: LeaseRequest) -> LeaseGrant:
    """Set credit aside for a gateway."""
    async with unit_of_work(plane.database) as session:
        zone = (await organization(session, plane.organization_id)).time_zone
        return await credit.lease(session, request, zone, utc_now())


async def _views(session: AsyncSession, plane: Plane, rows: Sequence[Budget], now: datetime) -> list[BudgetView]:
    await session.flush()
    zone = (await organization(session, plane.organization_id)).time_zone
    by_period: dict[tuple[Period, datetime], list[str]] = {}
    for row in rows:
        window = row.window_in(zone)
        by_period.setdefault((window.period_of(now), window.lent_at(now)), []).append(row.id)
    spent: dict[str, int] = {}
    leased: dict[str, int] = {}
    for (period, lent_at), ids in by_period.items():
        spent |= await repository.spent_of(session, ids, period)
        leased |= await repository.leased_of(session, ids, lent_at, now)
    return [
        _view(plane, row, row.window_in(zone).period_of(now), spent.get(row.id, 0), leased.get(row.id, 0))
        for row in rows
    ]


def _view(plane: Plane, row: Budget, period: Period, spent: int, leased: int) -> BudgetView:
    unit = row.amount_unit
    return BudgetView.model_validate(
        resource_fields(row)
        | row.model_dump(include=SHOWN)
        | {
            "project_id": "" if row.parent_id == plane.organization_id else row.parent_id,
            "notify_at": row.notify_at or [],
            "currency": plane.currency,
            "amount": amounts.text_of(unit, row.amount_pico),
            "spent": amounts.text_of(unit, spent),
            "leased": amounts.text_of(unit, leased),
            "remaining": amounts.text_of(unit, max(0, row.amount_pico - spent - leased)),
            "period_start": period.start,
            "period_end": period.end,
        }
    )


def amount_of(unit: BudgetUnit, text: str) -> int:
    """An amount in the unit's smallest part; raises Invalid for what is none."""
    try:
        return amounts.parse(unit, text)
    except amounts.AmountError as error:
        raise invalid_field("/amount", f"amount: {error}") from error


def rolling_seconds(body: BudgetCreate) -> int:
    """Length of a rolling window, 0 for the others; raises Invalid where the two do not fit."""
    if body.window is BudgetWindow.ROLLING and body.window_seconds is None:
        raise invalid_field(
            "/window_seconds", "window is rolling, so window_seconds must say its length, such as 86400"
        )
    if body.window is not BudgetWindow.ROLLING and body.window_seconds is not None:
        raise invalid_field(
            "/window_seconds", f"window_seconds goes with window rolling; a {body.window.value} has its own length"
        )
    return body.window_seconds or 0


def _found(row: Budget | None, asked: str) -> Budget:
    if row is None:
        raise NotFound(f"There is no budget {asked[:64]!r} here.", code="budget_not_found")
    return row
