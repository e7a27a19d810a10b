"""Does `mizzen` work against a control plane whose API server keeps the deployments, as it does on one machine?"""

from pathlib import Path
from typing import Any

import pytest
import yaml
from support.cluster.objects import Objects
from support.command_line import CommandLine, command_line
from support.controlplane import ControlPlane
from support.model_objects import model

NOW = "2026-03-01T12:00:00Z"


@pytest.fixture
def mizzen(controlplane: ControlPlane, project: str, tmp_path: Path) -> CommandLine:
    """A shell whose commands act on the test's project."""
    shell = command_line(tmp_path, controlplane.url, "http://127.0.0.1:9", controlplane.tokens["admin"])
    return CommandLine({**shell.variables, "MIZZEN_PROJECT": project})


def written(folder: Path, **spec: Any) -> Path:
    path = folder / "m.yaml"
    path.write_text(yaml.safe_dump(model("m", **spec)))
    return path


def serving(generation: int) -> dict[str, Any]:
    """A status as the operator leaves it once all is well."""
    ready = {"type": "Ready", "status": "True", "reason": "Serving", "message": "", "lastTransitionTime": NOW}
    revision = {"name": "m-a", "hash": "a", "replicas": 1, "ready": 1, "trafficPercent": 100, "state": "Serving"}
    return {
        "observedGeneration": generation,
        "conditions": [{**ready, "observedGeneration": generation}],
        "replicas": 1,
        "readyReplicas": 1,
        "updatedReplicas": 1,
        "desiredReplicas": 1,
        "revisions": [{**revision, "createdAt": NOW}],
    }


def test_apply_get_describe_and_rollout_status(
    mizzen: CommandLine, objects: Objects, write_status: Any, tmp_path: Path
) -> None:
    mizzen("apply", "-f", written(tmp_path), "--no-wait")
    kept = objects.get("ModelDeployment", "m")
    assert kept is not None
    assert kept["metadata"]["namespace"] == objects.namespace
    write_status("m", serving(kept["metadata"]["generation"]))
    assert "m" in mizzen("get").out
    assert "Serving" in mizzen("describe", "m").out
    mizzen("rollout", "status", "m", "--timeout", "20")


def test_what_kubectl_applied_is_shown_and_what_git_owns_is_refused_with_its_owner(
    mizzen: CommandLine, objects: Objects, tmp_path: Path
) -> None:
    document = model("m")
    document["metadata"]["namespace"] = objects.namespace
    objects.apply(document, manager="argocd-controller")
    assert "m" in mizzen("get").out
    refused = mizzen("apply", "-f", written(tmp_path, replicas=3), "--no-wait", code=1)
    assert "argocd-controller" in refused.err
