"""May this request be made? Every limit and budget that matches is asked; all are taken from, or none.

Implements `Quota` and `Reservation` of `stages.py`. The store decides (`grants.Store`); this file asks it and answers.
"""

import time
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import replace
from types import CoroutineType
from typing import Any, Protocol

from mizzen_gateway.auth.authenticator import access_unavailable
from mizzen_gateway.discovery.access_index import AccessState
from mizzen_gateway.limits.allowance import StreamAllowance
from mizzen_gateway.limits.answers import (
    Answer,
    Denial,
    Holding,
    LedgerSilent,
    OverBudget,
    OverLimit,
    StoreForgot,
)
from mizzen_gateway.limits.grants import Grant, GrantTable, Store
from mizzen_gateway.limits.refusals import (
    Size,
    budget_unknown,
    over_budget,
    over_limit,
    rate_headers,
    store_forgot,
    store_lost,
    stream_over_budget,
    time_unbounded,
)
from mizzen_gateway.limits.rules import COST, Amounts, BudgetRule, LimitRule
from mizzen_gateway.stages import Caller, Charge, Estimate, Refusal, Reservation, Usage, nobody


class Gate(Protocol):
    """A reason why nothing may be admitted at all: usage could not be kept."""

    def closed(self) -> Refusal | None:
        """The refusal, or None while open."""
        ...


class SnapshotQuota:
    """Decides by the snapshot in memory and the counts of the store."""

    def __init__(self, state: AccessState, store: Store, gate: Gate, clock: Callable[[], float] = time.time) -> None:
        """`clock` is seconds since the epoch."""
        self._state = state
        self._gate = gate
        self.clock = clock
        self.grants = GrantTable(store)
        """What applies to whom."""
        self.refused_by: Counter[tuple[str, str, str]] = Counter()
        """Refusals by (limit or budget, name, enforcement), for metrics; those of shadow limits were let through, and
        `stream` is one that a soft budget ended."""
        self.store_lost: Counter[tuple[str, str, str]] = Counter()
        """Requests that met a limit or budget whose store was away, by (limit or budget, name, refused or allowed)."""
        self.beyond: Counter[tuple[str, str]] = Counter()
        """Used beyond what was reserved, by (soft budget, unit), in the unit's smallest part."""

    def reserve(
        self, caller: Caller, model: str, estimate: Estimate, now: float, end_user: Callable[[], str] = nobody
    ) -> Reservation | Refusal | Awaitable[Reservation | Refusal]:
        """Take from all or from none; awaitable only where a store or the ledger must be asked."""
        refusal = self._gate.closed()
        if refusal is not None:
            return refusal
        index = self._state.current(now)
        if index is None:
            return access_unavailable(self._state)
        grant = self.grants.grant(index, caller, model, end_user() if index.counts_users else "")
        if grant.hard and (estimate.why_unbounded is not None or grant.costs_time):
            refusal = _why_unbounded(grant, estimate)
            if refusal is not None:
                return refusal
            if estimate.closer_input is not None:
                estimate = replace(estimate, input_tokens=estimate.closer_input())
        amounts = grant.bound(estimate)
        answer = grant.counts.take(amounts, now)
        if type(answer) is CoroutineType:
            return self._later(answer, grant, estimate, amounts, now)
        return self._said(answer, grant, estimate, amounts, now)  # type: ignore[arg-type]  # every coroutine is a CoroutineType

    async def _later(
        self, coming: Coroutine[Any, Any, Answer], grant: Grant, estimate: Estimate, amounts: Amounts, now: float
    ) -> Reservation | Refusal:
        return self._said(await coming, grant, estimate, amounts, now)

    def _said(
        self, answer: Answer, grant: Grant, estimate: Estimate, amounts: Amounts, now: float
    ) -> "Reserved | Refusal":
        if isinstance(answer, Denial):
            return self._denied(answer, grant, estimate, amounts, now)
        if answer.shadowed:
            for place in answer.shadowed:
                self._count_refusal("limit", grant.limits[place].limit.name, "shadow")
        cap = estimate.output_tokens if grant.hard and estimate.choices else None
        if grant.soft is None:
            return Reserved(grant, answer, amounts, cap, self.clock, now)
        return SoftlyReserved(grant, answer, amounts, cap, self, now)

    def _denied(
        self, denial: Denial, grant: Grant, estimate: Estimate, amounts: Amounts, now: float
    ) -> "Reserved | Refusal":
        if isinstance(denial, OverLimit):
            rule = grant.limits[denial.place]
            self._count_refusal("limit", rule.limit.name, "enforce")
            size, units = size_of(grant, estimate), amounts[rule.kind]
            return over_limit(grant.limits, denial.place, denial.levels, units, grant.currency, size)
        if isinstance(denial, OverBudget):
            budget = grant.budgets[denial.place]
            self._count_refusal("budget", budget.budget.name, "enforce")
            size, units = size_of(grant, estimate), amounts[budget.kind]
            return over_budget(budget, denial, units, grant.currency, size)
        if isinstance(denial, StoreForgot):
            return store_forgot(grant.budgets[denial.place], denial.closed_until, self.clock())
        if isinstance(denial, LedgerSilent):
            return budget_unknown(grant.budgets[denial.place])
        rules: tuple[LimitRule | BudgetRule, ...] = (*grant.limits, *grant.budgets)
        strict = next((one for one in rules if not one.allows_on_loss), None)
        if strict is not None:
            self.store_lost[(*_named(strict), "refused")] += 1
            return store_lost(strict)
        for lenient in rules:
            self.store_lost[(*_named(lenient), "allowed")] += 1
        return self._said(UNCOUNTED, grant, estimate, amounts, now)

    def _count_refusal(self, kind: str, name: str, enforcement: str) -> None:
        self.refused_by[kind, name, enforcement] += 1


def _why_unbounded(grant: Grant, estimate: Estimate) -> Refusal | None:
    refusal = None if estimate.why_unbounded is None else estimate.why_unbounded()
    return time_unbounded(grant.budgets) if refusal is None and grant.costs_time else refusal


def _named(rule: LimitRule | BudgetRule) -> tuple[str, str]:
    return ("limit", rule.limit.name) if isinstance(rule, LimitRule) else ("budget", rule.budget.name)


class Uncounted:
    """A `Holding` of nothing: the store was away, and everything that applies lets requests pass then."""

    levels = shadowed = ()
    holder = ""

    def watch(self, so_far: Callable[[], Amounts]) -> None:
        """Nobody asks."""

    def settle(self, taken: Amounts, used: Amounts, seconds: float = 0.0) -> None:
        """Nothing was taken."""


UNCOUNTED = Uncounted()


class Reserved:
    """What an admitted request holds, until it is settled."""

    __slots__ = ("_clock", "_grant", "_holding", "_priced", "_settled", "_since", "_taken", "output_cap")

    def __init__(
        self,
        grant: Grant,
        holding: Holding,
        taken: Amounts,
        output_cap: int | None,
        clock: Callable[[], float],
        since: float,
    ) -> None:
        """It was asked for at `since`, by the clock."""
        self._clock = clock
        self._since = since
        self._grant = grant
        self._holding = holding
        self._taken = taken
        self._settled = False
        self._priced: tuple[Usage, Amounts, Charge] | None = None
        self.output_cap = output_cap

    @property
    def allowance(self) -> StreamAllowance | None:
        """None: no soft budget applies."""
        return None

    @property
    def headers(self) -> tuple[tuple[str, str], ...]:
        """x-ratelimit-*, as the limits stood when the request was admitted."""
        levels = self._holding.levels
        return rate_headers(self._grant.limits, levels) if levels else ()

    @property
    def bound(self) -> Charge:
        """The most that the request can cost."""
        return self._grant.charge(self._taken[COST], self._holding.holder)

    def watch(self, so_far: Callable[[], Usage]) -> None:
        """Where to read what was used until now, for a store that charges it should this gateway be killed."""
        self._holding.watch(lambda: self._grant.used(so_far()))

    def price(self, usage: Usage) -> Charge:
        """Worked out once for each usage."""
        if self._priced is None or self._priced[0] is not usage:
            used = self._grant.used(usage)
            self._priced = usage, used, self._grant.charge(used[COST], self._holding.holder)
        return self._priced[2]

    def settle(self, usage: Usage) -> Charge:
        """Return what was not used, charge what was; a second call is an error of the caller."""
        if self._settled:
            raise RuntimeError("a reservation is settled once")
        self._settled = True
        charge = self.price(usage)
        assert self._priced is not None
        seconds = 0.0 if usage.billable else self._clock() - self._since
        self._holding.settle(self._taken, self._priced[1], seconds)
        return charge


class SoftlyReserved(Reserved):
    """The same where a soft budget applies."""

    __slots__ = ("_allowance", "_quota", "_soft")

    def __init__(
        self,
        grant: Grant,
        holding: Holding,
        taken: Amounts,
        output_cap: int | None,
        quota: SnapshotQuota,
        since: float,
    ) -> None:
        super().__init__(grant, holding, taken, output_cap, quota.clock, since)
        assert grant.soft is not None
        self._soft = grant.soft
        self._quota = quota
        self._allowance = StreamAllowance(grant, grant.soft, taken, quota.clock, self._ended)

    @property
    def allowance(self) -> StreamAllowance:
        """What a stream may use."""
        return self._allowance

    def settle(self, usage: Usage) -> Charge:
        """Also remember what it used, for those that follow, and what it used beyond what it held."""
        charge = super().settle(usage)
        if usage.billable:
            self._soft.recent.note(usage)
            used = self._grant.used(usage)
            for rule in self._soft.rules:
                beyond = used[rule.kind] - self._taken[rule.kind] - self._allowance.reserved(rule.kind)
                if beyond > 0:
                    self._quota.beyond[rule.budget.name, rule.budget.unit.value] += beyond
        self._allowance.end()
        return charge

    def _ended(self, denial: OverBudget, output_tokens: int) -> Refusal:
        rule = self._soft.rules[denial.place]
        self._quota.refused_by["budget", rule.budget.name, "stream"] += 1
        return stream_over_budget(rule, denial.period_end, output_tokens, self._grant.currency)


def size_of(grant: Grant, estimate: Estimate) -> Size:
    """What a request that is refused consists of."""
    prompt, choices, each = estimate.input_tokens, estimate.choices, estimate.output_tokens
    return Size(prompt, choices * each, grant.bound(Estimate(prompt, choices, min(1, each))))
