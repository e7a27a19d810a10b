"""Which limits, budgets and price apply to this key and model? Worked out once a snapshot, then remembered."""

import hashlib
from collections.abc import Collection, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from mizzen_crds.access import BudgetUnit, Enforcement, LimitAccess, Price, Scope

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
    bound_amounts,
    budget_rule,
    limit_rule,
    used_amounts,
)
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


class Dearest(NamedTuple):
    """The most that a price asks, at hand: each request is told what it could cost."""

    input_token: int = 0
    """In pico, as all of these; cached ones may cost more than others, and reasoning more than text."""
    output_token: int = 0
    request: int = 0
    cache_hit: int = 0
    """Of the response cache."""


def dearest_of(price: Price | None) -> Dearest:
    """Nothing where there is no price."""
    if price is None:
        return Dearest()
    return Dearest(
        max(price.pico_per_input_token, price.pico_per_cached_token or 0),
        max(price.pico_per_output_token, price.pico_per_reasoning_token or 0),
        price.pico_per_request,
        price.pico_per_response_cache_hit,
    )


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
    price: Price | None
    dearest: Dearest
    costs_time: bool
    """Part of the price is for time, which nothing bounds beforehand."""
    currency: str
    hard: bool
    """A hard budget applies."""
    soft: SoftBudgets | None
    """None where no soft budget applies."""

    def cost(self, usage: Usage) -> int:
        """Price of what was used, in pico."""
        price = self.price
        if price is None:
            return 0
        if usage.response_cache_hit:
            return price.pico_per_response_cache_hit
        cost = price.pico_per_request
        cost += usage.input_tokens * price.pico_per_input_token + usage.output_tokens * price.pico_per_output_token
        if usage.cached_tokens and price.pico_per_cached_token is not None:
            cost += usage.cached_tokens * (price.pico_per_cached_token - price.pico_per_input_token)
        if usage.reasoning_tokens and price.pico_per_reasoning_token is not None:
            cost += usage.reasoning_tokens * (price.pico_per_reasoning_token - price.pico_per_output_token)
        return cost + usage.accelerator_ms * price.pico_per_accelerator_ms

    def most_cost(self, input_tokens: int, output_tokens: int) -> int:
        """The most that so many tokens can cost, however many of them turn out to be cached or reasoning."""
        input_token, output_token, request, cache_hit = self.dearest
        cost = request + input_tokens * input_token + output_tokens * output_token
        return cost if cost > cache_hit else cache_hit

    def bound(self, estimate: Estimate) -> Amounts:
        """The most that a request can use; of soft budgets what it probably will."""
        output_tokens = estimate.choices * estimate.output_tokens
        most = bound_amounts(estimate.input_tokens, output_tokens, self.most_cost(estimate.input_tokens, output_tokens))
        if self.soft is None:
            return most
        likely_in, likely_out, likely_ms = self.soft.recent.likely(estimate)
        cost = self.most_cost(likely_in, likely_out) + likely_ms * self._pico_per_ms
        return (*most, likely_in + likely_out, cost, likely_ms, likely_out)

    def more(self, output_tokens: int, accelerator_ms: int) -> Amounts:
        """What so much more takes of soft budgets."""
        cost = output_tokens * self.dearest.output_token + accelerator_ms * self._pico_per_ms
        return (0, 0, 0, 0, 0, 0, output_tokens, cost, accelerator_ms)

    def used(self, usage: Usage) -> Amounts:
        """What a request has used. Time of accelerators counts for budgets of it even where it costs nothing."""
        if not usage.billable:
            return NOTHING if self.soft is None else (0, 0, 0, 0, 0, 0, 0, 0, usage.accelerator_ms)
        used = used_amounts(usage.input_tokens, usage.output_tokens, self.cost(usage))
        return used if self.soft is None else (*used, used[TOKENS], used[COST], usage.accelerator_ms)

    @property
    def _pico_per_ms(self) -> int:
        return 0 if self.price is None else self.price.pico_per_accelerator_ms

    @property
    def counts_time(self) -> bool:
        """Some soft budget is spent by the time of accelerators."""
        if self.soft is None:
            return False
        return any(one.kind == LIKELY_MS or (one.kind == LIKELY_COST and self.costs_time) for one in self.soft.rules)

    def charge(self, cost_pico: int, holder: str) -> Charge:
        """The charge of that much money."""
        rate_card_id = "" if self.price is None else self.price.rate_card_id
        return Charge(
            cost_pico,
            self.currency,
            rate_card_id,
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
        price = index.price_of(caller, model)
        return Grant(
            hard=any(not one.soft for one in budgets),
            soft=self._soft(tuple(one for one in budgets if one.soft), caller, model),
            limits=limits,
            budgets=budgets,
            counts=self._store.counts(limits, budgets, caller.organization_id),
            budget_ids=tuple(one.id for one in charged),
            token_budget_ids=tuple(one.id for one in charged if one.unit is BudgetUnit.TOKENS),
            time_budget_ids=tuple(one.id for one in charged if one.unit is BudgetUnit.ACCELERATOR_SECONDS),
            price=price,
            dearest=dearest_of(price),
            costs_time=price is not None and price.pico_per_accelerator_ms > 0,
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
