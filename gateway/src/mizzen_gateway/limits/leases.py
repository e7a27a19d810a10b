"""Where does credit come from? From the ledger, in blocks; a request waits only where there is too little.

A budget's refills happen one at a time. A request that waits for one is counted in what the refill asks for, and one
refill answers all who waited when it was sent.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import structlog
from mizzen_crds.access import LeaseGrant

from mizzen_gateway.limits.credit import CreditAccount

BLOCK_SHARE = 50
"""A block is this part of the budget's amount, and at least `BLOCK_REQUESTS` of the request at hand."""
BLOCK_REQUESTS = 8
LOW_WATER = 4
"""A refill in advance starts when less than this part of a block is free."""
RENEW_BEFORE = 2
"""A lease is renewed when this part of its life is over."""
EXHAUSTED_SECONDS = 0.5
"""For so long after the ledger said that nothing is left, it is not asked again by requests."""

log = structlog.get_logger(__name__)


class LedgerUnreachableError(Exception):
    """The ledger did not answer a lease request."""


class CreditSource(Protocol):
    """The ledger, as this file needs it."""

    async def lease(self, budget_id: str, want_pico: int) -> LeaseGrant:
        """Ask to have that much set aside, counting what is; raises LedgerUnreachableError."""
        ...


@dataclass(slots=True)
class Refills:
    """Refills of one budget."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    waiting: int = 0
    """Credit that waiting requests need, in pico."""
    sent: int = 0
    """Refills sent so far; each has a number."""
    answered: int = 0
    """Number of the newest refill that was answered."""
    reachable: bool = True
    """The newest refill got an answer."""
    block: int = 0
    """Credit to have in hand, in pico."""


class CreditLeases:
    """All credit of this gateway."""

    def __init__(self, source: CreditSource, clock: Callable[[], float]) -> None:
        """`clock` gives seconds since the epoch."""
        self._source = source
        self._clock = clock
        self._accounts: dict[str, CreditAccount] = {}
        self._refills: dict[str, Refills] = {}
        self._background: set[asyncio.Task[None]] = set()

    @property
    def accounts(self) -> dict[str, CreditAccount]:
        """Accounts by budget id, for metrics."""
        return self._accounts

    def account(self, budget_id: str) -> CreditAccount:
        """The account of a budget, in the smallest part of its unit; empty until the ledger is first asked."""
        account = self._accounts.get(budget_id)
        if account is None:
            account = self._accounts[budget_id] = CreditAccount(budget_id)
            self._refills[budget_id] = Refills()
        return account

    def acknowledge(self, costs: dict[str, int]) -> None:
        """The ledger has charged these amounts, by budget id, each in the budget's unit."""
        for budget_id, pico in costs.items():
            self.account(budget_id).acknowledge(pico)

    def exhausted(self, account: CreditAccount) -> bool:
        """The ledger said just now that nothing is left."""
        now = self._clock()
        return account.remaining == 0 and now < min(account.usable_until, account.granted_at + EXHAUSTED_SECONDS)

    def forget_exhaustion(self) -> None:
        """Amounts may have changed: ask again."""
        for account in self._accounts.values():
            account.remaining = None

    async def refill_for(self, account: CreditAccount, need: int, amount: int) -> None:
        """Wait until a refill that counted `need` was answered; LedgerUnreachableError where it got no answer.

        `amount` is the budget's, from which a block's size follows. Whether it was enough is for the caller to see.
        """
        refills = self._refills[account.budget_id]
        mine = refills.sent + 1
        refills.waiting += need
        try:
            async with refills.lock:
                if refills.answered < mine:
                    await self._refill(account, refills, max(amount // BLOCK_SHARE, BLOCK_REQUESTS * need))
                elif not refills.reachable:
                    raise LedgerUnreachableError(account.budget_id)
        finally:
            refills.waiting -= need

    def refill_in_advance(self, account: CreditAccount) -> None:
        """Little is free: start a refill if the ledger may have more. Returns at once."""
        refills = self._refills[account.budget_id]
        if account.remaining and refills.reachable and not refills.lock.locked():
            self._start(account, refills, refills.block)

    def renew(self) -> None:
        """Renew what nears its end; give back what nobody used since the last time. Called each second."""
        now = self._clock()
        for account in self._accounts.values():
            refills = self._refills[account.budget_id]
            life = account.usable_until - account.granted_at
            over = now - account.granted_at >= life / RENEW_BEFORE
            if refills.lock.locked() or not over or not (account.credit > 0 or account.in_use > 0):
                continue
            self._start(account, refills, refills.block if account.spent else 0)
            account.spent = False

    async def close(self) -> None:
        """Wait for refills under way."""
        await asyncio.gather(*self._background, return_exceptions=True)

    def _start(self, account: CreditAccount, refills: Refills, block: int) -> None:
        task = asyncio.create_task(self._refill_quietly(account, refills, block))
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def _refill_quietly(self, account: CreditAccount, refills: Refills, block: int) -> None:
        async with refills.lock:
            try:
                await self._refill(account, refills, block)
            except LedgerUnreachableError:
                log.warning("budget lease not refilled", budget=account.budget_id)

    async def _refill(self, account: CreditAccount, refills: Refills, block: int) -> None:
        """Ask once. The lock is held: answers cannot overtake each other."""
        refills.sent += 1
        number = refills.sent
        refills.block = block
        account.low = block // LOW_WATER
        want = account.in_use + refills.waiting + block
        # Before the ledger hears that less is wanted, less is used: its answer may be lost, its decision stands.
        account.credit = min(account.credit, want)
        terms = account.terms
        try:
            grant = await self._source.lease(account.budget_id, want)
        except LedgerUnreachableError:
            refills.reachable = False
            refills.answered = number
            raise
        refills.reachable = True
        refills.answered = number
        account.take_grant(grant, self._clock())
        if account.terms != terms:  # the ledger may have answered before it knew of the change
            account.forget_free()
