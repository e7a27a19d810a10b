"""Which events are announced, and which of them a webhook asks for. A domain that announces adds its types here."""

from collections.abc import Iterable, Mapping
from typing import Final

PREFIX: Final = "dev.mizzen."
"""Before the name, in the field `type` of CloudEvents."""
TEST: Final = "webhook.test"
BUDGET_THRESHOLD: Final = "budget.threshold"

EVENT_TYPES: Final[Mapping[str, str]] = {
    TEST: "A test of one webhook, sent by :test alone.",
    BUDGET_THRESHOLD: "A budget has spent one of the percentages that its notify_at names.",
}
"""Name -> when it is announced."""


def asks_for(patterns: Iterable[str], event_type: str) -> bool:
    """Whether one of the patterns means the type: `*`, `budget.*` or a whole name."""
    return any(_means(pattern, event_type) for pattern in patterns)


def meaningless(patterns: Iterable[str]) -> str:
    """The first pattern that no event would ever match; empty for none."""
    return next((one for one in patterns if not any(_means(one, known) for known in EVENT_TYPES)), "")


def _means(pattern: str, event_type: str) -> bool:
    if pattern in ("*", event_type):
        return True
    return pattern.endswith(".*") and event_type.startswith(pattern[:-1])
