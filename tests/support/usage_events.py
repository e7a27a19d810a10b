"""Usage events for tests: one admitted request each, with what the test cares about set."""

import secrets
from datetime import UTC, datetime
from typing import Any

from mizzen_crds.usage import UsageEvent


def usage_event(project_id: str = "prj_a", **fields: Any) -> UsageEvent:
    """An event that the ledger takes."""
    plain: dict[str, Any] = {
        "project_id": project_id,
        "request_id": f"req_{secrets.token_hex(10)}",
        "key_id": "key_a",
        "model": "sentiment",
        "operation": "infer",
        "started_at": datetime.now(UTC),
        "duration_ms": 2.5,
        "status": 200,
        "answered": True,
        "currency": "USD",
        "gateway": "gateway-a",
    }
    return UsageEvent(**(plain | fields))


def batch_body(*events: UsageEvent) -> dict[str, Any]:
    """The JSON body of the ledger's entrance."""
    return {"events": [event.model_dump(mode="json") for event in events]}
