"""What did the last run leave behind? Rows that the ledger lacks, and requests of which nobody knows how they ended.

Read once at the start, before anything is written.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import orjson

from mizzen_gateway.metering.frames import ANSWER, INTENT, LEFT, ROWS, Frame, frames
from mizzen_gateway.metering.rows import interrupted_row
from mizzen_gateway.metering.segments import Cursor, SegmentFolder


@dataclass(slots=True)
class Leftovers:
    """What is found."""

    cursor: Cursor
    """Where shipping goes on."""
    unfinished: list[bytes] = field(default_factory=list)
    """Rows, flagged as estimated, of intents that were never settled."""
    costs: Counter[str] = field(default_factory=Counter)
    """By budget id, in its unit: what the ledger has not charged yet, unfinished requests included."""
    next_segment: int = 1
    """Number of the first segment of this run."""
    uncertain: Cursor | None = None
    """Where the last record of all begins, if it is of an answer that may not have left; its row, marked as
    interrupted, is among the unfinished, and stands in its place."""
    torn_bytes: int = 0
    """Bytes at the ends of segments that are no whole record."""


def read_leftovers(folder: SegmentFolder) -> Leftovers:
    """Read every segment in order."""
    found = Leftovers(folder.load_cursor())
    open_intents: dict[str, bytes] = {}
    last: tuple[Cursor, Frame] | None = None
    for number in folder.numbers():
        found.next_segment = number + 1
        data = folder.read(number)
        end = 0
        for record in frames(data):
            last = (Cursor(number, end), record)
            end = record.end
            if record.kind == LEFT:
                continue
            row = orjson.loads(record.payload)
            if record.kind == INTENT:
                open_intents[row["request_id"]] = record.payload
            elif record.kind in ROWS:
                open_intents.pop(row["request_id"], None)
                if Cursor(number, end) > found.cursor:
                    add_costs(found.costs, row)
        found.torn_bytes += len(data) - end
    found.next_segment = max(found.next_segment, found.cursor.segment + 1)
    found.unfinished = list(open_intents.values())
    for payload in found.unfinished:
        add_costs(found.costs, orjson.loads(payload))
    if last is not None and last[1].kind == ANSWER and last[0] >= found.cursor:
        found.uncertain = last[0]
        found.unfinished.append(interrupted_row(last[1].payload))
    return found


def add_costs(costs: Counter[str], row: dict[str, Any]) -> None:
    """Add what one row costs each of its budgets: money, tokens or accelerator milliseconds, as it is of."""
    budget_ids = row.get("budget_ids")
    if not budget_ids:
        return
    tokens = row.get("input_tokens", 0) + row.get("output_tokens", 0)
    of_tokens, of_time = row.get("token_budget_ids", ()), row.get("time_budget_ids", ())
    for budget_id in budget_ids:
        amount = tokens if budget_id in of_tokens else row["cost_pico"]
        if budget_id in of_time:
            amount = row.get("accelerator_ms", 0)
        if amount:
            costs[budget_id] += amount
