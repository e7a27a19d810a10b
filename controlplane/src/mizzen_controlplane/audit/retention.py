"""How are old audit events removed so that the rest stays provable? Up to an anchor, and a signed base says so.

The base is the first event's new beginning: it names the hash that this one follows. Who owns the database cannot sign
one, so nobody but the installation itself can remove the oldest events unseen.
"""

from datetime import timedelta
from typing import Final

from mizzen_controlplane.audit import repository
from mizzen_controlplane.audit.anchors import BASE, AnchorKeys
from mizzen_controlplane.audit.models import AuditAnchor
from mizzen_controlplane.audit.record import Trace, record_trace
from mizzen_controlplane.kit.clock import utc_now
from mizzen_controlplane.kit.database import reading, unit_of_work
from mizzen_controlplane.kit.plane import Plane

AT_ONCE: Final = 2000
"""Rows that one transaction removes: on SQLite all other writers wait for it."""


async def remove_old(plane: Plane, keys: AnchorKeys) -> int:
    """Remove events older than MIZZEN_AUDIT_KEEP_DAYS, up to the last anchor before that; how many went."""
    if not plane.settings.audit_keep_days:
        return 0
    now = utc_now()
    moment = now - timedelta(days=plane.settings.audit_keep_days)
    async with unit_of_work(plane.database) as session:
        head = await repository.head_before(session, moment, sent=bool(plane.settings.audit_sink))
        if head is not None and head.number > await repository.newest_base(session):
            base = keys.sign(head.number, BASE, head.hash, now.isoformat())
            session.add(
                AuditAnchor(
                    number=base.number, kind=BASE, hash=base.hash, at=now, key_id=base.key_id, signature=base.signature
                )
            )
            after = {"up_to": head.number, "older_than": moment.isoformat()}
            record_trace(session, Trace("program:controlplane", "audit.prune", "audit-events", after=after))
    return await _remove(plane)


async def _remove(plane: Plane) -> int:
    async with reading(plane.database) as session:
        up_to = await repository.newest_base(session)
    gone = 0
    while up_to:
        async with unit_of_work(plane.database) as session:
            removed = await repository.remove_up_to(session, up_to, AT_ONCE)
        gone += removed
        if not removed:
            break
    return gone
