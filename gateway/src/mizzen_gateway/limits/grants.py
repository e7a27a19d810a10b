"""Which limits, budgets and price apply to this key and model? Worked out once a snapshot, then remembered."""

import hashlib
from collections.abc import Collection, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from mizzen_crds.access import BudgetUnit, Enforcement, LimitAccess, Scope

from mizzen_gateway.discovery.access_index import AccessIndex
from mizzen_gateway.limits.answers import Answer
from mizzen_gateway.limits.recent import Recent
from mizzen_gateway.limits.rules import (
    COST,
    LIKELY_COST,
    LIKELY_MS,
    NOTHING,
    TOKENS,
    Amounts,
    BudgetRule,
    LimitRule,
    budget_rule,
    limit_rule,
)
from mizzen_gateway.limits.tariff import Tariff, tariff_of
from mizzen_gateway.stages import Caller, Charge, Estimate, Usage

GRANTS_LIMIT = 65_536
"""Pairs of key and model (and end user, where limits count these) remembered at most."""


class Counts(Protocol):
    """The counts of all that applies to one key and model."""

    def take(self, amounts: Amounts, now: float) -> Answer | Coroutine[Any, Any, Answer]:
        """Take from all or from none, in one atomic step; `now` in seconds since the epoch."""
        ...


class Store(Protocol):
    """Where limits are counted and credit is held."""

    def counts(self, limits: Sequence[LimitRule], budgets: Sequence[BudgetRule], organization: str) -> Counts:
        """The counts of these; the organization is that of all of them."""
        ...

    def keep(self, limit_ids: Collection[str]) -> None:
        """A new snapshot has these limits; what others counted may be forgotten, budgets may have other amounts."""
        ...


@dataclass(frozen=True, slots=True)
class SoftBudgets:
    """Those of them that are soft."""

    rules: tuple[BudgetRule, ...]
    counts: Counts
    """Of these alone, for more than was reserved at first."""
    recent: Recent
    """What requests of the key and model used of late."""


@dataclass(frozen=True, slots=True)
class Grant:
    """All that stage 4 needs for one key and model."""

    limits: tuple[LimitRule, ...]
    budgets: tuple[BudgetRule, ...]
    counts: Counts
    budget_ids: tuple[str, ...]
    """Every budget that is charged, shadow ones included."""
    token_budget_ids: tuple[str, ...]
    """Of those, the ones of tokens."""
    time_budget_ids: tuple[str, ...]
    """Likewise, those of accelerator-seconds."""
    tariff: Tariff
    costs_time: bool
    """Part of the price is for time, which nothing bounds beforehand."""
    currency: str
    hard: bool
    """A hard budget applies."""
    soft: SoftBudgets | None
    """None where no soft budget applies."""

    def bound(self, estimate: Estimate) -> Amounts:
        """The most that a request can use; of soft budgets what it probably will."""
        input_tokens, output_tokens = estimate.input_tokens, estimate.choices * estimate.output_tokens
        cost = self.tariff.most_cost(input_tokens, output_tokens)
        most = (1, input_tokens + output_tokens, input_tokens, output_tokens, cost, 1)
        if self.soft is None:
            return most
        likely_in, likely_out, likely_ms = self.soft.recent.likely(estimate)
        cost = self.tariff.most_cost(likely_in, likely_out) + likely_ms * self.tariff.accelerator_ms
        return (*most, likely_in + likely_out, cost, likely_ms, likely_out)

    def more(self, output_tokens: int, accelerator_ms: int) -> Amounts:
        """What so much more takes of soft budgets."""
        cost = output_tokens * self.tariff.dearest_output_token + accelerator_ms * self.tariff.accelerator_ms
        return (0, 0, 0, 0, 0, 0, output_tokens, cost, accelerator_ms)

    def used(self, usage: Usage) -> Amounts:
        """What a request has used. Time of accelerators counts for budgets of it even where it costs nothing."""
        if not usage.billable:
            return NOTHING if self.soft is None else (0, 0, 0, 0, 0, 0, 0, 0, usage.accelerator_ms)
        input_tokens, output_tokens = usage.input_tokens, usage.output_tokens
        used = (1, input_tokens + output_tokens, input_tokens, output_tokens, self.tariff.cost(usage), 0)
        return used if self.soft is None else (*used, used[TOKENS], used[COST], usage.accelerator_ms)

    @property
    def counts_time(self) -> bool:
        """Some soft budget is spent by the time of accelerators."""
        if self.soft is None:
            return False
        return any(one.kind == LIKELY_MS or (one.kind == LIKELY_COST and self.costs_time) for one in self.soft.rules)

    def charge(self, cost_pico: int, holder: str) -> Charge:
        """The charge of that much money."""
        return Charge(
            cost_pico,
            self.currency,
            self.tariff.rate_card_id,
            self.budget_ids,
            self.token_budget_ids,
            holder,
            self.time_budget_ids,
        )


class GrantTable:
    """Grants by key and model; counts and credit outlive the snapshot."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._index: AccessIndex | None = None
        self._grants: dict[tuple[str, str, str, bool], Grant] = {}
        self._recent: dict[tuple[str, str], Recent] = {}
        """By key and served name, where a soft budget applies; outlives the snapshot."""

    def grant(self, index: AccessIndex, caller: Caller, model: str, end_user: str) -> Grant:
        """What applies to this caller, served name and end user; empty for an end user whom no limit counts."""
        if index is not self._index:
            self._take_up(index)
        place = (caller.key_id, model, end_user, caller.batch)
        grant = self._grants.get(place)
        if grant is None:
            if len(self._grants) >= GRANTS_LIMIT:
                self._grants.clear()
            grant = self._grants[place] = self._resolve(index, caller, model, end_user)
        return grant

    def _take_up(self, index: AccessIndex) -> None:
        self._index = index
        self._grants.clear()
        self._store.keep({limit.id for limits in index.limits.entries.values() for limit in limits})

    def _resolve(self, index: AccessIndex, caller: Caller, model: str, end_user: str) -> Grant:
        limits = tuple(
            limit_rule(limit, count_id(limit, end_user), enforced=limit.enforcement is Enforcement.ENFORCE)
            for limit in index.limits.matching(caller, model)
            if limit.enforcement is not Enforcement.OFF
        )
        charged = [one for one in index.budgets.matching(caller, model) if one.enforcement is not Enforcement.OFF]
        budgets = tuple(budget_rule(one) for one in charged if one.enforcement is Enforcement.ENFORCE)
        tariff = tariff_of(index.price_of(caller, model))
        return Grant(
            hard=any(not one.soft for one in budgets),
            soft=self._soft(tuple(one for one in budgets if one.soft), caller, model),
            limits=limits,
            budgets=budgets,
            counts=self._store.counts(limits, budgets, caller.organization_id),
            budget_ids=tuple(one.id for one in charged),
            token_budget_ids=tuple(one.id for one in charged if one.unit is BudgetUnit.TOKENS),
            time_budget_ids=tuple(one.id for one in charged if one.unit is BudgetUnit.ACCELERATOR_SECONDS),
            tariff=tariff,
            costs_time=tariff.accelerator_ms > 0,
            currency=index.currency,
        )

    def _soft(self, rules: tuple[BudgetRule, ...], caller: Caller, model: str) -> SoftBudgets | None:
        if not rules:
            return None
        if len(self._recent) >= GRANTS_LIMIT:
            self._recent.clear()
        recent = self._recent.setdefault((caller.key_id, model), Recent())
        return SoftBudgets(rules, self._store.counts((), rules, caller.organization_id), recent)


def count_id(limit: LimitAccess, end_user: str) -> str:
    """What is counted together. End users are callers' own words, and may be long: a digest stands for them."""
    if limit.scope is not Scope.USER:
        return limit.id
    return f"{limit.id}/{hashlib.blake2b(end_user.encode(), digest_size=12).hexdigest()}"
