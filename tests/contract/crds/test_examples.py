"""Every example of a custom resource is taken, by the Pydantic models and by the definitions."""

from typing import Any

import pytest
import yaml
from crdgen.kinds import KINDS
from support.definitions import ROOT, defaulted, definition, refusals, schema_of

OURS = {kind.name: kind for kind in KINDS}


def _examples() -> list[tuple[str, dict[str, Any]]]:
    found = []
    for file in sorted((ROOT / "examples").rglob("*.yaml")):
        for number, document in enumerate(yaml.safe_load_all(file.read_text())):
            if isinstance(document, dict) and document.get("apiVersion") == "mizzen.dev/v1alpha1":
                found.append((f"{file.relative_to(ROOT)}[{number}]", document))
    return found


EXAMPLES = _examples()


@pytest.mark.parametrize(("name", "document"), EXAMPLES, ids=[name for name, _ in EXAMPLES])
def test_an_example_is_taken(name: str, document: dict[str, Any]) -> None:
    kind = OURS[document["kind"]]
    assert kind.model.model_validate(document)
    schema = schema_of(definition(kind.plural))
    without_metadata = {**schema, "properties": {**schema["properties"], "metadata": {}}}
    assert refusals(without_metadata, defaulted(schema, document)) == []


def test_every_kind_has_an_example() -> None:
    assert set(OURS) == {document["kind"] for _, document in EXAMPLES}
