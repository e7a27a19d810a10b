"""Which rows do the entries of a Project object mean? Made, changed and removed in one transaction, or refused."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from mizzen_crds.v1alpha1.project.allowance import ProjectBudget, ProjectLimit
from pydantic import ValidationError
from sqlmodel.ext.asyncio.session import AsyncSession

from mizzen_controlplane.access.counted_over import Parent, target_of
from mizzen_controlplane.budgets.repository import declared_budgets
from mizzen_controlplane.budgets.schemas import BudgetCreate
from mizzen_controlplane.budgets.service import add_budget, alter_budget, drop_budget, pico_of
from mizzen_controlplane.kit.clock import utc_now
from mizzen_controlplane.kit.problem import Problem
from mizzen_controlplane.kit.subject import Subject
from mizzen_controlplane.limits.models import DECLARED
from mizzen_controlplane.limits.repository import declared_limits
from mizzen_controlplane.limits.schemas import LimitCreate
from mizzen_controlplane.limits.service import add_limit, alter_limit, drop_limit

Entry = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Declaration:
    """What one generation of a Project object says of limits and budgets."""

    uid: str
    generation: int
    limits: Sequence[Entry]
    """spec.limits, as written."""
    budgets: Sequence[Entry]
    """spec.budgets, as written."""
    made_here: bool
    """The object follows a project of the API, which therefore owns its limits."""


class EntryRefusedError(Exception):
    """An entry that cannot be kept; the text names it and says why."""


async def bring_in_line(session: AsyncSession, subject: Subject, parent: Parent, declared: Declaration) -> None:
    """Make the declared rows those of the declaration; raises EntryRefusedError, and then nothing must be kept."""
    limits = [_limit(entry) for entry in declared.limits]
    budgets = [_budget(entry) for entry in declared.budgets]
    # What leaves goes first, so that an entry that counts something else now may have its name.
    kept = await _keep_limits(session, subject, parent, limits)
    for limit in limits:
        if limit.name not in kept:
            with _refused_as("limits", limit.name):
                await add_limit(session, subject, parent, limit, DECLARED)
    kept = await _keep_budgets(session, subject, parent, budgets)
    for budget in budgets:
        if budget.name not in kept:
            with _refused_as("budgets", budget.name):
                await add_budget(session, subject, parent, budget, DECLARED)


async def hand_to_api(session: AsyncSession, parent: Parent) -> None:
    """The declared rows are the API's from now on, and stay in force as they are."""
    for row in (*await declared_limits(session, parent.id), *await declared_budgets(session, parent.id)):
        row.owner = ""


async def _keep_limits(
    session: AsyncSession, subject: Subject, parent: Parent, wanted: Sequence[LimitCreate]
) -> set[str]:
    """Change the limits that still count the same, remove the others; returns the names of those that stay."""
    by_name, kept = {one.name: one for one in wanted}, set()
    for row in await declared_limits(session, parent.id):
        one = by_name.get(row.name)
        with _refused_as("limits", row.name):
            scope_id = await _scope_id(session, parent, one)
        if one is None or (row.scope_id, row.model, row.metric) != (scope_id, one.model, one.metric.value):
            await drop_limit(session, subject, parent, row)
            continue
        changes = one.model_dump(mode="json", include={"amount", "window_seconds", "enforcement"})
        await alter_limit(session, subject, parent, row, changes)
        kept.add(row.name)
    return kept


async def _keep_budgets(
    session: AsyncSession, subject: Subject, parent: Parent, wanted: Sequence[BudgetCreate]
) -> set[str]:
    """The same of budgets; one that stays keeps what its month has spent."""
    by_name, kept = {one.name: one for one in wanted}, set()
    for row in await declared_budgets(session, parent.id):
        one = by_name.get(row.name)
        with _refused_as("budgets", row.name):
            scope_id = await _scope_id(session, parent, one)
            amount = pico_of(one.amount) if one is not None else 0
        if one is None or (row.scope_id, row.model) != (scope_id, one.model):
            await drop_budget(session, subject, parent, row)
            continue
        changes = {"amount_pico": amount, "enforcement": one.enforcement.value}
        await alter_budget(session, subject, parent, row, changes)
        kept.add(row.name)
    return kept


async def _scope_id(session: AsyncSession, parent: Parent, one: LimitCreate | BudgetCreate | None) -> str:
    if one is None:
        return ""
    return (await target_of(session, parent, None, one.key, one.model, utc_now())).scope_id


def _limit(entry: Entry) -> LimitCreate:
    with _refused_as("limits", str(entry.get("name"))):
        said = ProjectLimit.model_validate(entry)
        return LimitCreate.model_validate(
            {
                **said.model_dump(include={"name", "key", "model", "amount", "window_seconds"}),
                "metric": said.metric.value.lower(),
                "enforcement": said.enforcement.value.lower(),
            }
        )


def _budget(entry: Entry) -> BudgetCreate:
    with _refused_as("budgets", str(entry.get("name"))):
        said = ProjectBudget.model_validate(entry)
        return BudgetCreate.model_validate(
            {
                **said.model_dump(include={"name", "key", "model", "amount"}),
                "enforcement": said.enforcement.value.lower(),
            }
        )


@contextmanager
def _refused_as(field: str, name: str) -> Iterator[None]:
    """Whatever is wrong inside is told as that entry's."""
    try:
        yield
    except Problem as error:
        raise EntryRefusedError(f"spec.{field}, entry {name}: {error.detail}") from error
    except ValidationError as error:
        found = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in found["loc"])
        raise EntryRefusedError(f"spec.{field}, entry {name}: {place}: {found['msg']}") from error
