"""What may whom do now? The access snapshot, built from one read of the tables at one version of the counter."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

from mizzen_crds.access import (
    AccessSnapshot,
    BudgetAccess,
    BudgetWindow,
    Enforcement,
    Grant,
    Hardness,
    KeyAccess,
    KeyOperation,
    LimitAccess,
    LimitMetric,
    OnStoreLoss,
    Priority,
    ProjectAccess,
    Scope,
)
from sqlmodel.ext.asyncio.session import AsyncSession

from mizzen_controlplane.budgets.models import Budget
from mizzen_controlplane.budgets.repository import budgets_in_force
from mizzen_controlplane.budgets.repository import owner_scopes as budgets_of_owners
from mizzen_controlplane.grants.repository import all_grants
from mizzen_controlplane.identity.models import ApiKey, Organization, Project, scope_of_owner
from mizzen_controlplane.identity.repository import all_projects, live_keys, organization
from mizzen_controlplane.kit.changes import ACCESS, current_version
from mizzen_controlplane.limits.first_kinds import held_by_first_gateway, known_to_first_release
from mizzen_controlplane.limits.models import Limit
from mizzen_controlplane.limits.repository import limits_in_force
from mizzen_controlplane.limits.repository import owner_scopes as limits_of_owners
from mizzen_controlplane.pricing.prices_in_force import batch_prices_in_force, prices_in_force
from mizzen_controlplane.pricing.repository import all_rate_cards, versions_of

Entry = TypeVar("Entry", LimitAccess, BudgetAccess)


async def build_snapshot(session: AsyncSession, organization_id: str, now: datetime) -> AccessSnapshot:
    """The snapshot. The version is read first, so that what it names is in it, and at most something newer as well."""
    without_keys = await build_without_keys(session, organization_id, now)
    owners = await owners_counted(session)
    keys = [_key(row, owners) for row in await live_keys(session)]
    return without_keys.model_copy(
        update={
            "keys": [key for key in keys if not key.is_narrower_than_first_release_knows],
            "further_keys": [key for key in keys if key.is_narrower_than_first_release_knows],
        }
    )


async def build_without_keys(session: AsyncSession, organization_id: str, now: datetime) -> AccessSnapshot:
    """All of it but the keys, of which there may be very many."""
    version = await current_version(session, ACCESS)
    owner: Organization = await organization(session, organization_id)
    projects = await all_projects(session)
    names = {row.id: row.name for row in projects}
    limits = _sorted((_limit(row, names) for row in await limits_in_force(session)), _first_kind_of_limit)
    in_force = await budgets_in_force(session)
    budgets = _sorted((_budget(row, names, owner.time_zone, now) for row in in_force), _first_kind_of_budget)
    cards = await all_rate_cards(session)
    versions = await versions_of(session, [card.id for card in cards])
    return AccessSnapshot(
        version=version,
        organization_id=owner.id,
        currency=owner.currency,
        projects=[_project(row) for row in projects],
        keys=[],
        limits=limits.first,
        budgets=budgets.first,
        prices=prices_in_force(cards, versions, now),
        batch_prices=batch_prices_in_force(cards, versions, now),
        grants=[Grant(project_id=row.project_id, model=row.name) for row in await all_grants(session)],
        further_limits=limits.further,
        further_budgets=budgets.further,
        owner_limits=limits.of_owners,
        owner_budgets=budgets.of_owners,
    )


async def owners_counted(session: AsyncSession) -> set[str]:
    """Whose keys some limit or budget counts together: keys of these are told with their owner."""
    return await limits_of_owners(session) | await budgets_of_owners(session)


@dataclass(frozen=True, slots=True)
class _Sorted(Generic[Entry]):
    """Limits or budgets by who can read them: since when gateways know their kind."""

    first: list[Entry]
    further: list[Entry]
    of_owners: list[Entry]


def _sorted(entries: Iterable[Entry], is_first: Callable[[Entry], bool]) -> _Sorted[Entry]:
    found: _Sorted[Entry] = _Sorted([], [], [])
    for one in entries:
        if one.scope is Scope.OWNER:
            found.of_owners.append(one)
        else:
            (found.first if is_first(one) else found.further).append(one)
    return found


def _first_kind_of_limit(limit: LimitAccess) -> bool:
    return known_to_first_release(limit.metric, limit.scope)


def _first_kind_of_budget(budget: BudgetAccess) -> bool:
    return held_by_first_gateway(budget.unit, budget.hardness, budget.scope)


def _project(row: Project) -> ProjectAccess:
    return ProjectAccess(id=row.id, name=row.name, namespace=row.namespace)


def _key(row: ApiKey, owners: Collection[str]) -> KeyAccess:
    owner = scope_of_owner(row.project_id, row.created_by)
    return KeyAccess(
        id=row.id,
        digest=row.digest,
        previous_digest=row.previous_digest,
        previous_expires_at=row.previous_expires_at,
        project_id=row.project_id,
        expires_at=row.expires_at,
        models=row.models,
        priority=Priority(row.priority),
        routes=row.routes,
        operations=None if row.operations is None else [KeyOperation(one) for one in row.operations],
        ip_ranges=row.ip_ranges,
        owner=owner if owner in owners else "",
    )


def _limit(row: Limit, names: Mapping[str, str]) -> LimitAccess:
    return LimitAccess(
        id=row.id,
        name=row.name,
        scope=Scope(row.scope),
        scope_id=_scope_id(row, names),
        model=None if row.scope == Scope.MODEL else row.model,
        metric=LimitMetric(row.metric),
        amount=row.amount,
        window_seconds=row.window_seconds,
        enforcement=Enforcement(row.enforcement),
        on_store_loss=OnStoreLoss(row.on_store_loss),
    )


def _scope_id(row: Limit | Budget, names: Mapping[str, str]) -> str:
    """Of a model: its name in full, `project/served-name`, which gateways know it by."""
    return f"{names.get(row.scope_id, '')}/{row.model}" if row.scope == Scope.MODEL else row.scope_id


def _budget(row: Budget, names: Mapping[str, str], time_zone: str, now: datetime) -> BudgetAccess:
    period = row.window_in(time_zone).period_of(now)
    return BudgetAccess(
        id=row.id,
        name=row.name,
        scope=Scope(row.scope),
        scope_id=_scope_id(row, names),
        model=None if row.scope == Scope.MODEL else row.model,
        amount_pico=row.amount_pico,
        period_start=period.start,
        period_end=period.end,
        enforcement=Enforcement(row.enforcement),
        unit=row.amount_unit,
        window=BudgetWindow(row.window),
        window_seconds=row.window_seconds,
        hardness=Hardness(row.hardness),
        on_store_loss=OnStoreLoss(row.on_store_loss),
    )
