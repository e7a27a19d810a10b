"""How often may a password be tried? Less and less often, for an account, an address, and the pair of them.

A try counts before the password is looked at, so that many at once gain nothing, and a refused try counts nothing, so
that the wait ends whatever an attacker does. An address from which the account was entered before does not wait for
what others do to the account: nobody can lock its owner out from elsewhere.
"""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlmodel.ext.asyncio.session import AsyncSession

from mizzen_controlplane.kit.clock import utc_now
from mizzen_controlplane.kit.database import Database, unit_of_work
from mizzen_controlplane.kit.problem import TooManyRequests
from mizzen_controlplane.kit.upsert import insert_into
from mizzen_controlplane.sign_in.models import SignInAttempts
from mizzen_controlplane.sign_in.repository import attempts_in, forget_attempts

FORGOTTEN_AFTER: Final = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Allowance:
    """How many failures are free, and how long the wait grows after them."""

    free: int
    longest_seconds: int


PAIR: Final = Allowance(5, 300)
ADDRESS: Final = Allowance(30, 300)
ACCOUNT: Final = Allowance(50, 30)


def wait_after(failures: int, allowance: Allowance) -> timedelta:
    """How long after the last of so many failures the next try is: 10, 20, 40 ... seconds."""
    beyond = failures - allowance.free
    if beyond < 0:
        return timedelta()
    return timedelta(seconds=min(10 * 2 ** min(beyond, 20), allowance.longest_seconds))


@dataclass(frozen=True, slots=True)
class Tries:
    """Tries of one account from one address."""

    key: bytes
    """So that the table tells neither names nor addresses."""
    username: str
    address: str

    def _bucket(self, *what: str) -> str:
        return hmac.digest(self.key, "\0".join(("attempts", *what)).encode(), "sha256").hex()

    @property
    def pair(self) -> str:
        """Of both."""
        return self._bucket("pair", self.username, self.address)

    @property
    def entered(self) -> str:
        """Exists where the account was entered from the address."""
        return self._bucket("entered", self.username, self.address)

    def counted(self, known: Mapping[str, SignInAttempts]) -> dict[str, Allowance]:
        """What a try counts in."""
        buckets = {self.pair: PAIR, self._bucket("address", self.address): ADDRESS}
        if self.entered not in known:
            buckets[self._bucket("account", self.username)] = ACCOUNT
        return buckets

    @property
    def all(self) -> list[str]:
        """Everything that is looked at."""
        return [self.entered, *self.counted({})]


async def begin_try(database: Database, tries: Tries) -> None:
    """Count a try as failed until `succeeded` says otherwise; raises TooManyRequests, which counts nothing."""
    now = utc_now()
    async with unit_of_work(database) as session:
        await _make_rows(session, tries, now)
        known = await attempts_in(session, tries.all)
        wanted = tries.counted(known)
        until = max(known[bucket].refused_until for bucket in wanted)
        if until > now:
            raise _too_many(until - now)
        for bucket, allowance in wanted.items():
            row = known[bucket]
            row.failures += 1
            row.last_at = now
            row.refused_until = now + wait_after(row.failures, allowance)


async def succeeded(session: AsyncSession, tries: Tries) -> None:
    """The try was right: what the pair did before is forgotten, and the address is known from now on."""
    now = utc_now()
    await forget_attempts(session, [tries.pair], now - FORGOTTEN_AFTER)
    fresh = {"bucket": tries.entered, "failures": 0, "refused_until": now, "last_at": now}
    entered = insert_into(session, SignInAttempts).values(**fresh)
    await session.exec(entered.on_conflict_do_update(index_elements=["bucket"], set_={"last_at": now}))


async def _make_rows(session: AsyncSession, tries: Tries, now: datetime) -> None:
    # So that there is a row to lock, and two first tries at once are two.
    for bucket in sorted(tries.counted({})):
        fresh = {"bucket": bucket, "failures": 0, "refused_until": now, "last_at": now}
        await session.exec(insert_into(session, SignInAttempts).values(**fresh).on_conflict_do_nothing())


def _too_many(wait: timedelta) -> TooManyRequests:
    seconds = int(wait.total_seconds()) + 1
    return TooManyRequests(
        f"Too many failed attempts to sign in. Try again in {seconds} s; an administrator's token still works.",
        code="too_many_attempts",
        headers={"Retry-After": str(seconds)},
    )
