"""How a batch comes from one status to the next, and why it ends before all of its lines were sent."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from sqlmodel.ext.asyncio.session import AsyncSession

from mizzen_controlplane.batches.callers import opens
from mizzen_controlplane.batches.models import Batch
from mizzen_controlplane.identity.models import ApiKey
from mizzen_controlplane.kit.clock import utc_now

TOPIC: Final = "batches"
"""Wakes those who look after batches."""
CANCELLED, EXPIRED, KEY_REVOKED = "cancelled", "expired", "key_revoked"
ENDS: Final[Mapping[str, str]] = {"": "completed", CANCELLED: "cancelled", EXPIRED: "expired", KEY_REVOKED: "failed"}
"""Why it was stopped -> status that it ends with."""
TOLD: Final[Mapping[str, tuple[str, str]]] = {
    CANCELLED: ("batch_cancelled", "This request was not sent: the batch was cancelled before."),
    EXPIRED: ("batch_expired", "This request could not be sent before the completion window ended."),
    KEY_REVOKED: ("key_revoked", "This request was not sent: the batch's API key was revoked, or has expired, before."),
}
"""Code and message, for each line that was not sent."""


def reach(session: AsyncSession, batch: Batch, status: str) -> None:
    """Come to a status, and have it looked after."""
    batch.status = status
    batch.moments = {**batch.moments, status: int(utc_now().timestamp())}
    session.add(batch)
    have_looked_after(session)


def have_looked_after(session: AsyncSession) -> None:
    """Wake those who look after batches once this transaction is committed."""
    session.info.setdefault("topics", set()).add(TOPIC)


def stop(session: AsyncSession, batch: Batch, why: str) -> None:
    """Send nothing more of it."""
    batch.stopped_by = why
    reach(session, batch, "cancelling" if why == CANCELLED else "finalizing")


def why_stopped(batch: Batch, key: ApiKey | None, now: datetime) -> str:
    """Why nothing more of a batch may be sent now; empty where it may."""
    if key is None or not opens(key):
        return KEY_REVOKED
    return EXPIRED if now >= batch.expires_at else ""
