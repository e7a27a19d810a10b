"""What stands around a serving revision while its newest spec is refused: it stays, and comes back."""

from typing import Any

import pytest
from support.model_objects import model
from support.pass_in_memory import OneDeployment

ENGINES = {"Simulated": "hf://org/repo@main", "Triton": "s3://bucket/model", "vLLM": "pvc://claim/model"}
AROUND = ("Service", "NetworkPolicy", "PodDisruptionBudget")


def spec(engine: str, **more: Any) -> dict[str, Any]:
    whole: dict[str, Any] = model("chat", engine, ENGINES[engine], replicas=2, **more)["spec"]
    formats = {"Triton": "ONNX", "vLLM": "Safetensors"}
    if engine in formats:
        whole["model"]["format"] = formats[engine]
    return whole


def rolled_out(status: dict[str, Any]) -> bool:
    return any(one["type"] == "UpToDate" and one["status"] == "True" for one in status["conditions"])


def around(one: OneDeployment) -> dict[tuple[str, str], Any]:
    """What stands around revisions, by kind and name, as wanted."""
    return {key: kept["spec"] for key, kept in one.objects.kept.items() if key[0] in AROUND}


def versions(one: OneDeployment) -> dict[tuple[str, str], str]:
    """Of every child: changes with each write."""
    kinds = (*AROUND, "Deployment", "ControllerRevision")
    return {key: kept["metadata"]["resourceVersion"] for key, kept in one.objects.kept.items() if key[0] in kinds}


@pytest.fixture(params=ENGINES)
def refused(request: pytest.FixtureRequest) -> OneDeployment:
    """A deployment that serves, whose newest spec asks for an argument that is not allowed."""
    one = OneDeployment({**model("chat"), "spec": spec(request.param)})
    one.look_until(rolled_out)
    wrong = spec(request.param)
    wrong["engine"] = {**wrong["engine"], "args": ["--forbidden=1"]}
    one.change(wrong)
    one.look()
    assert any(said["reason"] == "ArgNotAllowed" for said in one.status["conditions"])
    return one


def test_what_is_deleted_comes_back_as_it_was(refused: OneDeployment) -> None:
    before = around(refused)
    assert {kind for kind, _ in before} == set(AROUND)
    needed = {key: value for key, value in before.items() if key[1] != "chat-fetch" or _fetches(refused)}
    for kind, name in before:
        refused.remove(kind, name)
    refused.look()
    assert around(refused) == needed


def test_a_hand_edit_is_set_back(refused: OneDeployment) -> None:
    before = around(refused)
    policy = refused.objects.kept["NetworkPolicy", "chat"]
    everybody = {**policy["spec"], "ingress": [{}]}
    refused.caches.children["NetworkPolicy"].learn(refused.objects.put({**policy, "spec": everybody}))
    refused.look()
    assert around(refused) == before


def test_a_pass_writes_nothing_while_all_is_there_and_nothing_when_the_spec_is_right_again(
    refused: OneDeployment,
) -> None:
    before = versions(refused)
    refused.look()
    assert versions(refused) == before
    refused.change(spec(refused.live["spec"]["engine"]["type"]))
    refused.look_until(rolled_out)
    assert versions(refused) == before


def test_what_would_be_made_otherwise_now_is_left_as_it_is(refused: OneDeployment) -> None:
    wrong = refused.live["spec"]
    before = versions(refused)
    refused.change({**wrong, "rollout": {"minAvailable": 1}})
    refused.look()
    assert versions(refused) == before, "the budget follows the spec once that is taken"


def test_a_deployment_that_never_served_gets_nothing() -> None:
    wrong = spec("Simulated")
    one = OneDeployment({**model("chat"), "spec": {**wrong, "engine": {**wrong["engine"], "args": ["--forbidden=1"]}}})
    one.look()
    assert around(one) == {}


def _fetches(one: OneDeployment) -> bool:
    (workload,) = (kept for (kind, _), kept in one.objects.kept.items() if kind == "Deployment")
    return any(init["name"] == "fetch" for init in workload["spec"]["template"]["spec"]["initContainers"])
