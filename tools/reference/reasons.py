"""`docs/reference/conditions.md`: condition types and every reason with its meaning and remedy."""

from mizzen_crds.v1alpha1.conditions import CONDITION_TYPES, REASONS

_OPENING = """# Conditions and reasons

A ModelDeployment's `status.conditions` say what is true of it. All are set on every pass, Reconciling and Stalled only
while true; Unknown means that it could not be told. Ready sums up the others and repeats the reason of what blocks.
Stalled is True only where nothing but a change of the spec helps: the reasons marked *spec* in the table. Tools that
wait (Flux, Argo CD, Helm) give up then.
"""


def reasons_page() -> str:
    """The whole page."""
    types = [f"| `{name}` | {meaning} |" for name, meaning in CONDITION_TYPES.items()]
    rows = [
        f"| `{row.reason}` | {', '.join(row.condition_types)} | {row.meaning} | {row.remedy} |"
        f" {'*spec*' if row.needs_spec_change else ''} |"
        for row in REASONS.values()
    ]
    return "\n".join(
        [
            _OPENING,
            "## Conditions",
            "",
            "| type | True means |",
            "|---|---|",
            *types,
            "",
            "## Reasons",
            "",
            "| reason | of | meaning | remedy | helps only |",
            "|---|---|---|---|---|",
            *rows,
            "",
        ]
    )
