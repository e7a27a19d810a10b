"""What does the row of a request say? A `UsageEvent` as JSON, from what the stages know. Pure."""

from typing import Any

import orjson

from mizzen_gateway.stages import Charge, Intent, Outcome

CRASHED_STATUS = 500
"""Status of a row whose request was under way when the gateway died."""
MOST_COST = 2**63 - 1
"""What a row can hold, and its ledger: nine million of the currency's units."""


def intended_row(intent: Intent, bound: Charge, gateway: str) -> bytes:
    """The row that is booked if the gateway dies now: interrupted, flagged as estimated, without tokens or cost.

    What cannot be proven is not charged: the engine has reported nothing by now, nor that it was asked at all.
    """
    row = _row(intent, bound, gateway)
    row["cost_pico"] = 0
    row["interrupted"] = True
    row["status"] = CRASHED_STATUS
    row["duration_ms"] = 0.0
    row["answered"] = False
    row["estimated"] = True
    return orjson.dumps(row)


def settled_row(intent: Intent, outcome: Outcome, charge: Charge, gateway: str) -> bytes:
    """The row of a request that ended."""
    usage = outcome.usage
    row = _row(intent, charge, gateway)
    row["cost_pico"] = min(charge.cost_pico, MOST_COST)
    row["revision"] = outcome.revision
    row["duration_ms"] = outcome.duration_ms
    row["ttft_ms"] = outcome.ttft_ms
    row["status"] = outcome.status
    row["answered"] = outcome.answered
    row["estimated"] = usage.estimated
    if usage.billable:
        row["input_tokens"] = usage.input_tokens
        row["output_tokens"] = usage.output_tokens
        if usage.cached_tokens:
            row["cached_tokens"] = usage.cached_tokens
        if usage.reasoning_tokens:
            row["reasoning_tokens"] = usage.reasoning_tokens
        if usage.response_cache_hit:
            row["response_cache_hit"] = True
    if usage.accelerator_ms:
        row["accelerator_ms"] = usage.accelerator_ms
    row["attempts"] = told = [
        {"endpoint": tried.endpoint, "outcome": tried.outcome, "duration_ms": tried.duration_ms}
        for tried in outcome.attempts
    ]
    if len(told) > 1:
        for one, tried in zip(told, outcome.attempts, strict=True):
            if tried.unpaid_tokens:
                one["unpaid_tokens"] = tried.unpaid_tokens
    return orjson.dumps(row)


def interrupted_row(row: bytes) -> bytes:
    """The same, of a request of which nobody knows whether its answer left: it is charged what the engine reported."""
    return orjson.dumps({**orjson.loads(row), "interrupted": True})


def _row(intent: Intent, charge: Charge, gateway: str) -> dict[str, Any]:
    row = {
        "project_id": intent.caller.project_id,
        "request_id": intent.request_id,
        "key_id": intent.caller.key_id,
        "model": intent.model,
        "deployment": intent.deployment,
        "operation": intent.operation,
        "started_at": intent.started_at,
        "currency": charge.currency,
        "rate_card_id": charge.rate_card_id,
        "budget_ids": charge.budget_ids,
        "gateway": charge.holder or gateway,
    }
    if charge.time_budget_ids:
        row["time_budget_ids"] = charge.time_budget_ids  # as those of tokens
    if charge.token_budget_ids:
        row["token_budget_ids"] = charge.token_budget_ids  # read by this gateway alone; the ledger knows its budgets
    return row
