"""Rules of webhooks: each write is one transaction with its audit event; secrets are shown once."""

import re
import secrets
from datetime import timedelta
from typing import Any, Final
from urllib.parse import urlsplit

from sqlmodel.ext.asyncio.session import AsyncSession

from mizzen_controlplane.access.counted_over import Parent, parent_of
from mizzen_controlplane.audit.record import record
from mizzen_controlplane.egress.policy import RefusedError
from mizzen_controlplane.egress.start import policy_in
from mizzen_controlplane.kit.auth import Subject
from mizzen_controlplane.kit.clock import utc_now
from mizzen_controlplane.kit.database import flush_or, reading, unit_of_work
from mizzen_controlplane.kit.etag import require_match
from mizzen_controlplane.kit.ids import new_id
from mizzen_controlplane.kit.pages import PageQuery, page_of
from mizzen_controlplane.kit.plane import Plane
from mizzen_controlplane.kit.problem import Conflict, Invalid, NotFound, invalid_field
from mizzen_controlplane.webhooks import repository
from mizzen_controlplane.webhooks.announcing import TOPIC, event_text, queue
from mizzen_controlplane.webhooks.event_types import EVENT_TYPES, TEST, meaningless
from mizzen_controlplane.webhooks.models import Delivery, Webhook
from mizzen_controlplane.webhooks.schemas import DeliveryState, WebhookCreate, WebhookPatch
from mizzen_controlplane.webhooks.signing import secret_bytes, secret_text

MOST: Final = 50
"""Webhooks of one project, or of the organization."""
OVERLAP: Final = timedelta(hours=24)
"""So long the secret of before a rotation signs too."""
MAIL: Final = "mailto:"
_ADDRESS = re.compile(r"[^@\s,;:<>\"()\[\]\\?]{1,64}@[a-zA-Z0-9]([-.a-zA-Z0-9]{0,251}[a-zA-Z0-9])?")


async def list_webhooks(plane: Plane, project: str | None, page: PageQuery) -> tuple[list[Webhook], str]:
    """One page of a project's, or of the organization's for None."""
    async with reading(plane.database) as session:
        parent = await parent_of(session, plane, project)
        return await page_of(
            session, repository.webhooks_of(parent.project_id), page, repository.PAGE_FIELDS, plane.secrets.page_key,
            scope=f"webhooks {parent.id}",
        )  # fmt: skip


async def get_webhook(plane: Plane, project: str | None, webhook: str) -> Webhook:
    """One; raises NotFound."""
    async with reading(plane.database) as session:
        return (await _one(session, plane, project, webhook))[1]


async def create_webhook(
    plane: Plane, subject: Subject, project: str | None, body: WebhookCreate
) -> tuple[Webhook, str]:
    """Make one; returns it with its secret. Raises Invalid for a URL or an event type that could never be reached."""
    _check_url(plane, body.url)
    _check_types(body.event_types)
    async with unit_of_work(plane.database) as session:
        parent = await parent_of(session, plane, project)
        if await repository.count_webhooks(session, parent.project_id) >= MOST:
            raise Conflict(f"There are {MOST} webhooks here, which is the most: delete one.", code="too_many_webhooks")
        row = Webhook(
            id=new_id("whk"), project_id=parent.project_id, secret_salt=secrets.token_hex(32), **body.model_dump()
        )
        session.add(row)
        taken = f"There is a webhook {body.name!r} here already: choose another name, or change that one."
        await flush_or(session, Conflict(taken, code="name_taken"))
        _record(session, subject, "webhooks.create", row, after=_audited(row))
        return row, _secret(plane, row)


async def patch_webhook(
    plane: Plane, subject: Subject, project: str | None, webhook: str, body: WebhookPatch, if_match: str | None
) -> Webhook:
    """Change one; raises Invalid as `create_webhook` does."""
    changes = body.model_dump(exclude_unset=True)
    if "event_types" in changes:
        _check_types(body.event_types)
    if "url" in changes:
        _check_url(plane, body.url)
    async with unit_of_work(plane.database) as session:
        _, row = await _one(session, plane, project, webhook, lock=True)
        require_match(if_match, row)
        before = _audited(row)
        for name, value in changes.items():
            setattr(row, name, value)
        row.touch()
        session.info.setdefault("topics", set()).add(TOPIC)  # what waits for it may go at once
        _record(session, subject, "webhooks.update", row, before=before, after=_audited(row))
        return row


async def rotate_secret(
    plane: Plane, subject: Subject, project: str | None, webhook: str, if_match: str | None
) -> tuple[Webhook, str]:
    """Make a new secret; for `OVERLAP` deliveries are signed with the old one too."""
    async with unit_of_work(plane.database) as session:
        _, row = await _one(session, plane, project, webhook, lock=True)
        require_match(if_match, row)
        if row.url.startswith(MAIL):
            raise Invalid("E-mail is not signed, so there is no secret to rotate.", code="not_signed")
        row.previous_salt, row.secret_salt = row.secret_salt, secrets.token_hex(32)
        row.previous_until = utc_now() + OVERLAP
        row.touch()
        _record(session, subject, "webhooks.rotate_secret", row, after={"previous_until": row.previous_until})
        return row, _secret(plane, row)


async def delete_webhook(
    plane: Plane, subject: Subject, project: str | None, webhook: str, if_match: str | None
) -> None:
    """Remove one with all its deliveries."""
    async with unit_of_work(plane.database) as session:
        _, row = await _one(session, plane, project, webhook, lock=True)
        require_match(if_match, row)
        await session.delete(row)
        _record(session, subject, "webhooks.delete", row, before=_audited(row))


async def send_test(plane: Plane, subject: Subject, project: str | None, webhook: str) -> Delivery:
    """Queue a test event for it alone; raises Conflict where it is switched off."""
    async with unit_of_work(plane.database) as session:
        parent, row = await _one(session, plane, project, webhook)
        if not row.enabled:
            raise Conflict("The webhook is switched off: set enabled to true first.", code="webhook_disabled")
        event_id = new_id("evt")
        text = event_text(event_id, parent.project, TEST, row.id, {"webhook": row.name, "asked_by": subject.name})
        _record(session, subject, "webhooks.test", row, after={"event_id": event_id})
        return queue(session, row, event_id, TEST, row.id, text)


async def list_deliveries(
    plane: Plane, project: str | None, webhook: str, page: PageQuery
) -> tuple[list[Delivery], str]:
    """One page of what was sent, or will be, newest first; the dead letters by `filter=state=DEAD`."""
    async with reading(plane.database) as session:
        _, row = await _one(session, plane, project, webhook)
        return await page_of(
            session, repository.deliveries_of(row.id), page, repository.DELIVERY_FIELDS, plane.secrets.page_key,
            default_order="id desc", scope=f"deliveries {row.id}",
        )  # fmt: skip


async def redeliver(plane: Plane, subject: Subject, project: str | None, webhook: str, delivery: str) -> Delivery:
    """Send it again now, with as many attempts as the first time; raises NotFound."""
    async with unit_of_work(plane.database) as session:
        _, row = await _one(session, plane, project, webhook)
        found = await repository.find_delivery(session, row.id, delivery, lock=True)
        if found is None:
            raise NotFound(f"There is no delivery {delivery[:64]!r} of this webhook.", code="delivery_not_found")
        again = found
        if found.state == DeliveryState.DELIVERED:
            again = queue(session, row, found.event_id, found.event_type, found.subject, found.body)
        else:
            again.state, again.attempts, again.not_before, again.ended_at = DeliveryState.PENDING, 0, utc_now(), None
            session.info.setdefault("topics", set()).add(TOPIC)
        _record(session, subject, "webhooks.redeliver", row, after={"event_id": found.event_id})
        return again


async def _one(
    session: AsyncSession, plane: Plane, project: str | None, webhook: str, *, lock: bool = False
) -> tuple[Parent, Webhook]:
    parent = await parent_of(session, plane, project)
    row = await repository.find_webhook(session, parent.project_id, webhook, lock=lock)
    if row is None:
        raise NotFound(f"There is no webhook {webhook[:64]!r} here.", code="webhook_not_found")
    return parent, row


def _secret(plane: Plane, row: Webhook) -> str:
    if row.url.startswith(MAIL):
        return ""
    return secret_text(secret_bytes(plane.secrets.pepper, row.id, row.secret_salt))


def _check_types(patterns: list[str]) -> None:
    if lost := meaningless(patterns):
        raise invalid_field(
            "/event_types",
            f"event_types: {lost!r} is no event that is ever announced; known are {', '.join(EVENT_TYPES)}, and "
            "patterns such as budget.* or *",
        )


def _check_url(plane: Plane, url: str) -> None:
    if url.startswith(MAIL):
        return _check_address(plane, url.removeprefix(MAIL))
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise invalid_field("/url", f"url: {error}; write https://host/path") from error
    if parts.scheme not in ("https", "http") or not host or "@" in parts.netloc or parts.fragment:
        raise invalid_field(
            "/url", "url must be https://host/path without user, password and fragment, or mailto:somebody@example.com"
        )
    tls = parts.scheme == "https"
    policy = policy_in(plane.settings)
    try:
        policy.check_target(policy.host(host), port or (443 if tls else 80), tls=tls)
    except RefusedError as refused:
        raise invalid_field("/url", f"url: {refused.detail}", code=refused.code) from refused
    return None


def _check_address(plane: Plane, address: str) -> None:
    if plane.settings.smtp is None:
        raise invalid_field(
            "/url", "url: e-mail is not set up here; an administrator sets MIZZEN_SMTP_HOST and MIZZEN_SMTP_FROM"
        )
    if not _ADDRESS.fullmatch(address):
        raise invalid_field("/url", "url: after mailto: goes one address such as somebody@example.com and nothing else")


def _record(session: AsyncSession, subject: Subject, action: str, row: Webhook, **told: Any) -> None:
    record(session, subject, action, row.id, name=row.name, project_id=row.project_id, **told)


def _audited(row: Webhook) -> dict[str, object]:
    return row.model_dump(include={"event_types", "enabled", "labels"}) | {"url": _without_query(row.url)}


def _without_query(url: str) -> str:
    """A query of an endpoint is often a password."""
    return url.partition("?")[0]
