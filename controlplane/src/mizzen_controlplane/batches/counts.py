"""What do metrics tell of batches? Those that have not ended, by status, and their age; lines and ends as they come.

Each replica of the control plane tells the same of what has not ended, and its own part of what it counted.
"""

from collections import Counter as Numbers
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from prometheus_client import REGISTRY, Counter, Gauge

from mizzen_controlplane.batches.models import Batch
from mizzen_controlplane.batches.repository import UNFINISHED
from mizzen_controlplane.batches.stopping import ENDS

COMPLETED, FAILED, UNSENT = "completed", "failed", "unsent"
LINES: Final = Counter(
    "mizzen_batch_lines",
    "Lines of batches that came to a result: answered with 200, refused or failed, or never sent.",
    ["outcome"],
    registry=REGISTRY,
)
ENDED: Final = Counter("mizzen_batches_ended", "Batches that ended, by status.", ["status"], registry=REGISTRY)
BATCHES: Final = Gauge("mizzen_batches", "Batches that have not ended, by status.", ["status"], registry=REGISTRY)
OLDEST: Final = Gauge(
    "mizzen_batch_oldest_seconds", "Age of the oldest batch that has not ended; 0 for none.", registry=REGISTRY
)

for _outcome in (COMPLETED, FAILED, UNSENT):  # so that the first one is seen to have been none before
    LINES.labels(_outcome)
for _status in {*ENDS.values()}:
    ENDED.labels(_status)
for _status in UNFINISHED:
    BATCHES.labels(_status)


def lines_came(completed: int, failed: int) -> None:
    """Gateways handed in first results of so many lines."""
    LINES.labels(COMPLETED).inc(completed)
    LINES.labels(FAILED).inc(failed)


def lines_stay_unsent(count: int) -> None:
    """So many lines were told why they are not sent."""
    LINES.labels(UNSENT).inc(count)


def ended(status: str) -> None:
    """A batch has come to its end."""
    ENDED.labels(status).inc()


def told_of(unfinished: Sequence[Batch], now: datetime) -> None:
    """Every batch that has not ended."""
    numbers = Numbers(batch.status for batch in unfinished)
    for status in UNFINISHED:
        BATCHES.labels(status).set(numbers[status])
    OLDEST.set(max((now - batch.created_at).total_seconds() for batch in unfinished) if unfinished else 0)
