"""How does credit come from the ledger into a store that gateways share? In blocks, outside of the calls that decide.

The store is the holder of the lease, whichever gateway asks; a gateway holds nothing, so that the last credit is within
everybody's reach. What is wanted is never less than what the store has: an answer that is lost, late or overtaken by
another gateway's leaves the store with less than the ledger has set aside, never with more. Credit that nobody uses is
not renewed and expires.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import structlog
from mizzen_crds.access import LeaseGrant

from mizzen_gateway.limits.credit import terms_of
from mizzen_gateway.limits.leases import (
    BLOCK_REQUESTS,
    BLOCK_SHARE,
    EXHAUSTED_SECONDS,
    LOW_WATER,
    RENEW_BEFORE,
    LedgerUnreachableError,
)
from mizzen_gateway.limits.rules import BudgetRule
from mizzen_gateway.limits.shared_server import (
    Credit,
    CreditGrant,
    EpochChangedError,
    LimitServer,
    StoreUnreachableError,
    period_of,
)

ATTEMPTS = 4
"""How often an answer is put in, where other gateways put theirs in at the same time."""

log = structlog.get_logger(__name__)


class CreditSource(Protocol):
    """The ledger, as this file needs it."""

    async def lease_for(self, holder: str, budget_id: str, want_pico: int) -> LeaseGrant:
        """Ask to have that much set aside for the holder, counting what is; raises LedgerUnreachableError."""
        ...


@dataclass(slots=True)
class Refills:
    """What this gateway knows of one budget's credit in the store."""

    organization: str
    rule: BudgetRule
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    waiting: int = 0
    """Credit that waiting requests of this gateway need."""
    sent: int = 0
    """Refills sent so far; each has a number."""
    answered: int = 0
    """Number of the newest refill that was answered."""
    reachable: bool = True
    """The newest refill got an answer."""
    block: int = 0
    """Credit to have in hand."""
    low: int = 0
    """Where less is free than that, more is asked for in advance."""
    remaining: int | None = None
    """Left in the budget beyond all leases when the ledger last answered."""
    granted_at: float = 0.0
    """When it last answered, in seconds since the epoch."""
    usable_until: float = 0.0
    """End of what it granted."""
    held: int = 0
    """For requests under way at all gateways when the ledger was last asked."""
    period_end: float = 0.0
    closed_until: float = 0.0
    """No credit before then: the store lost its memory."""
    spent: bool = False
    """Something was reserved since the last renewal."""


class SharedCredit:
    """All refills of this gateway."""

    def __init__(self, source: CreditSource, server: LimitServer, store: str, clock: Callable[[], float]) -> None:
        """`store` names the store, whatever its memory; `clock` gives seconds since the epoch."""
        self._source = source
        self._server = server
        self._store = store
        self._clock = clock
        self._budgets: dict[str, Refills] = {}
        self._changed: dict[str, Refills] = {}
        """Those whose credit in the store may have been lent on other terms, a larger amount say: the ledger was not
        asked since this gateway knows of these."""
        self._background: set[asyncio.Task[None]] = set()

    def holder(self, epoch: str) -> str:
        """Who holds the leases of that memory."""
        return f"{self._store}@{epoch}"

    def of(self, organization: str, rule: BudgetRule) -> Refills:
        """What is known of a budget."""
        known = self._budgets.get(rule.budget.id)
        new = known is None
        if known is None:
            known = self._budgets[rule.budget.id] = Refills(organization, rule)
        if new or terms_of(known.rule.budget) != terms_of(rule.budget):
            self._changed[rule.budget.id] = known
        known.rule = rule
        return known

    def exhausted(self, known: Refills) -> bool:
        """The ledger said just now that nothing is left."""
        now = self._clock()
        return known.remaining == 0 and now < min(known.usable_until, known.granted_at + EXHAUSTED_SECONDS)

    def forget_exhaustion(self) -> None:
        """Amounts may have changed: ask again."""
        for known in self._budgets.values():
            known.remaining = None

    async def refill_for(self, known: Refills, need: int, epoch: str) -> None:
        """Wait until a refill that counted `need` was answered.

        Raises LedgerUnreachableError, StoreUnreachableError or EpochChangedError. Whether it was enough is for the
        caller to see.
        """
        mine = known.sent + 1
        known.waiting += need
        try:
            async with known.lock:
                if known.answered < mine:
                    amount = known.rule.budget.amount_pico
                    await self._refill(known, max(amount // BLOCK_SHARE, BLOCK_REQUESTS * need), epoch)
                elif not known.reachable:
                    raise LedgerUnreachableError(known.rule.budget.id)
        finally:
            known.waiting -= need

    def refill_in_advance(self, known: Refills, epoch: str) -> None:
        """Little is free: start a refill if the ledger may have more. Returns at once."""
        if known.remaining and known.reachable and not known.lock.locked():
            self._start(known, known.block, epoch)

    def take_up_changes(self, epochs: dict[str, str]) -> None:
        """Have the store hold no more than a changed budget still has. Returns at once."""
        for known in self._changed.values():
            epoch = epochs.get(known.organization)
            if epoch is not None and not known.lock.locked():
                self._start(known, max(known.block, 1), epoch)

    def renew(self, epochs: dict[str, str]) -> None:
        """Renew what nears its end, unless nobody used it. Called each second."""
        self.take_up_changes(epochs)
        now = self._clock()
        for known in self._budgets.values():
            life = known.usable_until - known.granted_at
            epoch = epochs.get(known.organization)
            if epoch is None or not life or now - known.granted_at < life / RENEW_BEFORE or known.lock.locked():
                continue
            self._start(known, known.block if known.spent else 0, epoch)
            known.spent = False

    async def close(self) -> None:
        """Wait for refills under way."""
        await asyncio.gather(*self._background, return_exceptions=True)

    def _start(self, known: Refills, block: int, epoch: str) -> None:
        task = asyncio.create_task(self._refill_quietly(known, block, epoch))
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def _refill_quietly(self, known: Refills, block: int, epoch: str) -> None:
        async with known.lock:
            try:
                await self._refill(known, block, epoch)
            except (LedgerUnreachableError, StoreUnreachableError, EpochChangedError) as error:
                log.warning("budget credit not refilled", budget=known.rule.budget.id, error=type(error).__name__)

    async def _refill(self, known: Refills, block: int, epoch: str) -> None:
        """Ask once. The lock is held."""
        known.sent += 1
        number = known.sent
        budget_id = known.rule.budget.id
        terms = terms_of(known.rule.budget)
        seen = await self._server.look(known.organization, budget_id, epoch)
        if not block and not seen.in_use:
            known.usable_until = known.granted_at = 0.0  # nobody uses it: let it expire
            return
        known.block = block or known.block
        known.low = known.block // LOW_WATER
        # A store without credit has not one unit less than it wants to keep.
        kept = seen.credit if seen.usable_seconds > 0 else 0
        want = max(kept, seen.in_use + known.waiting + block)
        try:
            grant = await self._lease(epoch, budget_id, want)
        except LedgerUnreachableError:
            known.reachable = False
            known.answered = number
            raise
        await self._put_in(known, seen, grant, epoch)
        known.reachable = True
        known.answered = number
        if terms_of(known.rule.budget) == terms:
            self._changed.pop(budget_id, None)

    async def _lease(self, epoch: str, budget_id: str, want: int) -> LeaseGrant:
        grant = await self._source.lease_for(self.holder(epoch), budget_id, want)
        if not grant.sequence:
            log.warning("the control plane is too old for budgets in a shared store", budget=budget_id)
            raise LedgerUnreachableError(budget_id)
        return grant

    async def _put_in(self, known: Refills, seen: Credit, grant: LeaseGrant, epoch: str) -> None:
        budget = known.rule.budget
        now = self._clock()
        known.remaining = grant.remaining_pico
        known.period_end = grant.period_end.timestamp()
        known.usable_until = min(grant.expires_at.timestamp(), known.period_end)
        known.granted_at = now
        known.closed_until = 0.0 if grant.closed_until is None else grant.closed_until.timestamp()
        period = period_of(budget, grant.period_start.isoformat())
        for _ in range(ATTEMPTS):
            known.held = seen.reserved if seen.period in ("", period) else 0
            if seen.sequence >= grant.sequence:
                return  # another gateway put in a newer answer
            granted = CreditGrant(
                seen=seen,
                credit=grant.credit_pico,
                charged=grant.charged_pico,
                sequence=grant.sequence,
                period=period,
                usable_seconds=known.usable_until - now,
            )
            if await self._server.grant(known.organization, budget.id, epoch, granted):
                return
            seen = await self._server.look(known.organization, budget.id, epoch)
