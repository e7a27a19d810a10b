"""How a write leaves its trace: `record` inside the writing transaction; the events are chained last, at its commit."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from sqlmodel.ext.asyncio.session import AsyncSession

from mizzen_controlplane.audit.models import AuditEvent
from mizzen_controlplane.audit.repository import hash_at
from mizzen_controlplane.kit.auth import Subject
from mizzen_controlplane.kit.changes import AUDIT, next_version
from mizzen_controlplane.kit.clock import utc_now
from mizzen_controlplane.kit.database import before_commit
from mizzen_controlplane.kit.ids import new_id
from mizzen_controlplane.kit.request_context import current_request_id

GENESIS = "0" * 64
_SECRET_FIELD = re.compile(r"(secret|token|password|digest_of_key|credential|pepper)", re.IGNORECASE)
_SECRET_TEXT = re.compile(r"mz[tk]_[a-z0-9]+_[A-Za-z0-9]{43}")
_NO_SECRET = frozenset({"secret_name", "secretName"})


@dataclass(frozen=True, slots=True)
class Trace:
    """What happened."""

    actor: str
    action: str
    resource: str
    resource_name: str = ""
    project_id: str = ""
    outcome: str = "done"
    before: Mapping[str, Any] | None = None
    after: Mapping[str, Any] | None = None


def record(
    session: AsyncSession,
    subject: Subject,
    action: str,
    resource: str,
    *,
    name: str = "",
    project_id: str = "",
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> None:
    """Have this transaction leave an audit event, such as action `keys.revoke` on resource `key_...`."""
    record_trace(session, Trace(subject.name, action, resource, name, project_id, "done", before, after))


def record_trace(session: AsyncSession, trace: Trace) -> None:
    """Queue `trace`; it is written last, so that the chain's lock is held as briefly as can be."""
    session.info.setdefault("audit", []).append(trace)
    before_commit(session, "audit", _append)


async def _append(session: AsyncSession) -> None:
    for trace in session.info["audit"]:
        number = await next_version(session, AUDIT)
        previous = await hash_at(session, number - 1) or GENESIS
        event = AuditEvent(
            id=new_id("aud"),
            number=number,
            at=utc_now(),
            actor=trace.actor,
            action=trace.action,
            outcome=trace.outcome,
            resource=trace.resource,
            resource_name=trace.resource_name,
            project_id=trace.project_id,
            request_id=current_request_id(),
            before=redacted(trace.before),
            after=redacted(trace.after),
            previous_hash=previous,
            hash="",
        )
        event.hash = hash_of(event)
        session.add(event)
        await session.flush()


def redacted(body: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """`body` as JSON, with every field and text that could hold a secret taken out."""
    if body is None:
        return None
    plain: dict[str, Any] = orjson.loads(orjson.dumps(dict(body), default=str, option=orjson.OPT_NON_STR_KEYS))
    cleaned = _clean(plain)
    assert isinstance(cleaned, dict)
    return cleaned


def _clean(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            key: "[redacted]" if _SECRET_FIELD.search(key) and key not in _NO_SECRET and inner else _clean(inner)
            for key, inner in value.items()
        }
    if isinstance(value, list):
        return [_clean(inner) for inner in value]
    return _SECRET_TEXT.sub("[redacted]", value) if isinstance(value, str) else value


def hash_of(event: AuditEvent) -> str:
    """SHA-256 over the event, its hash excepted, and so over the whole chain before it."""
    content = event.model_dump(exclude={"hash"})
    content["at"] = event.at.isoformat()
    return hashlib.sha256(orjson.dumps(content, option=orjson.OPT_SORT_KEYS)).hexdigest()
