"""Served names are unique in a project, which may have several namespaces; other projects' names do not matter."""

from typing import Any

from mizzen_crds.v1alpha1 import conditions
from mizzen_crds.v1alpha1.model_deployment import ModelDeployment
from mizzen_operator.kinds.model_deployment.admission import refusals
from mizzen_operator.reconcile.primaries import Primaries

PROJECTS = {"cards-a": "cards", "cards-b": "cards", "other": "other"}


def manifest(namespace: str, minute: int, **spec: Any) -> dict[str, Any]:
    metadata = {"name": "chat", "namespace": namespace, "uid": f"{namespace}-{minute}", "resourceVersion": str(minute)}
    metadata["creationTimestamp"] = f"2026-01-01T12:{minute:02}:00Z"
    body = {"model": {"uri": "hf://a/b@main"}, "engine": {"type": "vLLM"}, **spec}
    return {
        "apiVersion": "mizzen.dev/v1alpha1",
        "kind": "ModelDeployment",
        "metadata": {**metadata, "generation": 1},
        "spec": body,
    }


def test_the_oldest_of_the_project_has_the_name_whatever_its_namespace() -> None:
    primaries = Primaries(lambda namespace: PROJECTS[namespace])
    older, younger, stranger = manifest("cards-a", 1), manifest("cards-b", 2), manifest("other", 0)
    for one in (older, younger, stranger):
        primaries.learn(one)
    found = list(primaries.rivals(ModelDeployment.model_validate(younger)))
    assert [one.metadata.namespace for one in found] == ["cards-a"]
    refused = refusals(ModelDeployment.model_validate(younger), None, None, found)
    told = next(one.message for one in refused if one.reason == conditions.NAME_TAKEN)
    assert "chat is served by the older deployment cards-a/chat" in told
    assert primaries.sharing(older) == [("cards-b", "chat")]
    assert list(primaries.rivals(ModelDeployment.model_validate(stranger))) == []


def test_an_adapters_name_is_one_of_them() -> None:
    primaries = Primaries(lambda namespace: PROJECTS[namespace])
    adapters = [{"name": "polite", "uri": "hf://a/polite@main"}]
    primaries.learn(manifest("cards-a", 1, adapters=adapters))
    younger = ModelDeployment.model_validate(manifest("cards-b", 2, servedModelName="polite"))
    assert [one.metadata.namespace for one in primaries.rivals(younger)] == ["cards-a"]
