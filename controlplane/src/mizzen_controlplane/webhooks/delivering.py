"""How does what is queued get delivered? At least once: taken under a lease, sent, tried again later, or given up.

Who dies while sending leaves a lease that runs out, and somebody sends it again. What a sender whose lease ran out
would write is refused.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import structlog
from prometheus_client import REGISTRY, Counter
from sqlalchemy.exc import SQLAlchemyError

from mizzen_controlplane.egress.start import egress_open
from mizzen_controlplane.kit.background import in_background
from mizzen_controlplane.kit.clock import utc_now
from mizzen_controlplane.kit.database import Database, reading, unit_of_work
from mizzen_controlplane.kit.ids import new_id
from mizzen_controlplane.kit.plane import Plane
from mizzen_controlplane.webhooks import repository
from mizzen_controlplane.webhooks.announcing import TOPIC
from mizzen_controlplane.webhooks.models import Delivery, Webhook
from mizzen_controlplane.webhooks.schemas import DeliveryState
from mizzen_controlplane.webhooks.sending import Answer, Sender

SIDE_BY_SIDE: Final = 8
"""Deliveries that one replica sends at once, each to another webhook."""
EACH: Final = 2.0
"""Seconds between two looks for work, where no signal comes first."""
HOLD: Final = timedelta(seconds=60)
"""Longer than any attempt takes (`sending.PATIENCE`)."""
MOST_ATTEMPTS: Final = 12
"""Over about a day and a half."""
FIRST_WAIT: Final = timedelta(seconds=10)
LONGEST_WAIT: Final = timedelta(hours=8)
KEPT: Final = timedelta(days=30)
"""So long a delivery that has ended is listed."""
TIDIED: Final = timedelta(hours=1)
DELIVERIES = Counter(
    "mizzen_controlplane_webhook_attempts", "Attempts to deliver an event.", ["outcome"], registry=REGISTRY
)
log = structlog.get_logger(__name__)
Send = Callable[[Plane, Webhook, Delivery], Awaitable[Answer]]


@dataclass(frozen=True, slots=True)
class Taken:
    """A delivery that this process sends now."""

    delivery: Delivery
    webhook: Webhook
    holder: str


@asynccontextmanager
async def webhooks_served(plane: Plane) -> AsyncIterator[None]:
    """The background that delivers while the control plane runs."""
    async with (
        egress_open(plane.settings) as proxy,
        Sender(proxy) as sender,
        in_background(_deliver_for_ever(plane, sender.send), "webhooks"),
    ):
        yield


def wait_after(attempts: int, chance: float) -> timedelta:
    """Until the next attempt: three times as long each time, half of it by chance (0 to 1), so that a receiver that
    comes back is not met by all at once."""
    whole: timedelta = min(FIRST_WAIT * 3 ** min(attempts - 1, 12), LONGEST_WAIT)
    return whole * (0.5 + chance / 2)


async def take(database: Database, holder: str, now: datetime) -> Taken | None:
    """What is due the longest; `holder` sends it from now on."""
    async with reading(database) as session:
        if not await repository.any_due(session, now):
            return None  # no writing transaction for a look
    async with unit_of_work(database) as session:
        row = await repository.take_due(session, now)
        if row is None:
            return None
        row.holder, row.held_until = holder, now + HOLD
        row.attempts += 1
        return Taken(row, await session.get_one(Webhook, row.webhook_id), holder)


async def settle(database: Database, taken: Taken, answer: Answer, now: datetime) -> None:
    """Write what became of an attempt; nothing where somebody else has taken it since."""
    async with unit_of_work(database) as session:
        row = await repository.held_by(session, taken.delivery.id, taken.holder)
        if row is None:
            log.warning("an attempt ended after its lease", delivery=taken.delivery.id)
            return
        row.holder, row.held_until = "", None
        row.last_status, row.last_error = answer.status, answer.error[:1024]
        if not answer.error:
            row.state, row.ended_at = DeliveryState.DELIVERED, now
        elif answer.final or row.attempts >= MOST_ATTEMPTS:
            row.state, row.ended_at = DeliveryState.DEAD, now
        else:
            row.not_before = now + wait_after(row.attempts, random.random())  # noqa: S311 - spreads load, no secret
        outcome = {DeliveryState.PENDING: "again"}.get(DeliveryState(row.state), row.state.lower())
        session.info.setdefault("topics", set()).add(TOPIC)  # the webhook's next one may go
    DELIVERIES.labels(outcome).inc()
    log.info("webhook", delivery=row.id, webhook=row.webhook_id, outcome=outcome, status=answer.status)


async def _deliver_for_ever(plane: Plane, send: Send) -> None:
    places = asyncio.Semaphore(SIDE_BY_SIDE)
    async with asyncio.TaskGroup() as group:
        group.create_task(_tidy(plane))
        with plane.database.signals.listening(TOPIC) as woken:
            while True:
                await places.acquire()
                woken.clear()
                taken = await _taken(plane)
                if taken is not None:
                    group.create_task(_send(plane, send, taken, places))
                    continue
                places.release()
                with suppress(TimeoutError):
                    async with asyncio.timeout(EACH):
                        await woken.wait()


async def _taken(plane: Plane) -> Taken | None:
    try:
        return await take(plane.database, new_id("wrk"), utc_now())
    except (SQLAlchemyError, OSError) as error:
        log.warning("webhooks were not looked for", error=type(error).__name__)
        return None


async def _send(plane: Plane, send: Send, taken: Taken, places: asyncio.Semaphore) -> None:
    try:
        answer = await send(plane, taken.webhook, taken.delivery)
        await settle(plane.database, taken, answer, utc_now())
    except (SQLAlchemyError, OSError) as error:  # the lease runs out, and somebody sends it again
        log.warning("what became of a delivery was not written", error=type(error).__name__)
    except Exception:  # outermost guard: without it, no event would be delivered any more
        log.exception("a delivery failed", delivery=taken.delivery.id)
    finally:
        places.release()


async def _tidy(plane: Plane) -> None:
    while True:
        try:
            async with unit_of_work(plane.database) as session:
                await repository.drop_ended(session, utc_now() - KEPT)
        except (SQLAlchemyError, OSError) as error:
            log.warning("old deliveries were not removed", error=type(error).__name__)
        await asyncio.sleep(TIDIED.total_seconds())
