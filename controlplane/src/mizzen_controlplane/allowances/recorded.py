"""How is a row of the ledger what the limits count? By the metrics that gateways count."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from mizzen_crds.access import LimitMetric

from mizzen_controlplane.allowances.replay import Recorded

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def nanoseconds(moment: datetime) -> int:
    """Since 1970, exactly."""
    return (moment - EPOCH) // timedelta(microseconds=1) * 1000


def moment(at_ns: int) -> datetime:
    """The reverse, in microseconds."""
    return EPOCH + timedelta(microseconds=at_ns // 1000)


def as_recorded(rows: Iterable[Any]) -> list[Recorded]:
    """Rows of `metering.repository.recorded_between`."""
    found = []
    for key, model, started_at, ms, prompt, cached, generated, reasoning, cost in rows:
        start, given, made = nanoseconds(started_at), prompt + cached, generated + reasoning
        used = {
            LimitMetric.REQUESTS: 1, LimitMetric.TOKENS: given + made, LimitMetric.INPUT_TOKENS: given,
            LimitMetric.OUTPUT_TOKENS: made, LimitMetric.COST: cost, LimitMetric.CONCURRENCY: 1,
        }  # fmt: skip
        found.append(Recorded(key, model, start, start + round(ms * 1_000_000), used))
    return found
