"""How is the trail given away so that an outsider can verify it? As JSON lines: a header, anchors, events.

docs/how-to/audit.md describes them; `mizzen audit verify FILE` reads them.
"""

from collections.abc import AsyncIterator, Mapping
from dataclasses import asdict
from typing import Any

from mizzen_controlplane.audit import repository
from mizzen_controlplane.audit.anchoring import all_known, keys_of
from mizzen_controlplane.audit.chain_format import GENESIS, canonical
from mizzen_controlplane.audit.models import AuditEvent, PersonalContent
from mizzen_controlplane.audit.record import chain_fields
from mizzen_controlplane.audit.sinks import SinkError
from mizzen_controlplane.kit.clock import utc_now
from mizzen_controlplane.kit.database import reading
from mizzen_controlplane.kit.plane import Plane
from mizzen_controlplane.kit.problem import NotFound, Unavailable

FORMAT = "mizzen-audit/1"
_BLOCK = 500


async def exported(plane: Plane, after: int, personal: bool) -> AsyncIterator[bytes]:
    """Lines of the events behind number `after`, `personal` with what was not erased.

    Raises NotFound before the first line where event `after` is not there, Unavailable where the sink does not answer.
    """
    async with reading(plane.database) as session:
        after = max(after, await repository.newest_base(session))
        previous = await repository.hash_at(session, after) or await repository.base_hash(session, after)
    if after and previous is None:
        raise NotFound(f"There is no audit event {after} to go on after.", code="event_not_found")
    try:
        anchors = [anchor for anchor in await all_known(plane) if anchor.number >= after]
    except SinkError as error:
        raise Unavailable(f"The sink of audit anchors failed: {error}.", code="audit_sink_failed") from error
    header = {
        "kind": "header", "format": FORMAT, "exported_at": utc_now().isoformat(), "after": after,
        "previous_hash": previous or GENESIS, "public_keys": keys_of(plane).public,
    }  # fmt: skip

    async def lines() -> AsyncIterator[bytes]:
        yield _line(header)
        for anchor in anchors:
            yield _line({"kind": "anchor", "anchor": asdict(anchor)})
        number = after
        while block := await _block(plane, number, personal):
            number = block[-1][1]
            yield b"".join(line for line, _ in block)

    return lines()


async def _block(plane: Plane, after: int, personal: bool) -> list[tuple[bytes, int]]:
    """The next lines, each with the number of its event."""
    async with reading(plane.database) as session:
        events = await repository.events_after(session, after, _BLOCK)
        if not events:
            return []
        last = events[-1].number
        held = await repository.personal_between(session, events[0].number, last) if personal else {}
    return [(_event_line(event, held.get(event.number, [])), event.number) for event in events]


def _event_line(event: AuditEvent, held: list[PersonalContent]) -> bytes:
    beside = [each.model_dump(exclude={"number"}) for each in held]
    return _line({"kind": "event", **chain_fields(event), "personal": beside})


def _line(content: Mapping[str, Any]) -> bytes:
    return canonical(content) + b"\n"
