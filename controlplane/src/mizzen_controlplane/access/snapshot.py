"""What may whom do now? The access snapshot, built from one read of the tables at one version of the counter."""

from collections.abc import Mapping
from datetime import datetime

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
from mizzen_controlplane.grants.repository import all_grants
from mizzen_controlplane.identity.models import ApiKey, Organization, Project
from mizzen_controlplane.identity.repository import all_projects, live_keys, organization
from mizzen_controlplane.kit.changes import ACCESS, current_version
from mizzen_controlplane.limits.first_kinds import held_by_first_gateway, known_to_first_release
from mizzen_controlplane.limits.models import Limit
from mizzen_controlplane.limits.repository import limits_in_force
from mizzen_controlplane.pricing.prices_in_force import batch_prices_in_force, prices_in_force
from mizzen_controlplane.pricing.repository import all_rate_cards, versions_of


async def build_snapshot(session: AsyncSession, organization_id: str, now: datetime) -> AccessSnapshot:
    """The snapshot. The version is read first, so that what it names is in it, and at most something newer as well."""
    without_keys = await build_without_keys(session, organization_id, now)
    keys = [_key(row) for row in await live_keys(session)]
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
    limits = [_limit(row, names) for row in await limits_in_force(session)]
    budgets = [_budget(row, names, owner.time_zone, now) for row in await budgets_in_force(session)]
    cards = await all_rate_cards(session)
    versions = await versions_of(session, [card.id for card in cards])
    return AccessSnapshot(
        version=version,
        organization_id=owner.id,
        currency=owner.currency,
        projects=[_project(row) for row in projects],
        keys=[],
        limits=[limit for limit in limits if _first_kind_of_limit(limit)],
        budgets=[budget for budget in budgets if _first_kind_of_budget(budget)],
        prices=prices_in_force(cards, versions, now),
        batch_prices=batch_prices_in_force(cards, versions, now),
        grants=[Grant(project_id=row.project_id, model=row.name) for row in await all_grants(session)],
        further_limits=[limit for limit in limits if not _first_kind_of_limit(limit)],
        further_budgets=[budget for budget in budgets if not _first_kind_of_budget(budget)],
    )


def _first_kind_of_limit(limit: LimitAccess) -> bool:
    return known_to_first_release(limit.metric, limit.scope)


def _first_kind_of_budget(budget: BudgetAccess) -> bool:
    return held_by_first_gateway(budget.unit, budget.hardness, budget.scope)


def _project(row: Project) -> ProjectAccess:
    return ProjectAccess(id=row.id, name=row.name, namespace=row.namespace)


def _key(row: ApiKey) -> KeyAccess:
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
