"""Builders of what the gateway's meter is told: intents, outcomes, charges."""

from datetime import UTC, datetime

from mizzen_gateway.stages import Charge, Intent, Outcome, Tried, Usage
from support.quota_bench import CALLER

CHARGE = Charge(120, "EUR", "rcv_a", ("bud_a",))


def an_intent(request_id: str, model: str = "m") -> Intent:
    """A chat request of the usual caller."""
    return Intent(request_id, CALLER, model, "default", model, "chat.completions", datetime.now(UTC))


def an_outcome(status: int = 200, usage: Usage | None = None) -> Outcome:
    """An answer of 15 tokens."""
    return Outcome(status, True, "r1", 12.5, 3.0, usage or Usage(10, 5), (Tried("pod-a", "ok", 11.0),))
