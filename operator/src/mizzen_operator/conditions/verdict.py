"""What does a condition say? Status, reason and message, before the times are filled in."""

from dataclasses import dataclass

from mizzen_crds.v1alpha1 import conditions
from mizzen_crds.v1alpha1.metadata import ConditionStatus

LONGEST_MESSAGE = 4096


@dataclass(frozen=True)
class Said:
    """One condition's content."""

    status: ConditionStatus
    reason: str
    message: str = ""

    @property
    def true(self) -> bool:
        """Status True."""
        return self.status == "True"

    @property
    def false(self) -> bool:
        """Status False."""
        return self.status == "False"


def yes(reason: str, message: str = "") -> Said:
    """Return True, with the table's meaning unless a message says more."""
    return Said("True", reason, message or meaning_of(reason))


def no(reason: str, message: str = "") -> Said:
    """Return False, with the message and the table's remedy."""
    return Said("False", reason, with_remedy(reason, message or meaning_of(reason)))


def unknown(message: str) -> Said:
    """Return Unknown: it could not be told in this pass."""
    return Said("Unknown", conditions.NOT_OBSERVED, message)


def meaning_of(reason: str) -> str:
    """Return what the table says that a reason means."""
    row = conditions.REASONS.get(reason)
    return row.meaning if row is not None else ""


def with_remedy(reason: str, message: str) -> str:
    """Return the message and what to do about it, once, within the longest message that Kubernetes takes."""
    row = conditions.REASONS.get(reason)
    remedy = row.remedy if row is not None else ""
    if remedy and remedy not in message:
        message = f"{_ended(message.rstrip())} {remedy}"
    return message[:LONGEST_MESSAGE]


def _ended(message: str) -> str:
    """Others' words often end without a full stop."""
    return message if not message or message[-1] in ".:;!?" else f"{message}."


def needs_spec_change(reason: str) -> bool:
    """Whether nothing but a change of the spec helps."""
    row = conditions.REASONS.get(reason)
    return row is not None and row.needs_spec_change
