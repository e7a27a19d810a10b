"""A deployment goes in, manifests come out: both as YAML beside this file.

`MIZZEN_REGENERATE=1 pytest tests/golden/operator` writes the expected files anew; read the difference
before it is committed.
"""

import os
from pathlib import Path

import pytest
import yaml
from mizzen_crds.v1alpha1.model_deployment import ModelDeployment
from mizzen_crds.v1alpha1.model_deployment.workload import Sharing
from mizzen_crds.v1alpha1.serving_runtime import ServingRuntime
from mizzen_operator.kinds.model_deployment.artifact import Artifact, with_adapters
from mizzen_operator.kinds.model_deployment.desired import desired
from mizzen_operator.kinds.model_deployment.environment import AcceleratorKind, PlanEnvironment
from mizzen_operator.runtimes.builtin import builtin_runtimes, runtime_for
from mizzen_operator.runtimes.local import localized

CASES = Path(__file__).parent / "cases"
NAMES = sorted(path.name.removesuffix(".in.yaml") for path in CASES.glob("*.in.yaml"))
ENVIRONMENT = PlanEnvironment(
    platform_image="registry.example/mizzen:0.2.0",
    registry_url="http://mizzen-controlplane.mizzen-system:8470",
    operator_url="http://mizzen-operator.mizzen-system:8482",
    accelerators={
        "a100": AcceleratorKind("nvidia.com/gpu", {"nvidia.com/gpu.product": "A100"}),
        "h100": AcceleratorKind(
            "nvidia.com/gpu",
            {"nvidia.com/gpu.product": "H100"},
            ({"key": "nvidia.com/gpu", "operator": "Exists"},),
            {Sharing.MIG: "nvidia.com/mig-3g.40gb"},
        ),
    },
)


def rendered(case: dict) -> list[dict]:
    """Return the manifests of a case; `show` narrows them to paths such as Deployment/spec/template/spec/volumes."""
    deployment = ModelDeployment.model_validate(case["deployment"])
    runtimes = builtin_runtimes()
    if "runtime" in case:
        runtime = ServingRuntime.model_validate(case["runtime"])
        runtimes[runtime.metadata.name] = runtime
    runtime = runtime_for(deployment, runtimes)
    assert runtime is not None
    runtime = localized(runtime) if case.get("local") else runtime
    beside = [(name, Artifact(**one)) for name, one in case.get("adapters", {}).items()]
    artifact = with_adapters(Artifact(**case["artifact"]), beside)
    made = desired(deployment, runtime, artifact, ENVIRONMENT).manifests
    return [narrowed(made, path) for path in case["show"]] if "show" in case else list(made)


def narrowed(manifests: tuple[dict, ...], path: str) -> dict:
    """Return the part of the manifests at a path whose first part is `Kind` or `Kind:name`."""
    kind, *parts = path.split("/")
    kind, _, name = kind.partition(":")
    found = [one for one in manifests if one["kind"] == kind and name in {"", one["metadata"]["name"]}]
    assert found, f"no {kind} {name}"
    part: object = found[0]
    for step in parts:
        part = part[int(step)] if isinstance(part, list) else part[step]
    return {path: part}


def as_yaml(documents: list[dict]) -> str:
    class Plain(yaml.SafeDumper):
        def ignore_aliases(self, data: object) -> bool:
            return True

    return yaml.dump_all(documents, Dumper=Plain, sort_keys=False, width=120)


@pytest.mark.parametrize("name", NAMES)
def test_the_manifests_are_as_written(name):
    case = yaml.safe_load((CASES / f"{name}.in.yaml").read_text())
    made, expected = as_yaml(rendered(case)), CASES / f"{name}.out.yaml"
    if os.environ.get("MIZZEN_REGENERATE"):
        expected.write_text(made)
    assert made == expected.read_text()


def test_there_are_at_least_twenty_cases():
    assert len(NAMES) >= 20
