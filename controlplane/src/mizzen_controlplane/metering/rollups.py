"""How are requests added up? By quarter-hour and by all that usage and invoices are asked by; pure."""

import hashlib
from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime
from typing import NamedTuple

from mizzen_crds.periods import quarter_of
from mizzen_crds.usage import UsageEvent

from mizzen_controlplane.metering.meters import Sums


class Group(NamedTuple):
    """What the requests of one roll-up agree in."""

    quarter: datetime
    project_id: str
    key_id: str
    model: str
    operation: str
    status_class: int
    estimated: bool
    rate_card_id: str
    budget_ids: str
    billed: bool

    @property
    def digest(self) -> str:
        """Identity of the roll-up."""
        text = "\0".join(str(part) for part in self)
        return hashlib.sha256(text.encode()).hexdigest()[:32]


def budgets_text(event: UsageEvent) -> str:
    """The event's budgets, sorted, comma-separated."""
    return ",".join(sorted(set(event.budget_ids))) if event.budget_ids else ""


def added_up(events: Iterable[UsageEvent]) -> dict[Group, Sums]:
    """The events by roll-up."""
    result: dict[Group, Sums] = {}
    for event in events:
        group = _group(event)
        found = result.get(group)
        if found is None:
            result[group] = Sums.of(event)
        else:
            found.add(Sums.of(event))
    return result


def rollup_rows(groups: dict[Group, Sums]) -> list[dict[str, object]]:
    """Rows of the table, in the order of their ids: two batches that share some lock them in one order."""
    rows = [{"id": group.digest, **group._asdict(), **asdict(sums)} for group, sums in groups.items()]
    return sorted(rows, key=lambda row: str(row["id"]))


def _group(event: UsageEvent) -> Group:
    return Group(
        quarter_of(event.started_at), event.project_id, event.key_id, event.model, event.operation,
        event.status // 100, event.estimated, event.rate_card_id, budgets_text(event), event.cost_pico > 0,
    )  # fmt: skip
