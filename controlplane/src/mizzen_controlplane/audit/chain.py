"""Whether the chain of audit events in the database is whole, as far as its anchors reach."""

from mizzen_controlplane.audit import repository
from mizzen_controlplane.audit.anchoring import all_known, as_anchor, keys_of
from mizzen_controlplane.audit.anchors import Anchor
from mizzen_controlplane.audit.proof import Walk
from mizzen_controlplane.audit.record import chain_fields
from mizzen_controlplane.audit.schemas import ChainFinding, ChainReport
from mizzen_controlplane.audit.sinks import SinkError
from mizzen_controlplane.kit.changes import AUDIT, current_version
from mizzen_controlplane.kit.database import reading
from mizzen_controlplane.kit.plane import Plane

_BLOCK = 1000


async def verify_chain(plane: Plane) -> ChainReport:
    """Walk all events in order, and hold them to every anchor."""
    anchors, notes = await _anchors(plane)  # first: an anchor of an event that comes meanwhile would seem a cut tail
    walk = Walk(anchors, keys_of(plane))
    walk.begin_after_what_was_removed()
    number = walk.last
    async with reading(plane.database) as session:
        counted = await current_version(session, AUDIT)
        while events := await repository.events_after(session, number, _BLOCK):
            personal = await repository.personal_between(session, events[0].number, events[-1].number)
            for event in events:
                walk.take(chain_fields(event), [each.model_dump() for each in personal.get(event.number, ())])
            number = events[-1].number
            session.expunge_all()
    walk.end(counted)
    return _report(plane, walk, notes)


async def _anchors(plane: Plane) -> tuple[list[Anchor], list[str]]:
    notes = []
    if not plane.secrets.audit_keys:
        notes.append("There is no audit-key: a chain that the database's owner wrote anew as a whole is undetectable.")
    if not plane.settings.audit_sink:
        notes.append("There is no sink (MIZZEN_AUDIT_SINK): a cut tail is undetectable, anchors can go with it.")
    try:
        return await all_known(plane), notes
    except SinkError as error:
        async with reading(plane.database) as session:
            kept = [as_anchor(row) for row in await repository.all_anchors(session)]
        return kept, [*notes, f"The sink failed: {error}. Until it answers, a cut tail is undetectable."]


def _report(plane: Plane, walk: Walk, notes: list[str]) -> ChainReport:
    safe = bool(plane.settings.audit_sink and plane.secrets.audit_keys and not notes and walk.anchored)
    if walk.anchored is None and not notes:
        notes.append("No anchor was signed yet: POST /api/v1/audit-events:anchor signs one now.")
    return ChainReport(
        whole=not walk.findings,
        first=walk.first,
        events=walk.events,
        broken_at=min((finding.number for finding in walk.findings), default=None),
        findings=[ChainFinding.model_validate(finding) for finding in walk.findings],
        tail="anchored" if safe else "undetectable",
        anchored_up_to=walk.anchored.number if walk.anchored else None,
        anchored_at=walk.anchored.at if walk.anchored else None,
        erased=walk.erased,
        notes=notes,
    )
