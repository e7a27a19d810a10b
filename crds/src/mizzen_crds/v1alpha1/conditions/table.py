"""What is a row of the table of reasons? A reason and its row are one statement: neither exists without the other."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class ReasonRow:
    """One row of the table of reasons."""

    reason: str
    condition_types: tuple[str, ...]
    """Where it is set first; a False one is repeated by Ready, and by Stalled where `needs_spec_change`."""
    meaning: str
    remedy: str
    """What a person does about it; empty where nothing needs doing."""
    needs_spec_change: bool
    """Nothing but a change of the spec helps: Stalled becomes True."""


REASONS: Final[dict[str, ReasonRow]] = {}
"""Reason -> its row, in the order in which they are stated."""


def reason_row(
    reason: str, on: tuple[str, ...], meaning: str, remedy: str = "", *, needs_spec_change: bool = False
) -> str:
    """State a reason once; the constant's value is the reason."""
    assert reason not in REASONS, f"the reason {reason} has two rows"
    REASONS[reason] = ReasonRow(reason, on, meaning, remedy, needs_spec_change)
    return reason
