"""`helm install --wait` of a chart with a ModelDeployment returns when the model serves, and fails when it cannot."""

from pathlib import Path

import pytest
import yaml
from support.chart import HelmRefusedError, helm
from support.cluster.cluster import condition
from support.cluster.objects import Object, Objects
from support.story.mizzen_on_node import Platform, is_ready

_CHART = {"apiVersion": "v2", "name": "mine", "version": "1.0.0"}


def _simulated(args: list[str], **spec: object) -> Object:
    return {
        "apiVersion": "mizzen.dev/v1alpha1",
        "kind": "ModelDeployment",
        "metadata": {"name": "chat"},
        "spec": {
            "model": {"uri": "hf://simulated/chat"},
            "engine": {"type": "Simulated", "args": args},
            "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}},
            **spec,
        },
    }


def _install(platform: Platform, namespace: Objects, folder: Path, deployment: Object) -> Object:
    """What became of the deployment when helm returns. Raises HelmRefusedError."""
    chart = folder / "mine"
    (chart / "templates").mkdir(parents=True)
    (chart / "Chart.yaml").write_text(yaml.safe_dump(_CHART))
    (chart / "templates" / "deployment.yaml").write_text(yaml.safe_dump(deployment))
    options = ("--namespace", namespace.namespace, "--wait", "--timeout", "180s")
    helm("install", "mine", chart, *options, home=platform.home, kubeconfig=platform.node.cluster.kubeconfig)
    found = namespace.get("ModelDeployment", "chat")
    assert found
    return found


def test_helm_returns_when_the_model_serves(platform: Platform, namespace: Objects, tmp_path: Path) -> None:
    found = _install(platform, namespace, tmp_path, _simulated([]))
    assert is_ready(found), found.get("status")
    assert found["status"]["readyReplicas"] == 1


def test_helm_fails_at_once_where_only_another_spec_helps(
    platform: Platform, namespace: Objects, tmp_path: Path
) -> None:
    with pytest.raises(HelmRefusedError, match="Failed"):
        _install(platform, namespace, tmp_path, _simulated(["--port=1"]))
    found = namespace.get("ModelDeployment", "chat")
    assert found
    assert "--port" in condition(found, "Stalled")["message"]


def test_helm_fails_when_the_engine_never_starts_and_its_own_words_are_in_the_status(
    platform: Platform, namespace: Objects, tmp_path: Path
) -> None:
    broken = _simulated(["--seed=none"], rollout={"progressDeadlineSeconds": 30})
    with pytest.raises(HelmRefusedError, match="Failed"):
        _install(platform, namespace, tmp_path, broken)
    found = namespace.get("ModelDeployment", "chat")
    assert found
    assert condition(found, "Stalled")["status"] == "True"
    failure = found["status"]["lastFailure"]
    assert (failure["component"], failure["exitCode"]) == ("engine", 2)
    assert "--seed" in failure["message"]
