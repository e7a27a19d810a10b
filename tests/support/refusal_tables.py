"""The tables of wrong and right objects of each kind, and what they stand for. Read by every test of refusals."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from crdgen.definition import Kind
from crdgen.kinds import KINDS
from mizzen_crds.mistakes import Mistake
from mizzen_crds.v1alpha1.model_deployment.rules import forbidden_changes
from support.definitions import ROOT, merged

FOLDER = ROOT / "tests/contract/crds"
FORBIDDEN_CHANGES: dict[str, Callable[[Any, Any], list[Mistake]]] = {"ModelDeployment": forbidden_changes}
"""For kinds with rules about changes."""


@dataclass(frozen=True)
class Case:
    """One line of a table."""

    kind: Kind
    name: str
    by: str
    """schema, rule or change; empty for what is right."""
    path: str
    """Field that is named."""
    says: str
    """Part of the sentence."""
    before: Any
    """The object that was there, or None."""
    written: Any
    """The object that is written."""

    def __str__(self) -> str:
        return f"{self.kind.name}: {self.name}"


def file_of(kind: Kind) -> Path:
    """The table of a kind."""
    suffix = "" if kind.plural == "modeldeployments" else f"-{kind.plural}"
    return FOLDER / f"refusals{suffix}.yaml"


def cases(section: str) -> list[Case]:
    """Every line below `cases` or `right`, of every kind."""
    return [_case(kind, table, line) for kind, table in _tables() for line in table[section]]


def _tables() -> Sequence[tuple[Kind, dict[str, Any]]]:
    return [(kind, yaml.safe_load(file_of(kind).read_text())) for kind in KINDS]


def _case(kind: Kind, table: dict[str, Any], line: dict[str, Any]) -> Case:
    before = merged(table["base"], line["before"]) if "before" in line else None
    written = merged(table["base"], line["with"])
    return Case(kind, line["name"], line.get("by", ""), line.get("path", ""), line.get("says", ""), before, written)
