"""What a person copies from the examples and the documents is taken as it stands."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from mizzen_crds.v1alpha1 import API_VERSION
from mizzen_crds.v1alpha1.accelerator_class import AcceleratorClass
from mizzen_crds.v1alpha1.model_deployment import ModelDeployment
from mizzen_crds.v1alpha1.model_route import ModelRoute
from mizzen_crds.v1alpha1.project import Project
from mizzen_crds.v1alpha1.serving_runtime import ServingRuntime

KINDS = {kind.__name__: kind for kind in (AcceleratorClass, ModelDeployment, ModelRoute, Project, ServingRuntime)}
ROOT = Path(__file__).parents[3]
FENCE = re.compile(r"^```yaml\n(.*?)^```", re.MULTILINE | re.DOTALL)


def texts() -> Iterator[tuple[str, str]]:
    """Name and YAML of every example file and of every YAML block of the documents."""
    for file in sorted(ROOT.glob("examples/**/*.yaml")):
        yield str(file.relative_to(ROOT)), file.read_text()
    for file in sorted(ROOT.glob("docs/**/*.md")):
        yield from ((str(file.relative_to(ROOT)), block) for block in FENCE.findall(file.read_text()))


def objects() -> Iterator[Any]:
    """Every whole object of ours in them; blocks that show a part of one have no apiVersion."""
    for name, text in texts():
        for found in yaml.safe_load_all(text):
            if isinstance(found, dict) and found.get("apiVersion") == API_VERSION:
                yield pytest.param(found, id=f"{name}:{found['kind']}/{found['metadata']['name']}")


@pytest.mark.parametrize("example", list(objects()))
def test_an_example_is_a_valid_object(example: dict[str, Any]) -> None:
    taken = KINDS[example["kind"]].model_validate(example)
    assert taken.metadata.name == example["metadata"]["name"]
