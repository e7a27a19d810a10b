"""How do gateways share their limits? Each request is decided by one call to a server that all of them use.

What a request holds lives there for a minute and is renewed while it runs, with what it has used so far; a gateway that
is gone gives it back by its end, less what it had told. While the server is away nothing is counted: each limit says
whether requests pass then.
"""

import asyncio
import itertools
import secrets
import time
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

import structlog

from mizzen_gateway.limits.answers import (
    Answer,
    LedgerSilent,
    OverBudget,
    OverLimit,
    StoreForgot,
    StoreLost,
)
from mizzen_gateway.limits.leases import LedgerUnreachableError
from mizzen_gateway.limits.rules import NOTHING, Amounts, BudgetRule, LimitRule
from mizzen_gateway.limits.shared_credit import SharedCredit
from mizzen_gateway.limits.shared_server import (
    BUDGET,
    LACKING,
    OVER,
    RATE,
    RUNNING,
    EpochChangedError,
    LimitServer,
    Rows,
    Settlement,
    StoreUnreachableError,
    TakeAnswer,
    rows_of,
)

HOLD_SECONDS = 60.0
"""How long a gateway that is gone holds what its requests had taken."""
RENEWALS = 4
"""In that time."""
ATTEMPTS = 4
"""How often a request asks for credit that others take before it."""
EPOCHS = 3
"""How often a call is made again because the server lost its memory meanwhile."""
MOST_DUE = 100_000
"""Settlements that wait while the server is away; beyond it the oldest are left to their end."""
SETTLED_AT_ONCE = 64
GROUP_SECONDS = 0.005
"""How long a settlement waits for company."""
PAUSE_SECONDS = 0.2
"""After a failed call, before the next."""

log = structlog.get_logger(__name__)


class SharedStore:
    """All counts, on a server."""

    def __init__(
        self,
        server: LimitServer,
        credit: SharedCredit,
        clock: Callable[[], float] = time.time,
        hold_seconds: float = HOLD_SECONDS,
    ) -> None:
        """`clock` is seconds since the epoch."""
        self.server = server
        self.credit = credit
        self.clock = clock
        self.hold_seconds = hold_seconds
        self.epochs: dict[str, str] = {}
        """Memory of the server, by organization."""
        self.failures = 0
        """Calls that got no answer."""
        self.lost_settlements = 0
        """Settlements left to the end of what they would have given back."""
        self._lost_until = 0.0
        self._started = False
        self._running: dict[str, SharedHolding] = {}
        self._due: deque[Settlement] = deque()
        self._settled = asyncio.Event()
        self._sending = asyncio.Lock()
        self._telling: set[asyncio.Task[bool]] = set()
        self._names = (f"{secrets.token_hex(6)}{number:x}" for number in itertools.count())

    @property
    def lost(self) -> bool:
        """The server does not answer."""
        return not self.server.reachable or time.monotonic() < self._lost_until

    @property
    def telling(self) -> bool:
        """Something has ended here that the server may not know yet."""
        return bool(self._due) or self._sending.locked()

    @property
    def settlements_waiting(self) -> int:
        """That the server has not got yet."""
        return len(self._due)

    def counts(self, limits: Sequence[LimitRule], budgets: Sequence[BudgetRule], organization: str) -> "SharedCounts":
        """The counts of all that applies to one key and model."""
        counts = SharedCounts(self, rows_of(organization, limits, budgets), len(limits), budgets)
        self.credit.take_up_changes(self.epochs)
        return counts

    def keep(self, _limit_ids: AbstractSet[str]) -> None:
        """The server forgets by itself what has drained."""
        self.credit.forget_exhaustion()

    def fail(self) -> None:
        """A call got no answer: for a moment nobody waits for another."""
        self.failures += 1
        self._lost_until = time.monotonic() + PAUSE_SECONDS

    def hold(self, holding: "SharedHolding") -> None:
        """Renew it until it is settled."""
        self._running[holding.id] = holding

    def settle(self, settlement: Settlement) -> None:
        """Tell the server, soon."""
        self._running.pop(settlement.id, None)
        if len(self._due) >= MOST_DUE:
            self._due.popleft()
            self.lost_settlements += 1
        self._due.append(settlement)
        if self._settled.is_set():
            return
        if any(row.type == RUNNING for row in settlement.rows.rows):
            self._settled.set()  # somebody may be waiting for the place
        elif len(self._due) == 1:
            asyncio.get_running_loop().call_later(GROUP_SECONDS, self._settled.set)

    def name(self) -> str:
        """Of a reservation, unique among all gateways."""
        return next(self._names)

    async def start(self) -> None:
        """Connect, at least try once. Raises UnfitServerError."""
        if not self._started:
            await self.server.start()
            self._started = True

    async def run(self) -> None:
        """Connect, send settlements and renew what runs, until cancelled."""
        await self.start()
        await asyncio.gather(self._send_settlements(), self._renew_all())

    async def close(self, seconds: float) -> None:
        """Wait for so long until the server has every settlement, then hang up."""
        if not await self.drain(seconds):
            log.warning("settlements left to the end of what they hold", settlements=len(self._due))
        await self.credit.close()
        await self.server.close()

    async def _send_settlements(self) -> None:
        while True:
            await self._settled.wait()
            self._settled.clear()
            while self._due:
                if not await self._settle_some():
                    await asyncio.sleep(PAUSE_SECONDS)

    async def _renew_all(self) -> None:
        pause = min(1.0, self.hold_seconds / RENEWALS)
        while True:
            await asyncio.sleep(pause)
            self.credit.renew(self.epochs)
            now = time.monotonic()
            due = [one for one in self._running.values() if now >= one.renew_at]
            for start in range(0, len(due), SETTLED_AT_ONCE):
                await asyncio.gather(*(self._renew(one) for one in due[start : start + SETTLED_AT_ONCE]))

    async def drain(self, seconds: float) -> bool:
        """Wait until the server has every settlement, for at most so long; whether it has."""
        try:
            async with asyncio.timeout(seconds):
                while self._due or self._sending.locked():
                    if not await self._settle_some():
                        await asyncio.sleep(PAUSE_SECONDS)
        except TimeoutError:
            return False
        return True

    async def settle_all(self) -> None:
        """Tell the server now what has ended until now; raises StoreUnreachableError."""
        for _ in range(1 + len(self._due) // SETTLED_AT_ONCE):
            if not await self._settle_some():
                raise StoreUnreachableError("ends of requests cannot be told")

    async def _settle_some(self) -> bool:
        """Tell some; who leaves meanwhile takes nobody's end along."""
        telling = asyncio.create_task(self._tell_some())
        self._telling.add(telling)
        telling.add_done_callback(self._telling.discard)
        return await asyncio.shield(telling)

    async def _tell_some(self) -> bool:
        async with self._sending:  # so that who finds nothing due knows that all is told
            some = [self._due.popleft() for _ in range(min(SETTLED_AT_ONCE, len(self._due)))]
            try:
                if some:
                    await self.server.settle(some)
            except StoreUnreachableError:
                self.fail()
                # Those that held nothing cannot be told apart when they come twice: what they took stays taken.
                self._due.extendleft(reversed([one for one in some if one.id]))
                return False
        return True

    async def _renew(self, holding: "SharedHolding") -> None:
        holding.renew_at = time.monotonic() + self.hold_seconds / RENEWALS
        organization = holding.rows.organization
        for _ in range(EPOCHS):
            epoch = self.epochs[organization]
            try:
                await self.server.renew(holding.so_far(epoch), self.hold_seconds)
            except EpochChangedError as changed:
                self.epochs[organization] = changed.epoch
            except StoreUnreachableError:
                self.fail()
                return
            else:
                holding.epoch = epoch
                return


class SharedCounts:
    """The counts of all that applies to one key and model."""

    __slots__ = ("_budgets", "_holds", "_limits", "_rows", "_store")

    def __init__(self, store: SharedStore, rows: Rows, limits: int, budgets: Sequence[BudgetRule]) -> None:
        """`limits` of the rows are limits, the others these budgets."""
        self._store = store
        self._rows = rows
        self._limits = limits
        self._budgets = [store.credit.of(rows.organization, rule) for rule in budgets]
        self._holds = any(row.type != RATE for row in rows.rows)

    def take(self, amounts: Amounts, _now: float) -> Answer | Coroutine[Any, Any, Answer]:
        """All or nothing; at once where there is nothing to ask, or nobody."""
        if not self._rows.rows:
            return SharedHolding(self._store, self._rows, "", "", amounts, (), ())
        if self._store.lost:
            self._store.failures += 1  # nobody is asked, which is no answer either
            return StoreLost()
        return self._take(amounts)

    async def _take(self, amounts: Amounts) -> Answer:
        rows, asked, told = self._rows, 0, False
        while asked < ATTEMPTS + len(self._budgets):
            answered = [known.answered for known in self._budgets]
            telling = self._store.telling
            try:
                answer, holding = await self._ask(rows, amounts)
                if holding is not None:
                    return holding
                if answer.status == OVER:
                    if rows.rows[answer.place].type == RUNNING and telling and not told:
                        told = True  # once: requests end all the time
                        await self._store.settle_all()  # whose answer was complete had given its place back
                        continue
                    return OverLimit(answer.place, answer.levels[: self._limits])
                place = answer.place - self._limits
                if self._budgets[place].answered != answered[place]:
                    continue  # a refill came in meanwhile: what it brought was not looked at yet
                asked += 1
                denial = await self._refill(place, amounts, int(answer.levels[answer.place]))
            except StoreUnreachableError:
                self._store.fail()
                return StoreLost()
            except EpochChangedError as changed:
                self._store.epochs[rows.organization] = changed.epoch
                continue
            except LedgerUnreachableError:
                if not self._budgets[answer.place - self._limits].rule.allows_on_loss:
                    return LedgerSilent(answer.place - self._limits)
                rows = rows.in_debt(answer.place)
                continue
            if denial is not None:
                return denial
        return LedgerSilent(answer.place - self._limits)

    async def _ask(self, rows: Rows, amounts: Amounts) -> "tuple[TakeAnswer, SharedHolding | None]":
        """The server's answer, and what is held where it took everything."""
        store, organization = self._store, rows.organization
        reservation = store.name() if self._holds else ""
        for _ in range(EPOCHS):
            epoch = store.epochs.get(organization, "")
            try:
                answer = await store.server.take(rows, epoch, reservation, amounts, store.hold_seconds)
            except EpochChangedError as changed:
                store.epochs[organization] = changed.epoch
                continue
            except asyncio.CancelledError:
                # The caller has left; what the server may have taken meanwhile is given back.
                if reservation:
                    store.settle(Settlement(rows, epoch, reservation, amounts, NOTHING))
                raise
            if answer.status in (OVER, LACKING):
                return answer, None
            return answer, self._held(rows, epoch, reservation, amounts, answer)
        raise StoreUnreachableError("the server loses its memory again and again")

    def _held(self, rows: Rows, epoch: str, reservation: str, amounts: Amounts, answer: TakeAnswer) -> "SharedHolding":
        store = self._store
        units = rows.units(amounts)
        for known, free, bound in zip(self._budgets, answer.levels[self._limits :], units[self._limits :], strict=True):
            if bound:
                known.spent = True
                if free - bound < known.low:
                    store.credit.refill_in_advance(known, epoch)
        levels = [level + taken for level, taken in zip(answer.levels[: self._limits], units, strict=False)]
        holding = SharedHolding(store, rows, epoch, reservation, amounts, levels, answer.shadowed)
        if reservation:
            store.hold(holding)
        return holding

    async def _refill(self, place: int, amounts: Amounts, free: int) -> "OverBudget | StoreForgot | None":
        """None where the ledger gave an answer worth another try; so much was free in the store."""
        store, known = self._store, self._budgets[place]
        if known.closed_until > store.clock():
            return StoreForgot(place, known.closed_until)
        if store.credit.exhausted(known):
            if not known.lock.locked():
                free = max(0, free)
                held = min(known.held, max(0, known.rule.budget.amount_pico - free))  # some may have ended since
                return OverBudget(place, known.period_end, free, held)
            async with known.lock:  # what the ledger gave with that answer is on its way into the store
                return None
        need = amounts[known.rule.kind]
        await store.settle_all()  # what has ended here is told before the ledger says what it has charged
        await store.credit.refill_for(known, need, store.epochs[self._rows.organization])
        return None


class SharedHolding:
    """A `Holding`, renewed by the store until it is settled."""

    __slots__ = ("_store", "_taken", "_watched", "epoch", "id", "levels", "renew_at", "rows", "shadowed")

    def __init__(
        self,
        store: SharedStore,
        rows: Rows,
        epoch: str,
        reservation: str,
        taken: Amounts,
        levels: Sequence[float],
        shadowed: tuple[int, ...],
    ) -> None:
        self._store = store
        self._taken = taken
        self._watched: Callable[[], Amounts] | None = None
        self.rows = rows
        self.epoch = epoch
        self.id = reservation
        self.levels = levels
        self.shadowed = shadowed
        self.renew_at = time.monotonic() + store.hold_seconds / RENEWALS

    @property
    def holder(self) -> str:
        """Whose leases its cost comes out of."""
        return self._store.credit.holder(self.epoch) if any(row.type == BUDGET for row in self.rows.rows) else ""

    def watch(self, so_far: Callable[[], Amounts]) -> None:
        """Where to read what was used until now."""
        self._watched = so_far

    def so_far(self, epoch: str) -> Settlement:
        """What was used until now."""
        used = NOTHING if self._watched is None else self._watched()
        return Settlement(self.rows, epoch, self.id, self._taken, used)

    def settle(self, taken: Amounts, used: Amounts, seconds: float = 0.0) -> None:
        """Give back what was not used; nothing to say where all of it was."""
        if self.id or self.rows.units(used) != self.rows.units(taken):
            self._store.settle(Settlement(self.rows, self.epoch, self.id, taken, used, seconds))
