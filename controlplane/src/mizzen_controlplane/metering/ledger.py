"""How does a request enter the ledger exactly once? Row, roll-up, budget and lease in one transaction."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any, Final

from mizzen_crds.periods import quarter_of
from mizzen_crds.usage import UsageEvent, UsageReceipt
from sqlmodel.ext.asyncio.session import AsyncSession

from mizzen_controlplane.budgets.credit import Charge, charge
from mizzen_controlplane.identity.repository import note_uses, organization
from mizzen_controlplane.kit.clock import utc_now
from mizzen_controlplane.kit.database import unit_of_work
from mizzen_controlplane.kit.plane import Plane
from mizzen_controlplane.kit.problem import TooLarge
from mizzen_controlplane.metering import repository
from mizzen_controlplane.metering.acceptance import sorted_out
from mizzen_controlplane.metering.meters import METERS, Sums
from mizzen_controlplane.metering.rollups import added_up, budgets_text, rollup_rows

MAX_EVENTS = 1000
KEY_USES = "uses of keys"
"""What this process keeps: when each key was last used, as far as it has written that."""
_COPIED: Final = (
    "project_id", "request_id", "key_id", "model", "deployment", "revision", "operation", "started_at", "duration_ms",
    "ttft_ms", "status", "answered", "estimated", "interrupted", "currency", "rate_card_id", "gateway",
)  # fmt: skip
_COPIES_OF: Final = attrgetter(*_COPIED)
_METERED: Final = METERS[1:]
_METERS_OF: Final = attrgetter(*_METERED)
COLUMNS: Final = (*_COPIED, *_METERED, "quarter", "budget_ids", "attempts", "received_at")
"""Of a row, in the order of its values: a batch has a thousand, and a dict for each takes longer than the database."""


async def take(plane: Plane, events: Sequence[UsageEvent]) -> UsageReceipt:
    """Take the events that are new; when this returns, all but the refused ones are in the ledger for good."""
    if len(events) > MAX_EVENTS:
        raise TooLarge(f"The batch has {len(events)} events, it may have {MAX_EVENTS}: send it in parts.")
    async with unit_of_work(plane.database) as session:
        owner = await organization(session, plane.organization_id)
        projects = await repository.known_projects(session, {event.project_id for event in events})
        good, refused = sorted_out(events, projects, owner.currency)
        new = await _insert(session, good)
        if new:
            await repository.add_to_rollups(session, rollup_rows(added_up(new)))
            await charge(session, _charges(new), owner)
        uses = _uses(plane, new)
        if uses:
            await note_uses(session, uses)
    plane.kept.setdefault(KEY_USES, {}).update(uses)
    return UsageReceipt(accepted=len(new), duplicates=len(good) - len(new), refused=refused)


def _uses(plane: Plane, events: Iterable[UsageEvent]) -> dict[str, datetime]:
    """Keys, and the minute of their last use, where this process has not noted that yet: no write for each request."""
    noted: dict[str, datetime] = plane.kept.get(KEY_USES, {})
    found: dict[str, datetime] = {}
    for event in events:
        minute = event.started_at.replace(second=0, microsecond=0)
        known = found.get(event.key_id) or noted.get(event.key_id)
        if event.key_id and (known is None or known < minute):
            found[event.key_id] = minute
    return found


async def _insert(session: AsyncSession, events: Iterable[UsageEvent]) -> list[UsageEvent]:
    """Insert in the order of the keys, so that two batches that share events cannot lock each other out."""
    first: dict[tuple[str, str], UsageEvent] = {}
    for event in events:
        first.setdefault((event.project_id, event.request_id), event)
    now, ordered = utc_now(), sorted(first)
    inserted = await repository.insert_new(session, COLUMNS, [_row(first[key], now) for key in ordered])
    return [first[key] for key in ordered if key in inserted]


def _row(event: UsageEvent, now: datetime) -> tuple[Any, ...]:
    attempts = [attempt.model_dump() for attempt in event.attempts]
    added = (quarter_of(event.started_at), budgets_text(event), attempts, now)
    return (*_COPIES_OF(event), *_METERS_OF(Sums.of(event)), *added)


def _charges(events: Iterable[UsageEvent]) -> list[Charge]:
    """What each budget is charged, in the period in which the request began."""
    charges: list[Charge] = []
    for event in events:
        if not event.budget_ids:
            continue
        sums, quarter = Sums.of(event), quarter_of(event.started_at)
        charges += [
            Charge(each, quarter, event.gateway, sums.cost_pico, sums.tokens, sums.accelerator_ms)
            for each in set(event.budget_ids)
        ]
    return charges
