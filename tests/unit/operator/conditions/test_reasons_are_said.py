"""Does a program say each reason of the published table? A row that nobody says promises what no status tells."""

import re
from pathlib import Path

from mizzen_crds.v1alpha1 import conditions

ROOT = Path(__file__).parents[4]
PROGRAMS = ("operator", "controlplane", "engines", "cli")
UNSAID = {
    "AtMaximum": "the autoscaler",
    "LoadUnknown": "the autoscaler",
    "Waking": "the autoscaler",
}
"""What says them, and is not part of a program yet."""


def constants_in_use() -> set[str]:
    sources = (path.read_text() for name in PROGRAMS for path in (ROOT / name / "src").rglob("*.py"))
    return {word for text in sources for word in re.findall(r"\b[A-Z][A-Z_]+\b|\b[A-Z][A-Za-z]+\b", text)}


def test_every_reason_of_the_table_is_said_by_a_program() -> None:
    used = constants_in_use()
    names = {value: name for name, value in vars(conditions).items() if name.isupper() and isinstance(value, str)}
    unsaid = {reason for reason in conditions.REASONS if names[reason] not in used and reason not in used}
    assert unsaid == set(UNSAID)
