"""What tests of shared limits wait for, and look at."""

import asyncio
import secrets

from mizzen_crds.access import BudgetAccess
from mizzen_gateway.limits.shared_server import CreditGrant
from mizzen_gateway.limits.shared_store import SharedStore
from mizzen_gateway.stages import Estimate, Refusal, Usage
from support.limit_gateways import QuotaGateway
from support.shared_ledger import SharedLedger

ONE = Estimate(0, 0, 0)


def fresh(prefix: str = "lim") -> str:
    """An id of a test's own."""
    return f"{prefix}_{secrets.token_hex(6)}"


async def left(gateway: QuotaGateway) -> int:
    """Tokens that a limit has left."""
    reservation = await gateway.admitted(ONE)
    reservation.settle(Usage(billable=False))
    return int(dict(reservation.headers)["x-ratelimit-remaining-tokens"])


async def eventually(gateway: QuotaGateway, tokens: int, seconds: float = 10) -> None:
    """Until the limit has so many tokens left."""
    async with asyncio.timeout(seconds):
        while await left(gateway) != tokens:  # noqa: ASYNC110 - the store tells nobody
            await asyncio.sleep(0.05)


async def until_admitted(gateway: QuotaGateway, estimate: Estimate = ONE) -> None:
    """A request gets through, within ten seconds."""
    async with asyncio.timeout(10):
        while isinstance(answer := await gateway.reserve(estimate), Refusal):  # noqa: ASYNC110 - the store tells nobody
            await asyncio.sleep(0.05)
    if estimate is ONE:
        answer.settle(Usage(billable=False))
        await gateway.told()


async def refused(gateway: QuotaGateway, estimate: Estimate, but_for: str = "\0") -> Refusal:
    """The first refusal that does not say so; what is admitted before is given back."""
    async with asyncio.timeout(10):
        while True:
            answer = await gateway.reserve(estimate)
            if isinstance(answer, Refusal):
                if but_for not in answer.message:
                    return answer
            else:
                answer.settle(Usage(billable=False))
            await asyncio.sleep(0.02)


async def in_use(gateway: QuotaGateway, budget_id: str) -> int:
    """Of a budget's credit in the store."""
    assert isinstance(gateway.store, SharedStore)
    return (await gateway.store.server.look("org_a", budget_id, gateway.store.epochs["org_a"])).in_use


async def reserved(gateway: QuotaGateway, budget_id: str) -> int:
    """Of a budget, held back for requests under way."""
    if not isinstance(gateway.store, SharedStore):
        return gateway.leases.account(budget_id).reserved
    if "org_a" not in gateway.store.epochs:
        await gateway.reserve(ONE)
    return (await gateway.store.server.look("org_a", budget_id, gateway.store.epochs["org_a"])).reserved


async def credit_free(gateway: QuotaGateway, budget_id: str) -> int:
    """Of a budget's credit in the store."""
    assert isinstance(gateway.store, SharedStore)
    if "org_a" not in gateway.store.epochs:
        await gateway.reserve(ONE)
    credit = await gateway.store.server.look("org_a", budget_id, gateway.store.epochs["org_a"])
    return credit.credit - credit.in_use


def holder_of(gateway: QuotaGateway) -> str:
    """Who holds the leases of the store's memory."""
    assert isinstance(gateway.store, SharedStore)
    return gateway.store.credit.holder(gateway.store.epochs["org_a"])


async def put_in_credit(gateway: QuotaGateway, ledger: SharedLedger, budget: BudgetAccess) -> None:
    """Have the ledger answer once more, now, and the store take its answer."""
    assert isinstance(gateway.store, SharedStore)
    epoch, server = gateway.store.epochs["org_a"], gateway.store.server
    seen = await server.look("org_a", budget.id, epoch)
    grant = ledger.grant(holder_of(gateway), budget.id, seen.credit)
    assert await server.grant(
        "org_a",
        budget.id,
        epoch,
        CreditGrant(seen, grant.credit_pico, grant.charged_pico, grant.sequence, seen.period, ledger.lease_seconds),
    )
