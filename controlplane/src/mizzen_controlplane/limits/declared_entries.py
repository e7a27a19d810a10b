"""Which rows do the entries of a Project object mean? Made, changed and removed in one transaction, or refused."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

from mizzen_crds.v1alpha1.project.allowance import LimitMetric, ProjectBudget, ProjectLimit
from pydantic import ValidationError
from pydantic.alias_generators import to_snake
from sqlmodel.ext.asyncio.session import AsyncSession

from mizzen_controlplane.access.counted_over import Asked, Parent, target_of
from mizzen_controlplane.budgets.models import Budget
from mizzen_controlplane.budgets.repository import declared_budgets
from mizzen_controlplane.budgets.schemas import BudgetCreate
from mizzen_controlplane.budgets.service import BUDGETS, add_budget, amount_of, rolling_seconds
from mizzen_controlplane.kit.clock import utc_now
from mizzen_controlplane.kit.problem import Problem
from mizzen_controlplane.kit.subject import Subject
from mizzen_controlplane.limits import held
from mizzen_controlplane.limits.entries import Kind, alter_row, drop_row
from mizzen_controlplane.limits.measures import measure_of
from mizzen_controlplane.limits.models import DECLARED, Limit
from mizzen_controlplane.limits.repository import declared_limits
from mizzen_controlplane.limits.schemas import LimitCreate
from mizzen_controlplane.limits.service import LIMITS, add_limit

Entry = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Declaration:
    """What one generation of a Project object says of limits, budgets and the quota."""

    uid: str
    generation: int
    limits: Sequence[Entry]
    """spec.limits, as written."""
    budgets: Sequence[Entry]
    """spec.budgets, as written."""
    made_here: bool
    """The object follows a project of the API, which therefore owns its limits."""
    quota: Entry = field(default_factory=dict)
    """spec.quota, as written."""


@dataclass(frozen=True, slots=True)
class _Meant:
    """What an entry means, as columns of its row."""

    counts: Mapping[str, object]
    """What is counted: another value makes another row."""
    allows: Mapping[str, object]


class EntryRefusedError(Exception):
    """An entry that cannot be kept; the text names it and says why."""


async def bring_in_line(session: AsyncSession, subject: Subject, parent: Parent, declared: Declaration) -> None:
    """Make the declared rows those of the declaration; raises EntryRefusedError, and then nothing must be kept."""
    limits = [_limit(entry) for entry in declared.limits]
    budgets = [_budget(entry) for entry in declared.budgets]
    # What leaves goes first, so that an entry that counts something else now may have its name.
    means = {one.name: await _meant_limit(session, parent, one) for one in limits}
    kept = await _keep(session, subject, LIMITS, parent, await declared_limits(session, parent.id), means)
    for limit in limits:
        if limit.name not in kept:
            with _refused_as("limits", limit.name):
                await add_limit(session, subject, parent, limit, DECLARED)
    means = {one.name: await _meant_budget(session, parent, one) for one in budgets}
    kept = await _keep(session, subject, BUDGETS, parent, await declared_budgets(session, parent.id), means)
    for budget in budgets:
        if budget.name not in kept:
            with _refused_as("budgets", budget.name):
                await add_budget(session, subject, parent, budget, DECLARED)


async def hand_to_api(session: AsyncSession, parent: Parent) -> None:
    """The declared rows are the API's from now on, and stay in force as they are."""
    for row in (*await declared_limits(session, parent.id), *await declared_budgets(session, parent.id)):
        row.owner = ""


async def _keep(
    session: AsyncSession,
    subject: Subject,
    kind: Kind,
    parent: Parent,
    rows: Sequence[Limit] | Sequence[Budget],
    meant: Mapping[str, _Meant],
) -> set[str]:
    """Change the rows that still count the same, remove the others; returns the names of those that stay."""
    kept = set()
    for row in rows:
        one = meant.get(row.name)
        if one is None or any(getattr(row, column) != value for column, value in one.counts.items()):
            await drop_row(session, subject, kind, parent, row)
        else:
            await alter_row(session, subject, kind, parent, row, one.allows)
            kept.add(row.name)
    return kept


async def _meant_limit(session: AsyncSession, parent: Parent, one: LimitCreate) -> _Meant:
    with _refused_as("limits", one.name):
        target = await target_of(session, parent, Asked(one.scope, one.key, one.model, one.owner), utc_now())
        measure = measure_of(one)
        held.refuse_unheld_limit(one, target.scope)
    return _Meant(
        {"scope": target.scope, "scope_id": target.scope_id, "model": one.model, "metric": one.metric.value},
        asdict(measure) | one.model_dump(mode="json", include={"enforcement", "on_store_loss"}),
    )


async def _meant_budget(session: AsyncSession, parent: Parent, one: BudgetCreate) -> _Meant:
    with _refused_as("budgets", one.name):
        target = await target_of(session, parent, Asked(one.scope, one.key, one.model, one.owner), utc_now())
        amount, seconds = amount_of(one.unit, one.amount), rolling_seconds(one)
        held.refuse_unheld_budget(one, target.scope)
    counts = {"scope": target.scope, "scope_id": target.scope_id, "window_seconds": seconds}
    return _Meant(
        counts | one.model_dump(mode="json", include={"model", "unit", "window"}),
        {"amount_pico": amount, "notify_at": one.notify_at or None}
        | one.model_dump(mode="json", include={"enforcement", "hardness", "on_store_loss"}),
    )


def _limit(entry: Entry) -> LimitCreate:
    with _refused_as("limits", str(entry.get("name"))):
        said = ProjectLimit.model_validate(entry)
        return LimitCreate.model_validate(
            {
                **said.model_dump(include={"name", "key", "owner", "model", "amount", "cost"}),
                **_words(said, "scope", "metric", "enforcement", "on_store_loss"),
                # The definition's default fills it in for every metric.
                "window_seconds": None if said.metric is LimitMetric.CONCURRENCY else said.window_seconds,
            }
        )


def _budget(entry: Entry) -> BudgetCreate:
    with _refused_as("budgets", str(entry.get("name"))):
        said = ProjectBudget.model_validate(entry)
        return BudgetCreate.model_validate(
            {
                **said.model_dump(include={"name", "key", "owner", "model", "amount", "window_seconds", "notify_at"}),
                **_words(said, "scope", "unit", "window", "hardness", "enforcement", "on_store_loss"),
            }
        )


def _words(said: ProjectLimit | ProjectBudget, *names: str) -> dict[str, str]:
    """Enums of the object as the API writes them: AcceleratorSeconds becomes accelerator_seconds."""
    values = {name: getattr(said, name) for name in names}
    return {name: to_snake(value.value) for name, value in values.items() if value is not None}


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
