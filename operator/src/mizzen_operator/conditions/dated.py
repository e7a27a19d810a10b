"""When did a condition last change? What is said now, with the times of what was said before. For every kind."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from mizzen_crds.v1alpha1.metadata import Condition

from mizzen_operator.conditions.verdict import LONGEST_MESSAGE, Said


def dated(said: Mapping[str, Said], before: Sequence[Condition], generation: int, now: datetime) -> list[Condition]:
    """Return conditions in the order of `said`; a time moves only where the status itself did."""
    earlier = {one.type: one for one in before}
    return [_condition(name, one, earlier.get(name), generation, now) for name, one in said.items()]


def _condition(name: str, said: Said, before: Condition | None, generation: int, now: datetime) -> Condition:
    unchanged = before is not None and before.status == said.status
    return Condition(
        type=name,
        status=said.status,
        reason=said.reason,
        message=said.message[:LONGEST_MESSAGE],
        last_transition_time=before.last_transition_time if before is not None and unchanged else now,
        observed_generation=generation,
    )
