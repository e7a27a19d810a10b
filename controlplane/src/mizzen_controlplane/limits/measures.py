"""How much does a limit let through, and in which time? Which fields say it depends on what it counts."""

from dataclasses import dataclass
from typing import Any, Final

from mizzen_crds.access import LimitMetric

from mizzen_controlplane.kit.problem import invalid_field
from mizzen_controlplane.limits.schemas import LimitCreate
from mizzen_controlplane.pricing.money import MoneyError, parse_amount

WINDOW_SECONDS: Final = 60
"""Where nothing is said."""


@dataclass(frozen=True, slots=True)
class Measure:
    """Columns of a limit's row."""

    amount: int
    """Requests, tokens, or pico."""
    window_seconds: int
    """0 for concurrency."""


def measure_of(body: LimitCreate) -> Measure:
    """What a body means; raises Invalid where its fields do not fit its metric."""
    if body.metric is LimitMetric.CONCURRENCY and body.window_seconds is not None:
        raise invalid_field("/window_seconds", "metric is concurrency, which has no window; leave window_seconds out")
    seconds = 0 if body.metric is LimitMetric.CONCURRENCY else body.window_seconds or WINDOW_SECONDS
    if body.metric is not LimitMetric.COST:
        if body.cost is not None:
            raise invalid_field("/cost", f"cost goes with metric cost; metric {body.metric.value} has an amount")
        if body.amount is None:
            raise invalid_field("/amount", f"metric is {body.metric.value}, so amount must say how many")
        return Measure(body.amount, seconds)
    if body.amount is not None:
        raise invalid_field("/amount", 'metric is cost, which is money: write cost, such as "5.00", in place of amount')
    if body.cost is None:
        raise invalid_field("/cost", 'metric is cost, so cost must say how much, such as "5.00"')
    return Measure(_pico(body.cost), seconds)


def measured_changes(metric: LimitMetric, changes: dict[str, Any]) -> dict[str, Any]:
    """A patch of a limit of that metric as columns; raises Invalid as `measure_of` does."""
    columns = dict(changes)
    if metric is LimitMetric.CONCURRENCY and "window_seconds" in columns:
        raise invalid_field("/window_seconds", "metric is concurrency, which has no window; leave window_seconds out")
    if metric is LimitMetric.COST and "amount" in columns:
        raise invalid_field("/amount", "metric is cost, which is money: change cost in place of amount")
    if "cost" in columns:
        if metric is not LimitMetric.COST:
            raise invalid_field("/cost", f"cost goes with metric cost; metric {metric.value} has an amount")
        columns["amount"] = _pico(columns.pop("cost"))
    return columns


def _pico(text: str) -> int:
    try:
        pico = parse_amount(text)
    except MoneyError as error:
        raise invalid_field("/cost", f"cost: {error}") from error
    if pico == 0:
        raise invalid_field("/cost", "cost: nothing would ever pass; write more than 0")
    return pico
