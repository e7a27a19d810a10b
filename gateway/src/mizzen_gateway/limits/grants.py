"""Which limits, budgets and price apply to this key and model? Worked out once a snapshot, then remembered.

Keys that have nothing of their own share what was worked out: of a hundred thousand of one project, there is one.
"""

import hashlib
from collections.abc import Coroutine, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any, Protocol

from mizzen_crds.access import BudgetAccess, BudgetUnit, Enforcement, LimitAccess, Price, Scope

from mizzen_gateway.discovery.access_index import AccessIndex
from mizzen_gateway.limits.answers import Answer
from mizzen_gateway.limits.recent import Recent
from mizzen_gateway.limits.rules import (
    COST,
    LIKELY_COST,
    LIKELY_MS,
    NOTHING,
    REFUSED,
    TOKENS,
    Amounts,
    BudgetRule,
    LimitRule,
    budget_rule,
    limit_rule,
)
from mizzen_gateway.limits.tariff import Tariff, tariff_of
from mizzen_gateway.record import record
from mizzen_gateway.stages import Caller, Charge, Estimate, Usage

GRANTS_LIMIT = 65_536
"""Grants remembered at most, and pairs of key and model with an end user, where limits count these."""
PAIRS_LIMIT = 262_144
"""Pairs of key and model remembered at most: a place in a table each, where the grant is shared."""
LET_GO = 8
"""Grants of an earlier snapshot that are forgotten for each that is worked out: all at once would take too long."""
NO_GRANTS: "dict[str, Grant]" = {}


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

    def keep(self, limit_ids: AbstractSet[str]) -> None:
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
            nothing = REFUSED if usage.refused else NOTHING
            return nothing if self.soft is None else (*nothing[:LIKELY_MS], usage.accelerator_ms)
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
        self._token: object = None
        self._of_keys: dict[str, dict[str, Grant]] = {}
        """By model and key."""
        self._pairs = 0
        self._others: dict[tuple[str, str, str, bool], Grant] = {}
        """Those of end users and of lines of batches."""
        self._grants: list[Grant] = []
        self._shared: dict[tuple[int, ...], Grant] = {}
        """By what they are made of: objects of the snapshot, each known by its address."""
        self._rules: dict[int, LimitRule] = {}
        """Of limits that several keys have, by the limit's address."""
        self._tariffs: dict[int, Tariff] = {}
        """By the price's address."""
        self._leaving: list[Grant] = []
        self._recent: dict[tuple[str, str], Recent] = {}
        """By key and served name, where a soft budget applies; outlives the snapshot."""

    def grant(self, index: AccessIndex, caller: Caller, model: str, end_user: str) -> Grant:
        """What applies to this caller, served name and end user; empty for an end user whom no limit counts."""
        if index.token is not self._token:
            self._take_up(index)
        if end_user or caller.batch:
            place = (caller.key_id, model, end_user, caller.batch)
            grant = self._others.get(place)
            return self._other(index, caller, place) if grant is None else grant
        grant = self._of_keys.get(model, NO_GRANTS).get(caller.key_id)
        return self._of_key(index, caller, model) if grant is None else grant

    def _take_up(self, index: AccessIndex) -> None:
        self._token = index.token
        self._forget()
        self._store.keep(index.limit_ids)

    def _forget(self) -> None:
        self._leaving.extend(self._grants)
        self._grants.clear()
        self._of_keys.clear()
        self._others.clear()
        self._shared.clear()
        self._rules.clear()
        self._tariffs.clear()
        self._pairs = 0

    def _of_key(self, index: AccessIndex, caller: Caller, model: str) -> Grant:
        if self._pairs >= PAIRS_LIMIT:
            self._of_keys.clear()
            self._pairs = 0
        grant = self._resolve(index, caller, model, "")
        self._of_keys.setdefault(model, {})[caller.key_id] = grant
        self._pairs += 1
        return grant

    def _other(self, index: AccessIndex, caller: Caller, place: tuple[str, str, str, bool]) -> Grant:
        _, model, end_user, _ = place
        if len(self._others) >= GRANTS_LIMIT:
            self._others.clear()
        grant = self._others[place] = self._resolve(index, caller, model, end_user)
        return grant

    def _resolve(self, index: AccessIndex, caller: Caller, model: str, end_user: str) -> Grant:
        del self._leaving[-LET_GO:]
        matching, charged = index.limits.matching(caller, model), index.budgets.matching(caller, model)
        price = index.price_of(caller, model)
        made_of = (len(matching), *map(id, matching), *map(id, charged), id(price))
        grant = self._shared.get(made_of)
        if grant is None:
            if len(self._grants) >= GRANTS_LIMIT:
                self._forget()
            grant = self._made(matching, charged, price, _Whose(index.currency, caller, model, end_user))
            self._grants.append(grant)
            if grant.soft is None and not any(limit.scope is Scope.USER for limit in matching):
                self._shared[made_of] = grant
        return grant

    def _made(
        self,
        matching: Sequence[LimitAccess],
        all_budgets: Sequence[BudgetAccess],
        price: Price | None,
        whose: "_Whose",
    ) -> Grant:
        caller, tariff = whose.caller, self._tariff(price)
        limits = tuple(
            self._rule(limit, whose.end_user) for limit in matching if limit.enforcement is not Enforcement.OFF
        )
        charged = [one for one in all_budgets if one.enforcement is not Enforcement.OFF]
        budgets = tuple(budget_rule(one) for one in charged if one.enforcement is Enforcement.ENFORCE)
        return Grant(
            hard=any(not one.soft for one in budgets),
            soft=self._soft(tuple(one for one in budgets if one.soft), caller, whose.model),
            limits=limits,
            budgets=budgets,
            counts=self._store.counts(limits, budgets, caller.organization_id),
            budget_ids=tuple(one.id for one in charged),
            token_budget_ids=tuple(one.id for one in charged if one.unit is BudgetUnit.TOKENS),
            time_budget_ids=tuple(one.id for one in charged if one.unit is BudgetUnit.ACCELERATOR_SECONDS),
            tariff=tariff,
            costs_time=tariff.accelerator_ms > 0,
            currency=whose.currency,
        )

    def _rule(self, limit: LimitAccess, end_user: str) -> LimitRule:
        known = self._rules.get(id(limit))
        if known is not None:
            return known
        rule = limit_rule(limit, count_id(limit, end_user), enforced=limit.enforcement is Enforcement.ENFORCE)
        if limit.scope not in (Scope.KEY, Scope.USER):
            self._rules[id(limit)] = rule
        return rule

    def _tariff(self, price: Price | None) -> Tariff:
        tariff = self._tariffs.get(id(price))
        if tariff is None:
            tariff = self._tariffs[id(price)] = tariff_of(price)
        return tariff

    def _soft(self, rules: tuple[BudgetRule, ...], caller: Caller, model: str) -> SoftBudgets | None:
        if not rules:
            return None
        if len(self._recent) >= GRANTS_LIMIT:
            self._recent.clear()
        recent = self._recent.setdefault((caller.key_id, model), Recent())
        return SoftBudgets(rules, self._store.counts((), rules, caller.organization_id), recent)


@record
class _Whose:
    """For whom a grant is worked out."""

    currency: str
    caller: Caller
    model: str
    end_user: str


def count_id(limit: LimitAccess, end_user: str) -> str:
    """What is counted together. End users are callers' own words, and may be long: a digest stands for them."""
    if limit.scope is not Scope.USER:
        return limit.id
    return f"{limit.id}/{hashlib.blake2b(end_user.encode(), digest_size=12).hexdigest()}"
