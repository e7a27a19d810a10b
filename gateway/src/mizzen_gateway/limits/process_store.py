"""How are limits counted in this process? In integers, without waiting: one worker alone may do so.

Credit of budgets is leased from the ledger to this gateway; only where it is too little does a request wait.
"""

import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any
from weakref import WeakValueDictionary

import structlog
from mizzen_crds.gcra import Bucket

from mizzen_gateway.limits.answers import Answer, Denial, LedgerSilent, OverBudget, OverLimit
from mizzen_gateway.limits.credit import CreditAccount
from mizzen_gateway.limits.leases import CreditLeases, LedgerUnreachableError
from mizzen_gateway.limits.rules import REQUESTS, Amounts, BudgetRule, LimitRule

ATTEMPTS = 4
"""How often a request asks for credit that others take before it."""
MANY_COUNTS, MOST_COUNTS = 50_000, 200_000
"""Counts remembered. Beyond the first number those that stand at nothing are forgotten; beyond the second, further end
users of a limit share one count, so that no caller fills the memory with names."""
LOOKED_AT = 16
"""Counts that each further one makes the store look at, whether they stand at nothing."""
OTHERS = "/others"

log = structlog.get_logger(__name__)

Rate = tuple[Bucket, int, int, int, int]
"""A limit's count, its kind, amount, window in nanoseconds and capacity."""
Group = tuple[int, int, int, tuple[tuple[Bucket, int, int], ...]]
"""Kind, window in nanoseconds and the least capacity; count, amount and capacity of each limit that has them."""
Spent = tuple[int, int, tuple[tuple[Bucket, int, int], ...]]
"""The same of what is known at a request's end alone, and of requests at once: no least capacity."""


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
        self._idle = WeakValueDictionary[str, Bucket]()
        """Forgotten, and nevertheless in the hands of some that will count in them again."""
        self._hand: Iterator[str] = iter(())
        """What to look at next, whether it stands at nothing."""
        self._limit_ids: AbstractSet[str] = frozenset()
        """Limits of the snapshot in force: no others have counts."""

    def counts(self, limits: Sequence[LimitRule], budgets: Sequence[BudgetRule], _organization: str) -> "ProcessCounts":
        """The counts of all that applies to one key and model."""
        buckets = [self._bucket(rule) for rule in limits]
        accounts = [self.leases.account(rule.budget.id) for rule in budgets]
        for account, rule in zip(accounts, budgets, strict=True):
            account.go_by(rule.budget)
        return ProcessCounts(self, limits, buckets, budgets, accounts)

    def keep(self, limit_ids: AbstractSet[str]) -> None:
        """A new snapshot has these limits: forget the counts of others, and ask for credit anew."""
        if not self._limit_ids <= limit_ids:
            for count_id in [one for one in self._buckets if one.partition("/")[0] not in limit_ids]:
                del self._buckets[count_id]
        self._limit_ids = limit_ids
        self.leases.forget_exhaustion()

    def _bucket(self, rule: LimitRule) -> Bucket:
        window_ns = rule.limit.window_seconds * 1_000_000_000 or 1
        bucket = self._buckets.get(rule.count_id)
        if bucket is None:
            bucket = self._further(rule.count_id, rule.limit.amount, window_ns)
        if (bucket.amount, bucket.window_ns) != (rule.limit.amount, window_ns):
            bucket.resize(rule.limit.amount, window_ns, self.clock_ns())
        return bucket

    def _further(self, count_id: str, amount: int, window_ns: int) -> Bucket:
        if len(self._buckets) >= MANY_COUNTS:
            self._forget_some_idle()
        limit_id, slash, _ = count_id.partition("/")
        if slash and len(self._buckets) >= MOST_COUNTS:
            count_id = limit_id + OTHERS
            if count_id not in self._buckets:
                log.warning("too many end users: further ones of this limit count together", limit=limit_id)
        bucket = self._buckets.get(count_id) or self._idle.get(count_id) or Bucket(amount, window_ns)
        self._buckets[count_id] = bucket
        return bucket

    def _forget_some_idle(self) -> None:
        now = self.clock_ns()
        for _ in range(LOOKED_AT):
            count_id = next(self._hand, None)
            if count_id is None:
                self._hand = iter(list(self._buckets))
                return
            bucket = self._buckets.get(count_id)
            if bucket is not None and bucket.level(now) <= 0:
                # A grant may go on counting in it: who asks for the count anew gets the same one.
                self._idle[count_id] = self._buckets.pop(count_id)


class ProcessCounts:
    """The counts of all that applies to one key and model."""

    __slots__ = ("_budgets", "_clock_ns", "_groups", "_held", "_limits", "_rates", "_rules", "_spent", "_store")

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
        self._rules = budgets
        self._rates = tuple(
            (bucket, rule.kind, bucket.amount, bucket.window_ns, bucket.capacity)
            for bucket, rule in zip(buckets, limits, strict=True)
        )
        self._groups = _grouped([rate for rate in self._rates if rate[1] == REQUESTS])
        self._spent = tuple(
            (kind, window_ns, members)
            for kind, window_ns, _, members in _grouped([rate for rate in self._rates if rate[1] != REQUESTS])
        )
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
        for kind, window_ns, rates in self._spent:
            bound = amounts[kind]
            for bucket, amount, capacity in rates:
                need = (bucket.held + bound) * window_ns
                level = bucket.tat - now_ns * amount
                if (need if level < 0 else need + level) > capacity:
                    return self._short(amounts, now, bucket)
                bucket.held += bound
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
            bucket.held + used / window_ns if (used := bucket.tat - now_ns * amount) > 0 else bucket.held
            for bucket, _, amount, window_ns, _ in self._rates
        ]

    def levels_now(self) -> list[float]:
        """The same at this moment."""
        return self.levels(self._store.clock_ns()) if self._rates else []

    def settle(self, taken: Amounts, used: Amounts, seconds: float) -> None:
        """One request has ended, so long after it was admitted."""
        if taken[REQUESTS] != used[REQUESTS]:
            elapsed_ns = max(0, int(seconds * 1e9))
            for _, _, _, rates in self._groups:
                for bucket, _, _ in rates:
                    bucket.give_back(taken[REQUESTS] - used[REQUESTS], elapsed_ns)
        if self._spent:
            now_ns = self._clock_ns()
            for kind, _, rates in self._spent:
                held, spent = taken[kind], used[kind]
                for bucket, _, _ in rates:
                    # `Bucket.spend`, written out.
                    bucket.held -= held
                    if spent:
                        now = now_ns * bucket.amount  # by now it may be another than when this was prepared
                        bucket.tat = (bucket.tat if bucket.tat > now else now) + spent * bucket.window_ns
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
        for kind, _, rates in self._spent:
            for bucket, _, _ in rates:
                if bucket is missing:
                    return
                bucket.held -= amounts[kind]
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
        for bucket, kind, _, _, _ in self._rates:
            if not bucket.fits(amounts[kind], now_ns):
                if self._limits[place].enforced:
                    self._put_back(amounts, place)
                    return OverLimit(place, self.levels(now_ns))
                shadowed = (*shadowed, place)
            if kind == REQUESTS:
                bucket.take(amounts[kind], now_ns)
            else:
                bucket.held += amounts[kind]
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
        for bucket, kind, _, _, _ in self._rates[:count]:
            if kind == REQUESTS:
                bucket.give_back(amounts[kind], 0)
            else:
                bucket.held -= amounts[kind]

    def _lacking(self, place: int, bound: int) -> "Denial | _Lacking":
        account = self._budgets[place][0]
        if self._store.leases.exhausted(account):
            free = max(0, account.free(self._store.clock()))
            return OverBudget(place, account.period_end, free, account.reserved)
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

    def settle(self, taken: Amounts, used: Amounts, seconds: float = 0.0) -> None:
        """Count what was used, and let go of the rest."""
        self._counts.settle(taken, used, seconds)
