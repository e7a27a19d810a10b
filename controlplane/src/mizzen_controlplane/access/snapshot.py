"""What may whom do now? The access snapshot, built from one read of the tables at one version of the counter."""

from datetime import datetime

from mizzen_crds.access import (
    AccessSnapshot,
    BudgetAccess,
    Enforcement,
    Grant,
    KeyAccess,
    LimitAccess,
    LimitMetric,
    Price,
    ProjectAccess,
    Scope,
)
from sqlmodel.ext.asyncio.session import AsyncSession

from mizzen_controlplane.budgets.models import Budget
from mizzen_controlplane.budgets.periods import Period, month_of
from mizzen_controlplane.budgets.repository import budgets_in_force
from mizzen_controlplane.grants.repository import all_grants
from mizzen_controlplane.identity.models import ApiKey, Organization, Project
from mizzen_controlplane.identity.repository import all_projects, live_keys, organization
from mizzen_controlplane.kit.changes import ACCESS, current_version
from mizzen_controlplane.limits.models import Limit
from mizzen_controlplane.limits.repository import limits_in_force
from mizzen_controlplane.pricing.prices_in_force import prices_in_force
from mizzen_controlplane.pricing.repository import all_rate_cards, versions_of


async def build_snapshot(session: AsyncSession, organization_id: str, now: datetime) -> AccessSnapshot:
    """The snapshot. The version is read first, so that what it names is in it, and at most something newer as well."""
    version = await current_version(session, ACCESS)
    owner: Organization = await organization(session, organization_id)
    period = month_of(now, owner.time_zone)
    return AccessSnapshot(
        version=version,
        organization_id=owner.id,
        currency=owner.currency,
        projects=[_project(row) for row in await all_projects(session)],
        keys=[_key(row) for row in await live_keys(session)],
        limits=[_limit(row) for row in await limits_in_force(session)],
        budgets=[_budget(row, period) for row in await budgets_in_force(session)],
        prices=await _prices(session, now),
        grants=[Grant(project_id=row.project_id, model=row.name) for row in await all_grants(session)],
    )


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
    )


def _limit(row: Limit) -> LimitAccess:
    return LimitAccess(
        id=row.id,
        name=row.name,
        scope=Scope(row.scope),
        scope_id=row.scope_id,
        model=row.model,
        metric=LimitMetric(row.metric),
        amount=row.amount,
        window_seconds=row.window_seconds,
        enforcement=Enforcement(row.enforcement),
    )


def _budget(row: Budget, period: Period) -> BudgetAccess:
    return BudgetAccess(
        id=row.id,
        name=row.name,
        scope=Scope(row.scope),
        scope_id=row.scope_id,
        model=row.model,
        amount_pico=row.amount_pico,
        period_start=period.start,
        period_end=period.end,
        enforcement=Enforcement(row.enforcement),
    )


async def _prices(session: AsyncSession, now: datetime) -> list[Price]:
    cards = await all_rate_cards(session)
    return prices_in_force(cards, await versions_of(session, [card.id for card in cards]), now)
