"""What does gateway.yaml say of projects, keys, limits and prices? The snapshot that a control plane would send."""

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from mizzen_crds.access import (
    AccessSnapshot,
    BudgetAccess,
    BudgetUnit,
    Hardness,
    KeyAccess,
    LimitAccess,
    LimitMetric,
    Price,
    ProjectAccess,
    Scope,
)
from mizzen_crds.periods import Window

from mizzen_gateway.standalone.allowances import Budget, Limit, Project
from mizzen_gateway.standalone.allowances import Price as PriceOfFile
from mizzen_gateway.standalone.config import GatewayFile
from mizzen_gateway.standalone.keys import known_by
from mizzen_gateway.standalone.parts import PICO, SecretMissingError, pico

NAMESPACE = "gateway"
"""Of all that a file names."""
RATE_CARD = "rcv_gateway_file"
PER_MILLION = 1_000_000
Span = tuple[Scope, str]
"""A scope and its id."""


def pepper_of(file: GatewayFile, folder: Path) -> bytes:
    """What digests depend on; nothing where the file names none: keys are 256 random bits, which nobody can guess."""
    return b"" if file.pepper is None else file.pepper.read(folder, "pepper").encode()


def organization_id(file: GatewayFile) -> str:
    """The same for all gateways of one name."""
    return "org_" + _short(file.name)


def project_id(name: str) -> str:
    """Id of a project of the file."""
    return "prj_" + name


def budget_id(budget: Budget) -> str:
    """The same after a restart: the ledger knows what was spent by it."""
    return "bud_" + _short(budget.name)


def snapshot_of(
    file: GatewayFile, folder: Path, version: int, now: datetime | None = None, pepper: bytes | None = None
) -> AccessSnapshot:
    """The snapshot. Raises SecretMissingError where a key or the pepper is not where the file says that it is.

    `pepper` is that of a gateway which runs already: it keeps the one that it began with.
    """
    moment = now or datetime.now(UTC)
    pepper = pepper_of(file, folder) if pepper is None else pepper
    keys = [(project, key, *known_by(key, pepper, folder)) for project in file.projects for key in project.keys]
    _refuse_same_keys([key_id for _, _, key_id, _ in keys])
    limits: list[LimitAccess] = []
    budgets: list[BudgetAccess] = []

    def hold(spans: list[Span], rules: list[Limit], spending: list[Budget]) -> None:
        limits.extend(_limit(rule, span) for rule in rules for span in spans)
        budgets.extend(_budget(one, span, file.time_zone, moment) for one in spending for span in spans)

    hold([(Scope.ORGANIZATION, organization_id(file))], file.limits, file.budgets)
    for model in file.models:
        # Everybody's model: under one id for all, so that there is one count, whoever calls it.
        spans = [(Scope.MODEL, f"{project.name}/{model.name}") for project in file.projects]
        hold(spans, model.limits, model.budgets)
    for project in file.projects:
        hold([(Scope.PROJECT, project_id(project.name))], project.limits, project.budgets)
    for _, key, key_id, _ in keys:
        hold([(Scope.KEY, key_id)], key.limits, key.budgets)
    return AccessSnapshot(
        version=version,
        organization_id=organization_id(file),
        currency=file.currency,
        projects=[ProjectAccess(id=project_id(one.name), name=one.name, namespace=NAMESPACE) for one in file.projects],
        keys=[
            KeyAccess(
                id=key_id,
                digest=digest,
                project_id=project_id(project.name),
                expires_at=key.expires_at,
                models=_callable(project, key.models),
                priority=key.priority,
            )
            for project, key, key_id, digest in keys
        ],
        limits=limits,
        budgets=budgets,
        prices=[_price(one) for one in file.prices],
    )


def _callable(project: Project, models: list[str] | None) -> list[str] | None:
    """What project and key both allow."""
    if project.models is None or models is None:
        return models if project.models is None else project.models
    return [name for name in models if name in project.models]


def _limit(limit: Limit, span: Span) -> LimitAccess:
    scope, scope_id = span
    return LimitAccess(
        id="lim_" + _short(limit.name),
        name=limit.name,
        scope=Scope.USER if limit.each_user else scope,
        scope_id=scope_id,
        model=None if scope is Scope.MODEL else limit.model,
        metric=limit.counts,
        amount=pico(limit.amount) if limit.counts is LimitMetric.COST else int(limit.amount),
        window_seconds=limit.window_seconds,
        enforcement=limit.enforced,
        on_store_loss=limit.on_loss,
    )


def _budget(budget: Budget, span: Span, time_zone: str, moment: datetime) -> BudgetAccess:
    scope, scope_id = span
    unit = BudgetUnit(budget.unit)
    period = window_of(budget, time_zone).period_of(moment)
    return BudgetAccess(
        id=budget_id(budget),
        name=budget.name,
        scope=scope,
        scope_id=scope_id,
        model=None if scope is Scope.MODEL else budget.model,
        amount_pico=amount_of(budget),
        period_start=period.start,
        period_end=period.end,
        enforcement=budget.enforced,
        unit=unit,
        window=budget.begins_anew,
        window_seconds=budget.window_seconds or 0,
        hardness=Hardness(budget.hardness),
        on_store_loss=budget.on_loss,
    )


def window_of(budget: Budget, time_zone: str) -> Window:
    """When it begins anew."""
    return Window(budget.begins_anew, budget.window_seconds or 0, time_zone)


def amount_of(budget: Budget) -> int:
    """In the smallest part of its unit."""
    return pico(budget.amount) if budget.unit == "money" else int(budget.amount)


def _price(price: PriceOfFile) -> Price:
    def each(per_million: Decimal) -> int:
        return int(per_million * (PICO // PER_MILLION))

    cached, reasoning = price.per_million_cached_tokens, price.per_million_reasoning_tokens
    return Price(
        rate_card_id=RATE_CARD,
        project_id=None if price.project is None else project_id(price.project),
        model=price.model,
        pico_per_input_token=each(price.per_million_input_tokens),
        pico_per_output_token=each(price.per_million_output_tokens),
        pico_per_request=pico(price.per_request),
        pico_per_cached_token=None if cached is None else each(cached),
        pico_per_reasoning_token=None if reasoning is None else each(reasoning),
    )


def _refuse_same_keys(ids: list[str]) -> None:
    seen: set[str] = set()
    for one in ids:
        if one in seen:
            raise SecretMissingError(f"two keys of the file are {one}; each caller needs a key of its own")
        seen.add(one)


def _short(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=10).hexdigest()


def budgets_by_id(file: GatewayFile) -> Iterator[tuple[str, int, Window]]:
    """(id, amount, window) of every budget of the file, for the ledger."""
    owners = [file.budgets, *(model.budgets for model in file.models)]
    for project in file.projects:
        owners.append(project.budgets)
        owners.extend(key.budgets for key in project.keys)
    for budgets in owners:
        for budget in budgets:
            yield budget_id(budget), amount_of(budget), window_of(budget, file.time_zone)
