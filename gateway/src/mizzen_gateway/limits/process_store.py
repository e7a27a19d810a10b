"""How are limits counted in this process? In integers, without waiting: one worker alone may do so.

Credit of budgets is leased from the ledger to this gateway; only where it is too little does a request wait.
"""

import time
from collections.abc import Callable, Collection, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

from mizzen_gateway.limits.answers import Answer, Denial, LedgerSilent, OverBudget, OverLimit
from mizzen_gateway.limits.credit import CreditAccount
from mizzen_gateway.limits.gcra import Bucket
from mizzen_gateway.limits.leases import CreditLeases, LedgerUnreachableError
from mizzen_gateway.limits.rules import CONCURRENCY, Amounts, BudgetRule, LimitRule

ATTEMPTS = 4
"""How often a request asks for credit that others take before it."""
MOST_COUNTS = 200_000
"""Counts remembered; beyond it those that stand at nothing are forgotten."""
_NEVER_NS = 1 << 90
"""Window of what never drains: requests under way."""

Rate = tuple[Bucket, int, int, int, int]
"""A limit's count, its kind, amount, window in nanoseconds and capacity."""
Group = tuple[int, int, int, tuple[tuple[Bucket, int, int], ...]]
"""Kind, window in nanoseconds and the least capacity; count, amount and capacity of each limit that has them."""


class ProcessStore:
    """All counts of one process."""

    def __init__(
        self,
        leases: CreditLeases,
        clock_ns: Callable[[], int] = time.monotonic_ns,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`clock_ns` counts for the limits, `clock` is seconds since the epoch."""
        self.leases = leases
        self.clock_ns = clock_ns
        self.clock = clock
        self._buckets: dict[str, Bucket] = {}

    def counts(self, limits: Sequence[LimitRule], budgets: Sequence[BudgetRule], _organization: str) -> "ProcessCounts":
        """The counts of all that applies to one key and model."""
        if len(self._buckets) > MOST_COUNTS:
            self._forget_idle()
        buckets = [self._bucket(rule) for rule in limits]
        accounts = [self.leases.account(rule.budget.id) for rule in budgets]
        for account, rule in zip(accounts, budgets, strict=True):
            account.go_by(rule.budget)
        return ProcessCounts(self, limits, buckets, budgets, accounts)

    def keep(self, limit_ids: Collection[str]) -> None:
        """A new snapshot has these limits: forget the counts of others, and ask for credit anew."""
        for count_id in [one for one in self._buckets if one.partition("/")[0] not in limit_ids]:
            del self._buckets[count_id]
        self.leases.forget_exhaustion()

    def _bucket(self, rule: LimitRule) -> Bucket:
        window_ns = rule.limit.window_seconds * 1_000_000_000 if rule.kind != CONCURRENCY else _NEVER_NS
        bucket = self._buckets.get(rule.count_id)
        if bucket is None:
            bucket = self._buckets[rule.count_id] = Bucket(rule.limit.amount, window_ns)
        elif (bucket.amount, bucket.window_ns) != (rule.limit.amount, window_ns):
            bucket.resize(rule.limit.amount, window_ns, self.clock_ns())
        return bucket

    def _forget_idle(self) -> None:
        now = self.clock_ns()
        for count_id in [one for one, bucket in self._buckets.items() if bucket.level(now) <= 0]:
            del self._buckets[count_id]


class ProcessCounts:
    """The counts of all that applies to one key and model."""

    __slots__ = ("_buckets", "_budgets", "_clock_ns", "_groups", "_held", "_limits", "_rates", "_rules", "_store")

    def __init__(
        self,
        store: ProcessStore,
        limits: Sequence[LimitRule],
        buckets: Sequence[Bucket],
        budgets: Sequence[BudgetRule],
        accounts: Sequence[CreditAccount],
    ) -> None:
        self._store = store
        self._clock_ns = store.clock_ns
        self._limits = limits
        self._buckets = buckets
        self._rules = budgets
        self._rates = tuple(
            (bucket, rule.kind, bucket.amount, bucket.window_ns, bucket.capacity)
            for bucket, rule in zip(buckets, limits, strict=True)
        )
        self._groups = _grouped(self._rates)
        self._budgets = tuple((account, rule.kind) for account, rule in zip(accounts, budgets, strict=True))
        self._held = ProcessHolding(self)

    def take(self, amounts: Amounts, now: float) -> Answer | Coroutine[Any, Any, Answer]:
        """All or nothing; to be awaited only where credit must come first.

        Nearly always there is enough of everything: that is what is tried, in one pass that takes as it checks. Where
        something is short, `_attempt` finds out what it means.
        """
        now_ns = self._clock_ns()
        for kind, window_ns, least, rates in self._groups:
            # GCRA as in `Bucket.fits` and `Bucket.take`, written out: six limits a request make calls of calls count.
            cost = amounts[kind] * window_ns
            if cost > least:
                return self._short(amounts, now, rates[0][0])
            for bucket, amount, capacity in rates:
                scaled = now_ns * amount
                tat = bucket.tat
                if tat > scaled:
                    tat += cost
                    if tat - scaled > capacity:
                        return self._short(amounts, now, bucket)
                    bucket.tat = tat
                else:
                    bucket.tat = scaled + cost
        low = False
        for account, kind in self._budgets:
            # `CreditAccount.free` and `reserve`, written out for the same reason.
            bound = amounts[kind]
            left = account.credit - account.on_the_way - account.reserved - bound
            if bound and (left < 0 or now >= account.usable_until):
                return self._short(amounts, now, account)
            account.reserved += bound
            low = low or left < account.low
        for account, _ in self._budgets:
            account.spent = True
        if low:
            self._refill_in_advance()
        return self._held

    def levels(self, now_ns: int) -> list[float]:
        """Units in use of each limit: `Bucket.level`, written out, as each admitted request is told them."""
        return [
            used / window_ns if (used := bucket.tat - now_ns * amount) > 0 else 0.0
            for bucket, _, amount, window_ns, _ in self._rates
        ]

    def levels_now(self) -> list[float]:
        """The same at this moment."""
        return self.levels(self._store.clock_ns()) if self._buckets else []

    def give_back(self, taken: Amounts, used: Amounts) -> None:
        """Settle one request."""
        for kind, window_ns, _, rates in self._groups:
            unused = taken[kind] - used[kind]
            if unused:
                cost = unused * window_ns
                for bucket, _, _ in rates:
                    bucket.tat -= cost if bucket.window_ns == window_ns else unused * bucket.window_ns
        for account, kind in self._budgets:
            account.settle(taken[kind], used[kind])

    def _short(
        self, amounts: Amounts, now: float, missing: Bucket | CreditAccount
    ) -> Answer | Coroutine[Any, Any, Answer]:
        """There is too little of `missing`: put back what was taken before it, and look at each one by itself."""
        self._undo(amounts, missing)
        answer = self._attempt(amounts, now)
        return self._with_refill(answer, amounts) if isinstance(answer, _Lacking) else answer

    def _undo(self, amounts: Amounts, missing: Bucket | CreditAccount) -> None:
        """As if nothing had been taken, in the order of `take`."""
        for kind, window_ns, _, rates in self._groups:
            for bucket, _, _ in rates:
                if bucket is missing:
                    return
                bucket.tat -= amounts[kind] * window_ns
        for account, kind in self._budgets:
            if account is missing:
                return
            account.reserved -= amounts[kind]

    def _refill_in_advance(self) -> None:
        for account, _ in self._budgets:
            if account.credit - account.on_the_way - account.reserved < account.low:
                self._store.leases.refill_in_advance(account)

    def _attempt(self, amounts: Amounts, now: float, in_debt: int = 0) -> "Answer | _Lacking":
        """Within it nothing waits, so that no other request comes between the check and the taking.

        `in_debt` has a bit for the place of each budget that may lack credit.
        """
        now_ns = self._store.clock_ns()
        place = 0
        shadowed: tuple[int, ...] = ()
        for bucket, kind, amount, window_ns, capacity in self._rates:
            scaled = now_ns * amount
            tat = bucket.tat
            if tat < scaled:
                tat = scaled
            tat += amounts[kind] * window_ns
            if tat - scaled > capacity:
                if self._limits[place].enforced:
                    self._put_back(amounts, place)
                    return OverLimit(place, self.levels(now_ns))
                shadowed = (*shadowed, place)
            bucket.tat = tat
            place += 1
        for account, kind in self._budgets:
            bound = amounts[kind]
            if bound and account.free(now) < bound:
                lacking = next(one for one, other in enumerate(self._budgets) if other[0] is account)
                if not in_debt & 1 << lacking:
                    self._put_back(amounts, place)
                    return self._lacking(lacking, bound)
        for account, kind in self._budgets:
            account.reserve(amounts[kind])
        self._refill_in_advance()
        return ProcessHolding(self, shadowed) if shadowed else self._held

    def _put_back(self, amounts: Amounts, count: int) -> None:
        """Undo the first so many limits: nothing was taken after all."""
        for bucket, kind, _, window_ns, _ in self._rates[:count]:
            bucket.tat -= amounts[kind] * window_ns

    def _lacking(self, place: int, bound: int) -> "Denial | _Lacking":
        account = self._budgets[place][0]
        if self._store.leases.exhausted(account):
            return OverBudget(place, account.period_end)
        return _Lacking(place, bound)

    async def _with_refill(self, lacking: "_Lacking", amounts: Amounts) -> Answer:
        in_debt = 0
        for _ in range(ATTEMPTS + len(self._rules)):
            place = lacking.place
            try:
                amount = self._rules[place].budget.amount_pico
                await self._store.leases.refill_for(self._budgets[place][0], lacking.bound, amount)
            except LedgerUnreachableError:
                if not self._rules[place].allows_on_loss:
                    return LedgerSilent(place)
                in_debt |= 1 << place
            answer = self._attempt(amounts, self._store.clock(), in_debt)
            if not isinstance(answer, _Lacking):
                return answer
            lacking = answer
        return LedgerSilent(lacking.place)


def _grouped(rates: Sequence[Rate]) -> tuple[Group, ...]:
    """Those of one kind and window together: what a request takes of them is the same number."""
    found: dict[tuple[int, int], list[tuple[Bucket, int, int]]] = {}
    for bucket, kind, amount, window_ns, capacity in rates:
        found.setdefault((kind, window_ns), []).append((bucket, amount, capacity))
    return tuple(
        (kind, window_ns, min(capacity for _, _, capacity in members), tuple(members))
        for (kind, window_ns), members in found.items()
    )


@dataclass(frozen=True, slots=True)
class _Lacking:
    """A budget without enough credit at hand."""

    place: int
    bound: int


class ProcessHolding:
    """A `Holding`: nothing of it outlives the process, so that nothing needs to be renewed, and all share one."""

    __slots__ = ("_counts", "shadowed")
    holder = ""

    def __init__(self, counts: ProcessCounts, shadowed: tuple[int, ...] = ()) -> None:
        self._counts = counts
        self.shadowed = shadowed

    @property
    def levels(self) -> Sequence[float]:
        """Of each limit, as it stands now."""
        return self._counts.levels_now()

    def watch(self, so_far: Callable[[], Amounts]) -> None:
        """Nobody asks."""

    def settle(self, taken: Amounts, used: Amounts) -> None:
        """Give back what was not used."""
        self._counts.give_back(taken, used)
