"""Which credits pay an invoice, and how much of each? By priority, then by what expires first, then by age; pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from mizzen_crds.periods import NEVER


@dataclass(frozen=True, slots=True)
class InHand:
    """What is left of a credit."""

    id: str
    left_pico: int
    priority: int
    expires_at: datetime | None


def drawn(credits_in_hand: Iterable[InHand], due_pico: int, now: datetime) -> dict[str, int]:
    """Pico by credit, all together at most what is due, of none more than is left of it; nothing of what expired."""
    found: dict[str, int] = {}
    usable = [each for each in credits_in_hand if each.left_pico > 0 and (each.expires_at or NEVER) > now]
    for each in sorted(usable, key=lambda each: (each.priority, each.expires_at or NEVER, each.id)):
        taken = min(each.left_pico, due_pico)
        if taken > 0:
            found[each.id] = taken
            due_pico -= taken
    return found
