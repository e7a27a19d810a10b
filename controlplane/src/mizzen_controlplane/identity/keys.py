"""The rules of API keys: the secret is shown once, a rotation may overlap, a revoked key never comes back."""

from datetime import datetime, timedelta

from mizzen_crds.access import Priority
from sqlmodel.ext.asyncio.session import AsyncSession

from mizzen_controlplane.audit.record import record
from mizzen_controlplane.identity.key_secret import digest_of, new_key_id, new_secret, whole_key
from mizzen_controlplane.identity.models import ApiKey, Project
from mizzen_controlplane.identity.repository import ChosenKeys, find_key, keys_of, keys_to_revoke, uses_of
from mizzen_controlplane.identity.schemas import (
    BulkRevoke,
    BulkRevoked,
    KeyCreate,
    KeyPatch,
    KeyRotate,
    KeyState,
    KeyView,
    KeyWithSecret,
)
from mizzen_controlplane.identity.scope import project_or_404
from mizzen_controlplane.kit.auth import Subject
from mizzen_controlplane.kit.changes import next_access_version
from mizzen_controlplane.kit.clock import utc_now
from mizzen_controlplane.kit.database import flush_or, reading, unit_of_work
from mizzen_controlplane.kit.etag import require_match
from mizzen_controlplane.kit.pages import PageQuery, page_of
from mizzen_controlplane.kit.plane import Plane
from mizzen_controlplane.kit.problem import Conflict, NotFound, invalid_field
from mizzen_controlplane.kit.wire import resource_fields

AT_ONCE = 500
"""Keys that one call revokes: gateways hear of them in one delta."""
FIELDS = {
    "id": ApiKey.id,
    "name": ApiKey.name,
    "created_at": ApiKey.created_at,
    "updated_at": ApiKey.updated_at,
    "created_by": ApiKey.created_by,
    "priority": ApiKey.priority,
}


def view(key: ApiKey, project: Project, used: datetime | None) -> KeyView:
    """On the wire, without the secret."""
    return KeyView.model_validate(_fields(key, project, used))


async def _seen(session: AsyncSession, key: ApiKey, project: Project) -> KeyView:
    return view(key, project, (await uses_of(session, [key.id])).get(key.id))


def _fields(key: ApiKey, project: Project, used: datetime | None) -> dict[str, object]:
    return {
        **resource_fields(key),
        "project": project.name,
        "state": state_of(key),
        "expires_at": key.expires_at,
        "revoked_at": key.revoked_at,
        "models": key.models,
        "routes": key.routes,
        "operations": key.operations,
        "ip_ranges": key.ip_ranges,
        "priority": key.priority,
        "previous_secret_expires_at": key.previous_expires_at,
        "created_by": key.created_by,
        "last_used_at": used,
    }


def state_of(key: ApiKey) -> KeyState:
    """Whether it opens anything now."""
    if key.revoked_at is not None:
        return KeyState.REVOKED
    expired = key.expires_at is not None and key.expires_at <= utc_now()
    return KeyState.EXPIRED if expired else KeyState.ACTIVE


async def create(plane: Plane, subject: Subject, project_ref: str, body: KeyCreate) -> tuple[ApiKey, KeyWithSecret]:
    """Make a key and its secret."""
    refuse_past(body.expires_at)
    secret = new_secret()
    async with unit_of_work(plane.database) as session:
        project = await project_or_404(session, plane, project_ref)
        key = ApiKey(
            id=new_key_id(),
            name=body.name,
            project_id=project.id,
            digest=digest_of(plane.secrets.pepper, secret),
            expires_at=body.expires_at,
            models=body.models,
            routes=body.routes,
            operations=None if body.operations is None else [one.value for one in body.operations],
            ip_ranges=body.ip_ranges,
            priority=body.priority.value,
            labels=body.labels,
            created_by=subject.name,
        )
        session.add(key)
        taken = f"The project has a key named {body.name!r} already, perhaps a revoked one. Choose another name."
        await flush_or(session, Conflict(taken, code="name_taken"))
        await _changed(session, subject, "keys.create", key, None)
    return key, _with_secret(key, project, secret)


async def rotate(
    plane: Plane, subject: Subject, project_ref: str, key_ref: str, body: KeyRotate, if_match: str | None
) -> tuple[ApiKey, KeyWithSecret]:
    """Give the key a new secret; the old one works for the overlap, and one before that no more."""
    secret = new_secret()
    async with unit_of_work(plane.database) as session:
        project = await project_or_404(session, plane, project_ref)
        key = await _live_key(session, project, key_ref, if_match)
        before = _audited(key)
        overlaps = body.overlap_seconds > 0
        key.previous_digest = key.digest if overlaps else None
        key.previous_expires_at = utc_now() + timedelta(seconds=body.overlap_seconds) if overlaps else None
        key.digest = digest_of(plane.secrets.pepper, secret)
        key.touch()
        await _changed(session, subject, "keys.rotate", key, before)
        used = (await uses_of(session, [key.id])).get(key.id)
    return key, _with_secret(key, project, secret, used)


async def revoke(
    plane: Plane, subject: Subject, project_ref: str, key_ref: str, if_match: str | None
) -> tuple[ApiKey, KeyView]:
    """Refuse the key for ever, both of its secrets; once more changes nothing."""
    async with unit_of_work(plane.database) as session:
        project = await project_or_404(session, plane, project_ref, even_archived=True)
        key = await _key_or_404(session, project, key_ref, lock=True)
        require_match(if_match, key)
        if key.revoked_at is None:
            before = _audited(key)
            key.revoked_at = utc_now()
            key.previous_digest, key.previous_expires_at = None, None
            key.touch()
            await _changed(session, subject, "keys.revoke", key, before)
        return key, await _seen(session, key, project)


async def bulk_revoke(
    plane: Plane, subject: Subject, project_ref: str, body: BulkRevoke, *, dry_run: bool
) -> BulkRevoked:
    """Revoke the keys that all criteria hold for, at most `AT_ONCE`; `dry_run` only tells which they are."""
    async with unit_of_work(plane.database) as session:
        project = await project_or_404(session, plane, project_ref, even_archived=True)
        chosen = ChosenKeys(body.labels, body.created_before, body.last_used_before)
        rows = await keys_to_revoke(session, project.id, chosen, AT_ONCE + 1)
        keys, now = rows[:AT_ONCE], utc_now()
        for key in [] if dry_run else keys:
            before = _audited(key)
            key.revoked_at, key.previous_digest, key.previous_expires_at = now, None, None
            key.touch()
            await _changed(session, subject, "keys.revoke", key, before)
        used = await uses_of(session, [key.id for key in keys])
    return BulkRevoked(
        dry_run=dry_run, more=len(rows) > AT_ONCE, keys=[view(key, project, used.get(key.id)) for key in keys]
    )


async def change(
    plane: Plane, subject: Subject, project_ref: str, key_ref: str, body: KeyPatch, if_match: str | None
) -> tuple[ApiKey, KeyView]:
    """Change expiry, scopes, priority or labels of a key that is not revoked."""
    refuse_past(body.expires_at)
    async with unit_of_work(plane.database) as session:
        project = await project_or_404(session, plane, project_ref)
        key = await _live_key(session, project, key_ref, if_match)
        before = _audited(key)
        for name in body.model_fields_set:
            setattr(key, name, _column(body, name))
        if _audited(key) != before:
            key.touch()
            await _changed(session, subject, "keys.change", key, before)
        return key, await _seen(session, key, project)


def _column(body: KeyPatch, name: str) -> object:
    if name == "labels":
        return body.labels or {}
    if name == "operations":
        return None if body.operations is None else [one.value for one in body.operations]
    return (body.priority or Priority.STANDARD).value if name == "priority" else getattr(body, name)


async def get(plane: Plane, project_ref: str, key_ref: str) -> tuple[ApiKey, KeyView]:
    """One key; raises NotFound."""
    async with reading(plane.database) as session:
        project = await project_or_404(session, plane, project_ref)
        key = await _key_or_404(session, project, key_ref)
        return key, await _seen(session, key, project)


async def page(plane: Plane, project_ref: str, asked: PageQuery) -> tuple[list[KeyView], str]:
    """One page of a project's keys, oldest first."""
    async with reading(plane.database) as session:
        project = await project_or_404(session, plane, project_ref)
        rows, token = await page_of(
            session, keys_of(project.id), asked, FIELDS, plane.secrets.page_key,
            default_order="created_at asc", scope=f"keys {project.id}",
        )  # fmt: skip
        used = await uses_of(session, [row.id for row in rows])
    return [view(row, project, used.get(row.id)) for row in rows], token


async def _live_key(session: AsyncSession, project: Project, key_ref: str, if_match: str | None) -> ApiKey:
    key = await _key_or_404(session, project, key_ref, lock=True)
    require_match(if_match, key)
    if key.revoked_at is not None:
        raise Conflict(f"The key {key.name!r} is revoked, which is for ever. Make a new one.", code="key_revoked")
    return key


async def _key_or_404(session: AsyncSession, project: Project, key_ref: str, *, lock: bool = False) -> ApiKey:
    key = await find_key(session, project.id, key_ref, lock=lock)
    if key is None:
        detail = f"The project {project.name!r} has no key {key_ref!r}."
        raise NotFound(detail, code="key_not_found")
    return key


async def _changed(
    session: AsyncSession, subject: Subject, action: str, key: ApiKey, before: dict[str, object] | None
) -> None:
    await next_access_version(session, key.id)
    record(
        session, subject, action, key.id, name=key.name, project_id=key.project_id, before=before, after=_audited(key)
    )


def _audited(key: ApiKey) -> dict[str, object]:
    return key.model_dump(exclude={"digest", "previous_digest"})


def _with_secret(key: ApiKey, project: Project, secret: str, used: datetime | None = None) -> KeyWithSecret:
    return KeyWithSecret.model_validate({**_fields(key, project, used), "secret": whole_key(key.id, secret)})


def refuse_past(expires_at: datetime | None) -> None:
    """Raise Invalid for an end that has passed."""
    if expires_at is not None and expires_at <= utc_now():
        raise invalid_field("/expires_at", f"expires_at {expires_at.isoformat()} has passed. Give a later time.")
