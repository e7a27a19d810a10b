"""What decides about a request of a project, or a key, for a model? All that gateways are told, and how it stands."""

import math
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from mizzen_crds.access import BudgetAccess, Enforcement, LimitAccess, LimitMetric, Scope
from mizzen_crds.periods import EPOCH, NEVER, Period
from sqlmodel.ext.asyncio.session import AsyncSession

from mizzen_controlplane.access.snapshot import build_without_keys
from mizzen_controlplane.allowances.offers import access_to
from mizzen_controlplane.allowances.recorded import as_recorded, nanoseconds
from mizzen_controlplane.allowances.replay import Proposed, Recorded, level_of
from mizzen_controlplane.allowances.schemas import Applying, Explanation, Holder
from mizzen_controlplane.budgets import amounts
from mizzen_controlplane.budgets.models import BudgetLease
from mizzen_controlplane.budgets.repository import leases_in_force, spent_of
from mizzen_controlplane.identity.models import ApiKey, scope_of_owner
from mizzen_controlplane.identity.repository import find_key, ids_of_owner
from mizzen_controlplane.identity.scope import project_or_404
from mizzen_controlplane.kit.clock import utc_now
from mizzen_controlplane.kit.database import reading
from mizzen_controlplane.kit.plane import Plane
from mizzen_controlplane.kit.problem import invalid_field
from mizzen_controlplane.metering.repository import recorded_between
from mizzen_controlplane.pricing.money import amount_text

LONGEST: Final = 86_400
"""Seconds of the longest window whose level is worked out."""
MOST: Final = 50_000
"""Requests that are looked at for it."""
Entry = LimitAccess | BudgetAccess


async def explain(plane: Plane, project: str, key: str | None, model: str) -> Explanation:
    """The explanation; raises NotFound for a project, Invalid for a key that is not there."""
    now = utc_now()
    async with reading(plane.database) as session:
        owner = await project_or_404(session, plane, project)
        found = await find_key(session, owner.id, key) if key is not None else None
        if key is not None and found is None:
            raise invalid_field("query:key", f"The project has no key {key[:64]!r}: give the id or name of one")
        snapshot = await build_without_keys(session, plane.organization_id, now)
        scopes = _scopes(plane.organization_id, owner.name, owner.id, found, model)
        limits = matching((*snapshot.limits, *snapshot.further_limits, *snapshot.owner_limits), scopes, model)
        budgets = matching((*snapshot.budgets, *snapshot.further_budgets, *snapshot.owner_budgets), scopes, model)
        recent = await _recent(session, owner.id, limits, now)
        makers = {one.scope_id.rpartition("/")[2] for one in limits if one.scope is Scope.OWNER}
        owned = {one: await ids_of_owner(session, owner.id, one) for one in makers}
        access = await access_to(session, plane, snapshot, owner, found, model)
        applying = [_limit(one, recent, owned, now) for one in limits]
        applying += await _budgets(session, budgets, now)
    applying.sort(key=lambda one: (scopes.index(one.scope_id), one.kind == "budget"))
    refusing = next((one.name for one in applying if one.refuses), "")
    return Explanation(
        project=owner.name,
        key=found.id if found else "",
        model=model,
        at=now,
        access=access,
        applying=applying,
        refused_by=refusing if access.allowed else "access",
    )


def matching(entries: Sequence[Entry], scopes: Sequence[str], model: str) -> list[Entry]:
    """Those that apply, in the order of the scopes: as gateways choose them."""
    return [one for scope in scopes for one in entries if one.scope_id == scope and one.model in (None, model)]


def _scopes(organization: str, project: str, project_id: str, key: ApiKey | None, model: str) -> list[str]:
    owned = model if "/" in model else f"{project}/{model}"
    owner = scope_of_owner(project_id, key.created_by) if key else ""
    return [organization, owned, project_id, *([owner] if owner else []), *([key.id] if key else [])]


async def _recent(
    session: AsyncSession, project_id: str, limits: Sequence[Entry], now: datetime
) -> Mapping[Scope, list[Recorded]]:
    """Requests of the longest window, by the scope of limits that count them; none of a scope for too many."""
    found: dict[Scope, list[Recorded]] = {}
    for scope, whose in ((Scope.ORGANIZATION, None), (Scope.PROJECT, project_id)):
        wanted = (scope,) if scope is Scope.ORGANIZATION else (Scope.PROJECT, Scope.OWNER, Scope.KEY)
        windows = [one.window_seconds for one in limits if one.scope in wanted and 0 < one.window_seconds <= LONGEST]
        if not windows:
            continue
        since = now - timedelta(seconds=2 * max(windows))
        rows = await recorded_between(session, whose, since, now, MOST + 1)
        if len(rows) <= MOST:
            listed = sorted(as_recorded(rows), key=lambda one: one.ended_ns)
            found |= dict.fromkeys(wanted, listed)
    return found


def _limit(
    entry: Entry, recent: Mapping[Scope, list[Recorded]], owned: Mapping[str, frozenset[str]], now: datetime
) -> Applying:
    assert isinstance(entry, LimitAccess)
    used = _used(entry, recent, owned, now)
    needs = 1 if entry.metric is LimitMetric.REQUESTS else 0
    full = used is not None and (used + needs > entry.amount or used >= entry.amount)
    refuses = full and entry.enforcement is Enforcement.ENFORCE
    remedy = (
        f"It drains within {entry.window_seconds} s; or raise it: mizzen limits update {entry.name}." if refuses else ""
    )
    return Applying(
        kind="limit", id=entry.id, name=entry.name, scope=entry.scope, scope_id=entry.scope_id,
        measure=entry.metric.value, amount=_text(entry.metric, entry.amount),
        used=None if used is None else _text(entry.metric, used), held=None, window_seconds=entry.window_seconds,
        until=None, enforcement=entry.enforcement, refuses=refuses, holders=[], remedy=remedy,
    )  # fmt: skip


def _used(
    entry: LimitAccess, recent: Mapping[Scope, list[Recorded]], owned: Mapping[str, frozenset[str]], now: datetime
) -> int | None:
    known = recent.get(entry.scope)
    if known is None or not 0 < entry.window_seconds <= LONGEST:
        return None
    key = entry.scope_id if entry.scope is Scope.KEY else ""
    keys = owned.get(entry.scope_id.rpartition("/")[2]) if entry.scope is Scope.OWNER else None
    counted = Proposed(entry.name, entry.metric, entry.amount, entry.window_seconds, key, entry.model, keys)
    return math.ceil(level_of(counted, known, nanoseconds(now)))


def _text(metric: LimitMetric, amount: int) -> str:
    return amount_text(amount) if metric is LimitMetric.COST else str(amount)


async def _budgets(session: AsyncSession, entries: Sequence[Entry], now: datetime) -> list[Applying]:
    leases: dict[str, list[BudgetLease]] = {}
    for lease in await leases_in_force(session, [one.id for one in entries], now):
        leases.setdefault(lease.budget_id, []).append(lease)
    told = []
    for entry in entries:
        assert isinstance(entry, BudgetAccess)
        period = Period(entry.period_start or EPOCH, entry.period_end or NEVER)
        spent = (await spent_of(session, [entry.id], period)).get(entry.id, 0)
        told.append(_budget(entry, spent, leases.get(entry.id, [])))
    return told


def _budget(entry: BudgetAccess, spent: int, leases: Sequence[BudgetLease]) -> Applying:
    refuses = spent >= entry.amount_pico and entry.enforcement is Enforcement.ENFORCE
    until = None if entry.period_end >= NEVER else entry.period_end
    remedy = f"Raise it: mizzen budgets update {entry.name} --amount, or wait for its next period." if refuses else ""
    return Applying(
        kind="budget", id=entry.id, name=entry.name, scope=entry.scope, scope_id=entry.scope_id,
        measure=entry.unit.value, amount=amounts.text_of(entry.unit, entry.amount_pico),
        used=amounts.text_of(entry.unit, spent),
        held=amounts.text_of(entry.unit, sum(one.credit_pico for one in leases)),
        window_seconds=entry.window_seconds, until=until, enforcement=entry.enforcement, refuses=refuses,
        holders=[
            Holder(holder=one.holder, credit=amounts.text_of(entry.unit, one.credit_pico), expires_at=one.expires_at)
            for one in leases
        ],
        remedy=remedy,
    )  # fmt: skip
