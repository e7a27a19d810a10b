"""How does the chain get its anchors? At intervals and on demand its end is signed and sent to the sink.

Before it signs, this process looks whether the chain still fits the last anchor that it knows of: a chain that somebody
wrote anew is not signed. Several replicas may anchor at once; the same statement twice does no harm.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import structlog
from prometheus_client import REGISTRY, Gauge
from sqlalchemy.exc import SQLAlchemyError

from mizzen_controlplane.audit import repository
from mizzen_controlplane.audit.anchors import HEAD, Anchor, AnchorKeys, anchor_of
from mizzen_controlplane.audit.models import AuditAnchor
from mizzen_controlplane.audit.refusals import tell_anonymous
from mizzen_controlplane.audit.retention import remove_old
from mizzen_controlplane.audit.sinks import Sink, SinkError, sink_from
from mizzen_controlplane.kit.background import in_background
from mizzen_controlplane.kit.clock import utc_now
from mizzen_controlplane.kit.database import reading, unit_of_work
from mizzen_controlplane.kit.plane import Plane
from mizzen_controlplane.kit.problem import Conflict, Unavailable
from mizzen_controlplane.kit.upsert import insert_into

AT_ONCE: Final = 100
BROKEN = Gauge("mizzen_audit_chain_broken", "1 where the audit trail does not fit its last anchor.", registry=REGISTRY)
UNSENT = Gauge("mizzen_audit_anchors_unsent", "Anchors that the sink has not taken, 100 at most.", registry=REGISTRY)
log = structlog.get_logger(__name__)


def keys_of(plane: Plane) -> AnchorKeys:
    """What this installation signs anchors with."""
    return AnchorKeys(plane.secrets.audit_keys)


def sink_of(plane: Plane) -> Sink | None:
    """Where this installation sends anchors; None for nowhere."""
    return sink_from(plane.settings.audit_sink, plane.secrets.audit_sink_token)


async def anchor_now(plane: Plane) -> Anchor | None:
    """Sign the end of the chain and send it; None where there is no event yet.

    Raises Conflict where there is no key, or the chain does not fit its last anchor; Unavailable where the sink fails.
    """
    if not keys_of(plane).can_sign:
        raise Conflict(
            "The audit trail has no key to sign anchors with. Put `openssl rand -hex 32` into the file `audit-key` of "
            "the control plane's secrets and restart it (docs/how-to/audit.md).",
            code="no_audit_key",
        )
    try:
        anchor = await _signed(plane, await newest_anchor(plane))
        await _send(plane)
    except SinkError as error:
        raise Unavailable(f"The sink of audit anchors failed: {error}.", code="audit_sink_failed") from error
    return anchor


async def newest_anchor(plane: Plane) -> Anchor | None:
    """The last head that a key vouches for, in the sink or the database. Raises SinkError."""
    keys = keys_of(plane)
    known = [anchor for anchor in await all_known(plane) if anchor.kind == HEAD]
    return next((a for a in sorted(known, key=lambda each: -each.number) if keys.vouch_for(a)), None)


async def all_known(plane: Plane) -> list[Anchor]:
    """What the sink and the database have. Raises SinkError."""
    sink = sink_of(plane)
    sent = [anchor for line in (await sink.lines() if sink is not None else ()) if (anchor := anchor_of(line))]
    async with reading(plane.database) as session:
        kept = [as_anchor(row) for row in await repository.all_anchors(session)]
    return list(dict.fromkeys([*sent, *kept]))


def as_anchor(row: AuditAnchor) -> Anchor:
    """The statement in a row."""
    return Anchor(row.number, row.kind, row.hash, row.at.isoformat(), row.key_id, row.signature)


async def _signed(plane: Plane, last: Anchor | None) -> Anchor | None:
    now = utc_now()
    async with unit_of_work(plane.database) as session:
        if last is not None:
            found = await repository.hash_at(session, last.number) or await repository.base_hash(session, last.number)
            BROKEN.set(found != last.hash)
            if found != last.hash:
                log.error("the audit trail does not fit its last anchor, and is not signed", number=last.number)
                raise Conflict(
                    f"The audit trail does not fit the anchor of event {last.number}; see audit-events:verify.",
                    code="audit_chain_broken",
                )
        event = await repository.newest_event(session)
        if event is None or (last is not None and last.number == event.number):
            return last
        anchor = keys_of(plane).sign(event.number, HEAD, event.hash, now.isoformat())
        row = {name: getattr(anchor, name) for name in ("number", "kind", "hash", "key_id", "signature")}
        statement = insert_into(session, AuditAnchor).values(**row, at=now).on_conflict_do_nothing()
        await (await session.connection()).execute(statement)
        return anchor


async def _send(plane: Plane) -> None:
    """Send what the sink has not had, the oldest first. Raises SinkError."""
    sink = sink_of(plane)
    if sink is None:
        return
    while True:
        async with reading(plane.database) as session:
            unsent = await repository.unsent_anchors(session, AT_ONCE)
        UNSENT.set(len(unsent))
        for row in unsent:
            await sink.append(as_anchor(row).line())
            async with unit_of_work(plane.database) as session:
                await repository.mark_sent(session, row, utc_now())
        if len(unsent) < AT_ONCE:
            UNSENT.set(0)
            return


@asynccontextmanager
async def trail_kept(plane: Plane) -> AsyncIterator[None]:
    """Anchor the trail, remove what is too old and tell of anonymous refusals while the control plane runs."""
    sink_of(plane)  # a wrong MIZZEN_AUDIT_SINK ends the start
    async with in_background(_keep(plane), "audit trail"):
        yield
    await tell_anonymous(plane)


async def _keep(plane: Plane) -> None:
    last: Anchor | None = None
    while True:
        await asyncio.sleep(plane.settings.audit_anchor_seconds)
        try:
            await tell_anonymous(plane)
            if keys_of(plane).can_sign:
                last = await _signed(plane, last or await newest_anchor(plane))
                await _send(plane)
                await remove_old(plane, keys_of(plane))
        except (SinkError, SQLAlchemyError, Conflict) as error:
            log.warning("the audit trail was not anchored", error=str(error).splitlines()[0])
