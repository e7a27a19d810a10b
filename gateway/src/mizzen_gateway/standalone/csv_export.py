"""How is usage handed on? As CSV, one line a request, in columns that stay."""

import csv
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Final, TextIO

from mizzen_gateway.standalone.parts import PICO

COLUMNS: Final = (
    "started_at", "request_id", "project", "key", "model", "upstream", "operation", "status", "outcome", "input_tokens",
    "cached_tokens", "output_tokens", "reasoning_tokens", "cost", "currency", "duration_ms", "ttft_ms", "estimated",
    "interrupted",
)  # fmt: skip
CACHED: Final = "cached"
"""Outcome of a request that the response cache answered."""
OUTRUN: Final = "outrun"
"""Outcome of a try whose other one, beside it, began to answer first."""
SAME: Final = frozenset(COLUMNS) - {"project", "key", "upstream", "outcome", "cost"}


def write_csv(events: Iterable[Mapping[str, object]], to: TextIO) -> int:
    """Write all of them with a head; how many there were."""
    writer = csv.DictWriter(to, COLUMNS, lineterminator="\n")
    writer.writeheader()
    count = 0
    for event in events:
        writer.writerow(_line(event))
        count += 1
    return count


def _line(event: Mapping[str, object]) -> dict[str, object]:
    found: dict[str, object] = {name: event.get(name, "") for name in SAME}
    for name in ("cached_tokens", "reasoning_tokens", "input_tokens", "output_tokens"):
        found[name] = event.get(name, 0)
    for name in ("duration_ms", "ttft_ms"):
        took = event.get(name)
        found[name] = round(took, 3) if isinstance(took, float) else ""
    for name in ("estimated", "interrupted"):
        found[name] = "true" if event.get(name) else "false"
    attempts = event.get("attempts")
    tries = [{}, *attempts] if isinstance(attempts, list) else [{}]
    last = tries[-1]
    if last.get("outcome") == OUTRUN:  # tries stand in the order of their ends: the one that answered may be before it
        last = next((one for one in reversed(tries[1:]) if one.get("outcome") != OUTRUN), last)
    outcome = CACHED if event.get("response_cache_hit") else last.get("outcome", "")
    cost = event.get("cost_pico", 0)
    return found | {
        "project": str(event.get("project_id", "")).removeprefix("prj_"),
        "key": event.get("key_id", ""),
        "upstream": last.get("endpoint", ""),
        "outcome": outcome,
        "cost": format(Decimal(cost if isinstance(cost, int) else 0) / PICO, "f"),
    }
