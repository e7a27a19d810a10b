"""SQL of webhooks and their deliveries."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, delete, func
from sqlalchemy.orm import aliased
from sqlmodel import col, or_, select
from sqlmodel.ext.asyncio.session import AsyncSession
from sqlmodel.sql.expression import SelectOfScalar

from mizzen_controlplane.webhooks.models import Delivery, Webhook
from mizzen_controlplane.webhooks.schemas import DeliveryState

PAGE_FIELDS = {
    "id": col(Webhook.id),
    "name": col(Webhook.name),
    "created_at": col(Webhook.created_at),
    "url": col(Webhook.url),
}
DELIVERY_FIELDS = {
    "id": col(Delivery.id),
    "event_id": col(Delivery.event_id),
    "event_type": col(Delivery.event_type),
    "subject": col(Delivery.subject),
    "state": col(Delivery.state),
    "created_at": col(Delivery.created_at),
}


def webhooks_of(project_id: str) -> SelectOfScalar[Webhook]:
    """All of a project, or of the organization for the empty id; for a page."""
    return select(Webhook).where(Webhook.project_id == project_id)


def deliveries_of(webhook_id: str) -> SelectOfScalar[Delivery]:
    """All of a webhook, for a page."""
    return select(Delivery).where(Delivery.webhook_id == webhook_id)


async def find_webhook(
    session: AsyncSession, project_id: str, id_or_name: str, *, lock: bool = False
) -> Webhook | None:
    """One by id or name."""
    statement = webhooks_of(project_id).where(or_(Webhook.id == id_or_name, Webhook.name == id_or_name))
    return (await session.exec(statement.with_for_update() if lock else statement)).one_or_none()


async def count_webhooks(session: AsyncSession, project_id: str) -> int:
    """How many a project has."""
    statement = select(func.count()).select_from(Webhook).where(Webhook.project_id == project_id)
    return (await session.exec(statement)).one()


async def listeners(session: AsyncSession, project_id: str) -> Sequence[Webhook]:
    """Enabled ones that hear what happens in a project: its own and the organization's."""
    statement = select(Webhook).where(col(Webhook.project_id).in_({project_id, ""}), col(Webhook.enabled))
    return (await session.exec(statement.order_by(col(Webhook.id)))).all()


async def find_delivery(
    session: AsyncSession, webhook_id: str, delivery_id: str, *, lock: bool = False
) -> Delivery | None:
    """One of a webhook."""
    statement = deliveries_of(webhook_id).where(Delivery.id == delivery_id)
    return (await session.exec(statement.with_for_update() if lock else statement)).one_or_none()


def _due(now: datetime) -> list[ColumnElement[bool]]:
    """What may be taken. One webhook is sent one thing at a time, so that a slow one keeps no others waiting."""
    other = aliased(Delivery)
    busy = (
        select(other.id)
        .where(other.webhook_id == Delivery.webhook_id, other.state == DeliveryState.PENDING)
        .where(col(other.held_until) >= now)
        .exists()
    )
    enabled = select(Webhook.id).where(Webhook.id == Delivery.webhook_id, col(Webhook.enabled)).exists()
    return [col(Delivery.state) == DeliveryState.PENDING, col(Delivery.not_before) <= now, ~busy, enabled]


async def any_due(session: AsyncSession, now: datetime) -> bool:
    """Whether there is something to take."""
    return (await session.exec(select(Delivery.id).where(*_due(now)).limit(1))).first() is not None


async def take_due(session: AsyncSession, now: datetime) -> Delivery | None:
    """The one that is due the longest, its row locked; one that another replica takes just now is passed over."""
    statement = select(Delivery).where(*_due(now)).order_by(col(Delivery.not_before), col(Delivery.id))
    return (await session.exec(statement.limit(1).with_for_update(skip_locked=True))).first()


async def held_by(session: AsyncSession, delivery_id: str, holder: str) -> Delivery | None:
    """The delivery, its row locked, while `holder` sends it."""
    statement = select(Delivery).where(Delivery.id == delivery_id, Delivery.holder == holder)
    return (await session.exec(statement.with_for_update())).one_or_none()


async def drop_ended(session: AsyncSession, before: datetime) -> None:
    """Forget deliveries that ended before."""
    await session.exec(delete(Delivery).where(col(Delivery.ended_at) < before))
