"""May this request be made? Every limit and budget that matches is asked; all are taken from, or none.

Implements `Quota` and `Reservation` of `stages.py`. Within `_attempt` nothing waits, so that no other request comes
between the check and the taking. Only where a budget lacks credit is there something to await.
"""

import time
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Protocol

from mizzen_gateway.auth.authenticator import access_unavailable
from mizzen_gateway.discovery.access_index import AccessState
from mizzen_gateway.limits.grants import BudgetGrant, Grant, GrantTable, most_tokens
from mizzen_gateway.limits.leases import CreditLeases, LedgerUnreachableError
from mizzen_gateway.limits.refusals import budget_unknown, over_budget, over_rate, rate_headers
from mizzen_gateway.stages import Caller, Charge, Estimate, Refusal, Reservation, Usage

ATTEMPTS = 4
"""How often a request asks for credit that others take before it."""


class Gate(Protocol):
    """A reason why nothing may be admitted at all: usage could not be kept."""

    def closed(self) -> Refusal | None:
        """The refusal, or None while open."""
        ...


class SnapshotQuota:
    """Decides from the snapshot in memory, counts in this process, spends leased credit."""

    def __init__(
        self,
        state: AccessState,
        leases: CreditLeases,
        gate: Gate,
        clock_ns: Callable[[], int] = time.monotonic_ns,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`clock_ns` counts for the rates, `clock` is seconds since the epoch."""
        self._state = state
        self._leases = leases
        self._gate = gate
        self._clock_ns = clock_ns
        self._clock = clock
        self._grants = GrantTable(leases)
        self.refused_by: Counter[tuple[str, str, str]] = Counter()
        """Refusals by (limit or budget, name, enforcement), for metrics; those of shadow limits were let through."""

    def reserve(
        self, caller: Caller, model: str, estimate: Estimate, now: float
    ) -> Reservation | Refusal | Awaitable[Reservation | Refusal]:
        """Take from all or from none; awaitable only where credit must come first."""
        answer = self._attempt(caller, model, estimate, now)
        if isinstance(answer, _Lacking):
            return self._with_refill(answer, caller, model, estimate)
        return answer

    def _attempt(self, caller: Caller, model: str, estimate: Estimate, now: float) -> "Reserved | Refusal | _Lacking":
        refusal = self._gate.closed()
        if refusal is not None:
            return refusal
        index = self._state.current(now)
        if index is None:
            return access_unavailable(self._state)
        now_ns = self._clock_ns()
        grant = self._grants.grant(index, caller, model, now_ns)
        if grant.budgets and estimate.why_unbounded is not None:
            refusal = estimate.why_unbounded()
            if refusal is not None:
                return refusal
        tokens = most_tokens(estimate)
        refusal = self._refused_rate(grant, tokens, now_ns)
        if refusal is not None:
            return refusal
        bound = grant.cost(estimate.input_tokens, estimate.choices * estimate.output_tokens)
        if bound:
            for budget in grant.budgets:
                if budget.account.free(now) < bound:
                    return self._lacking(budget, bound, grant)
        return self._take(grant, estimate, tokens, bound, now_ns)

    def _refused_rate(self, grant: Grant, tokens: int, now_ns: int) -> Refusal | None:
        for rate in grant.rates:
            units = rate.units(tokens)
            if rate.bucket.fits(units, now_ns):
                continue
            self.refused_by["limit", rate.limit.name, rate.limit.enforcement.value] += 1
            if rate.enforced:
                return over_rate(grant.rates, rate, units, now_ns)
        return None

    def _take(self, grant: Grant, estimate: Estimate, tokens: int, bound: int, now_ns: int) -> "Reserved":
        for rate in grant.rates:
            rate.bucket.take(rate.units(tokens), now_ns)
        if bound:
            for budget in grant.budgets:
                budget.account.reserve(bound)
                self._leases.refill_in_advance(budget.account)
        cap = estimate.output_tokens if grant.budgets and estimate.choices else None
        return Reserved(grant, tokens, bound, cap, self._clock_ns)

    def _lacking(self, budget: BudgetGrant, bound: int, grant: Grant) -> "Refusal | _Lacking":
        if self._leases.exhausted(budget.account):
            return self._over_budget(budget, bound, grant.currency)
        return _Lacking(budget, bound, grant.currency)

    def _over_budget(self, lacking: BudgetGrant, bound: int, currency: str) -> Refusal:
        self.refused_by["budget", lacking.budget.name, lacking.budget.enforcement.value] += 1
        return over_budget(lacking.budget, lacking.account.period_end, bound, currency)

    async def _with_refill(
        self, lacking: "_Lacking", caller: Caller, model: str, estimate: Estimate
    ) -> Reservation | Refusal:
        for _ in range(ATTEMPTS):
            grant = lacking.grant
            try:
                await self._leases.refill_for(grant.account, lacking.bound, grant.budget.amount_pico)
            except LedgerUnreachableError:
                return budget_unknown(grant.budget)
            answer = self._attempt(caller, model, estimate, self._clock())
            if not isinstance(answer, _Lacking):
                return answer
            lacking = answer
        return budget_unknown(lacking.grant.budget)


class _Lacking:
    """A budget without enough credit at hand."""

    __slots__ = ("bound", "currency", "grant")

    def __init__(self, grant: BudgetGrant, bound: int, currency: str) -> None:
        self.grant = grant
        self.bound = bound
        self.currency = currency


class Reserved:
    """What an admitted request holds, until it is settled."""

    __slots__ = ("_bound", "_clock_ns", "_grant", "_settled", "_tokens", "output_cap")

    def __init__(
        self, grant: Grant, tokens: int, bound: int, output_cap: int | None, clock_ns: Callable[[], int]
    ) -> None:
        self._grant = grant
        self._tokens = tokens
        self._bound = bound
        self._clock_ns = clock_ns
        self._settled = False
        self.output_cap = output_cap

    @property
    def headers(self) -> tuple[tuple[str, str], ...]:
        """x-ratelimit-*, as the limits stand now."""
        return rate_headers(self._grant.rates, self._clock_ns()) if self._grant.rates else ()

    @property
    def bound(self) -> Charge:
        """The most that the request can cost."""
        return self._grant.charge(self._bound)

    def settle(self, usage: Usage) -> Charge:
        """Return what was not used, charge what was; a second call is an error of the caller."""
        if self._settled:
            raise RuntimeError("a reservation is settled once")
        self._settled = True
        grant = self._grant
        used = usage.input_tokens + usage.output_tokens if usage.billable else 0
        for rate in grant.rates:
            if rate.per_token:
                rate.bucket.give_back(self._tokens - used)
            elif not usage.billable:
                rate.bucket.give_back(1)
        cost = grant.cost(usage.input_tokens, usage.output_tokens) if usage.billable else 0
        if self._bound or cost:
            for budget in grant.budgets:
                budget.account.settle(self._bound, cost)
        return grant.charge(cost)
