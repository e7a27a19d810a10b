"""How does a domain tell the world of a fact? `announce`, in the transaction that makes the fact."""

from collections.abc import Mapping
from typing import Any, Final

import orjson
from sqlmodel.ext.asyncio.session import AsyncSession

from mizzen_controlplane.identity.models import Project
from mizzen_controlplane.kit.clock import utc_now
from mizzen_controlplane.kit.ids import new_id
from mizzen_controlplane.webhooks.event_types import EVENT_TYPES, PREFIX, asks_for
from mizzen_controlplane.webhooks.models import Delivery, Webhook
from mizzen_controlplane.webhooks.repository import listeners
from mizzen_controlplane.webhooks.schemas import DeliveryState

TOPIC: Final = "webhooks"
"""Woken where there is something to send."""


async def announce(
    session: AsyncSession, project: Project | None, event_type: str, subject: str, data: Mapping[str, Any]
) -> int:
    """Queue an event for each webhook of the project, or the organization, that asks for it; returns how many.

    `event_type` is one of `EVENT_TYPES`; `subject` is what it is about, such as an id; `data` is JSON and holds no
    secret. The event happens if and only if this transaction commits, and is then delivered at least once.
    """
    assert event_type in EVENT_TYPES, f"{event_type} is not listed in webhooks/event_types.py"
    chosen = [
        one for one in await listeners(session, project.id if project else "") if asks_for(one.event_types, event_type)
    ]
    if chosen:
        event_id = new_id("evt")
        body = event_text(event_id, project, event_type, subject, data)
        for webhook in chosen:
            queue(session, webhook, event_id, event_type, subject, body)
    return len(chosen)


def queue(session: AsyncSession, webhook: Webhook, event_id: str, event_type: str, subject: str, body: str) -> Delivery:
    """Have one webhook be sent one event, once this transaction is committed."""
    row = Delivery(
        id=new_id("dlv"), webhook_id=webhook.id, event_id=event_id, event_type=event_type, subject=subject[:253],
        body=body, state=DeliveryState.PENDING,
    )  # fmt: skip
    session.add(row)
    session.info.setdefault("topics", set()).add(TOPIC)
    return row


def event_text(event_id: str, project: Project | None, event_type: str, subject: str, data: Mapping[str, Any]) -> str:
    """A CloudEvent 1.0 in its structured JSON form."""
    event = {
        "specversion": "1.0",
        "id": event_id,
        "source": f"/projects/{project.name}" if project else "/organization",
        "type": PREFIX + event_type,
        "subject": subject,
        "time": utc_now().isoformat().replace("+00:00", "Z"),
        "datacontenttype": "application/json",
        "data": dict(data),
    }
    return orjson.dumps(event).decode()
