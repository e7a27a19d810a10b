"""A version that does not fit its accelerators gets no pods, and the one that serves keeps its own."""

from typing import Any

import pytest
from support.cluster.cluster import condition
from support.cluster.objects import Object, Objects
from support.model_objects import model, pods, says, wait_ready
from support.model_registry import ModelRegistry
from support.published_models import LLAMA_8B, LLAMA_70B

NAME = "ModelDeployment"


def signature(config: dict[str, Any], weights: int) -> dict[str, Any]:
    """What the control plane keeps of a model of 16-bit floats."""
    return {"architecture": "LlamaForCausalLM", "memory": {"tensor_bytes": {"BF16": weights}, "config": config}}


@pytest.fixture(scope="module")
def card(cluster: Any) -> str:
    """A class of accelerators with 80 GiB, on every node that has one."""
    klass = {
        "apiVersion": "mizzen.dev/v1alpha1",
        "kind": "AcceleratorClass",
        "metadata": {"name": "card-80"},
        "spec": {"resourceName": "nvidia.com/gpu", "memory": "80Gi"},
    }
    cluster.objects.create(klass)
    return "card-80"


@pytest.fixture
def versions(registry: ModelRegistry) -> ModelRegistry:
    """Version 1 of `llama` fits a card, version 2 needs two."""
    registry.push("llama", 1, format="Safetensors", signature=signature(LLAMA_8B, 16_060_522_496))
    registry.push("llama", 2, format="Safetensors", signature=signature(LLAMA_70B, 141_107_412_992))
    return registry


def llama(card: str, version: int, fit_check: str = "Enforce") -> Object:
    """A deployment of that version on one card."""
    body = model("llama", "vLLM")
    body["spec"]["model"] = {"versionRef": {"model": "llama", "version": version}}
    body["spec"]["engine"]["maxModelLen"] = 8192
    body["spec"]["resources"] = {"acceleratorClass": card, "acceleratorsPerPod": 1, "fitCheck": fit_check}
    return body


def running(objects: Objects) -> set[str]:
    """The pods that are not on their way out."""
    return {one["metadata"]["uid"] for one in pods(objects, "llama") if "deletionTimestamp" not in one["metadata"]}


def test_a_version_that_does_not_fit_gets_no_pods_until_the_user_says_so(
    objects: Objects, versions: ModelRegistry, card: str
) -> None:
    objects.create(llama(card, 1))
    deployment = wait_ready(objects, "llama")
    assert condition(deployment, "ModelFits")["status"] == "True"
    assert "1 x 80 GiB at 0.9 with tensor: 1 leaves" in condition(deployment, "ModelFits")["message"]
    resolved = deployment["status"]["resolvedModel"]
    assert (resolved["architecture"], resolved["parameters"]) == ("LlamaForCausalLM", 8_030_261_248)
    assert 16_060_522_496 < resolved["estimatedMemoryBytes"] < 80 * 1024**3
    serving = running(objects)

    objects.merge(NAME, "llama", {"spec": llama(card, 2)["spec"]})
    refused = objects.wait(NAME, "llama", says("ModelFits", "False", "DoesNotFit"))
    assert "Set spec.engine.parallelism.tensor to 2" in condition(refused, "ModelFits")["message"]
    assert condition(refused, "Stalled")["reason"] == "DoesNotFit"
    assert condition(refused, "Ready")["status"] == "True"
    assert running(objects) == serving

    objects.merge(NAME, "llama", {"spec": {"resources": {"fitCheck": "Warn"}}})
    objects.wait(NAME, "llama", says("ModelFits", "True", "Fits"))  # it serves: no estimate says more than that
    proved = wait_ready(objects, "llama")
    assert condition(proved, "ModelFits")["message"].startswith("It has run so")
    assert running(objects).isdisjoint(serving)
