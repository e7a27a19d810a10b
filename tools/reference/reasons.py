"""`docs/reference/conditions.md`: condition types and every reason with its meaning and remedy."""

from collections.abc import Mapping

from mizzen_crds.v1alpha1.conditions import CONDITION_TYPES_OF, REASONS

_OPENING = """# Conditions and reasons

`status.conditions` says what is true of an object. All are set on every pass, Reconciling and Stalled only while true;
Unknown means that it could not be told. Ready sums up the others and repeats the reason of what blocks. Stalled is True
only where nothing but a change of the spec helps: the reasons marked *spec* in the table. Tools that wait (Flux,
Argo CD, Helm) give up then.
"""


def reasons_page() -> str:
    """The whole page."""
    rows = [
        f"| `{row.reason}` | {', '.join(row.condition_types)} | {row.meaning} | {row.remedy} |"
        f" {'*spec*' if row.needs_spec_change else ''} |"
        for row in REASONS.values()
    ]
    chapters = [line for kind, types in CONDITION_TYPES_OF.items() for line in _types(kind, types)]
    head = ["## Reasons", "", "| reason | of | meaning | remedy | helps only |", "|---|---|---|---|---|"]
    return "\n".join([_OPENING, *chapters, *head, *rows, ""])


def _types(kind: str, types: Mapping[str, str]) -> list[str]:
    rows = [f"| `{name}` | {meaning} |" for name, meaning in types.items()]
    return [f"## Conditions of {kind}", "", "| type | True means |", "|---|---|", *rows, ""]
