"""How a write leaves its trace: `record` inside the writing transaction; the events are chained last, at its commit."""

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from sqlmodel.ext.asyncio.session import AsyncSession

from mizzen_controlplane.audit.chain_format import GENESIS, NEWEST, commitment, hash_of
from mizzen_controlplane.audit.models import AuditEvent, PersonalContent
from mizzen_controlplane.audit.personal_data import Parted
from mizzen_controlplane.audit.repository import base_hash, hash_at
from mizzen_controlplane.kit.auth import Subject
from mizzen_controlplane.kit.changes import AUDIT, next_version
from mizzen_controlplane.kit.clock import utc_now
from mizzen_controlplane.kit.database import before_commit
from mizzen_controlplane.kit.ids import new_id
from mizzen_controlplane.kit.request_context import current_address, current_request_id

_SECRET_FIELD = re.compile(r"(secret|token|password|digest_of_key|credential|pepper)", re.IGNORECASE)
_SECRET_TEXT = re.compile(r"mz[tk]_[a-z0-9]+_[A-Za-z0-9]{43,}")
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
    person: str = ""
    """Of an event about a person: the id, by which what is personal in it is erased. Else it is the resource's."""


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
    person: str = "",
) -> None:
    """Have this transaction leave an audit event, such as action `keys.revoke` on resource `key_...`.

    E-mail addresses and the like stand apart from the chain. Of an event about a person give its id as `person`: the
    name is personal then too, and all of it goes when that person is erased.
    """
    record_trace(session, Trace(subject.name, action, resource, name, project_id, "done", before, after, person))


def record_trace(session: AsyncSession, trace: Trace) -> None:
    """Queue `trace`; it is written last, so that the chain's lock is held as briefly as can be."""
    session.info.setdefault("audit", []).append(trace)
    before_commit(session, "audit", _append)


async def _append(session: AsyncSession) -> None:
    for trace in session.info["audit"]:
        number = await next_version(session, AUDIT)
        previous = await hash_at(session, number - 1) or await base_hash(session, number - 1) or GENESIS
        event, personal = chained(trace, number, previous)
        session.add(event)
        session.add_all(personal)
        await session.flush()


def chained(trace: Trace, number: int, previous: str) -> tuple[AuditEvent, list[PersonalContent]]:
    """The event `number` that follows the hash `previous`, and what of it is personal."""
    parted = Parted(of_a_person=bool(trace.person))
    event = AuditEvent(
        id=new_id("aud"),
        number=number,
        at=utc_now(),
        actor=trace.actor,
        action=trace.action,
        outcome=trace.outcome,
        resource=trace.resource,
        resource_name=parted.name(trace.resource_name),
        project_id=trace.project_id,
        request_id=current_request_id(),
        before=parted.body("before", redacted(trace.before)),
        after=parted.body("after", redacted(trace.after)),
        previous_hash=previous,
        hash="",
        format=NEWEST,
    )
    held = _held(trace, parted)
    personal = [
        PersonalContent(number=number, position=position, person=person, salt=secrets.token_hex(32), content=content)
        for position, (person, content) in enumerate(held)
    ]
    event.commitments = [commitment(each.salt, each.content) for each in personal]
    event.hash = hash_of(chain_fields(event))
    return event, personal


def _held(trace: Trace, parted: Parted) -> list[tuple[str, dict[str, Any]]]:
    """Person -> what is known of them: from where the actor came, and what the change says of whom."""
    address = current_address()
    told: list[tuple[str, dict[str, Any]]] = [(trace.actor, {"address": address})] if address else []
    return [*told, (trace.person or trace.resource[:128], parted.personal)] if parted.personal else told


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


def chain_fields(event: AuditEvent) -> dict[str, Any]:
    """The event as its hash sees it."""
    return {**event.model_dump(), "at": event.at.isoformat()}
