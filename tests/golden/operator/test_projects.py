"""A project goes in, manifests come out: both as YAML in `projects/`.

`MIZZEN_REGENERATE=1 pytest tests/golden/operator` writes the expected files anew; read the difference
before it is committed.
"""

import os
from pathlib import Path

import pytest
import yaml
from mizzen_crds.v1alpha1.accelerator_class import AcceleratorClass
from mizzen_crds.v1alpha1.project import Project
from mizzen_operator.kinds.project.desired import desired
from mizzen_operator.kinds.project.environment import ProjectEnvironment

CASES = Path(__file__).parent / "projects"
NAMES = sorted(path.name.removesuffix(".in.yaml") for path in CASES.glob("*.in.yaml"))


class Plain(yaml.SafeDumper):
    """Writes a part that stands twice twice."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def rendered(case: dict) -> str:
    classes = [AcceleratorClass.model_validate(one) for one in case.get("classes", ())]
    made = desired(
        Project.model_validate(case["project"]),
        case["namespaces"],
        {one.metadata.name: one for one in classes},
        ProjectEnvironment(kueue=case.get("kueue", "")),
    )
    return yaml.dump_all(made, Dumper=Plain, sort_keys=False, width=120)


@pytest.mark.parametrize("name", NAMES)
def test_the_manifests_are_as_written(name):
    made = rendered(yaml.safe_load((CASES / f"{name}.in.yaml").read_text()))
    expected = CASES / f"{name}.out.yaml"
    if os.environ.get("MIZZEN_REGENERATE"):
        expected.write_text(made)
    assert made == expected.read_text()


def test_no_namespace_goes_with_its_project():
    for name in NAMES:
        for made in yaml.safe_load_all((CASES / f"{name}.out.yaml").read_text()):
            assert (made["kind"] == "Namespace") != ("ownerReferences" in made["metadata"])
