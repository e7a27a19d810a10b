"""What a change of an existing deployment may not do."""

from typing import Any

from mizzen_crds.v1alpha1.model_deployment import ModelDeployment
from mizzen_crds.v1alpha1.model_deployment.rules import forbidden_changes


def _deployment(**spec: Any) -> ModelDeployment:
    base = {"model": {"uri": "hf://a/b"}, "engine": {"type": "vLLM"}}
    return ModelDeployment.model_validate({"metadata": {"name": "a"}, "spec": base | spec})


def test_an_engine_stays() -> None:
    found = forbidden_changes(_deployment(), _deployment(engine={"type": "Simulated"}))
    assert [mistake.path for mistake in found] == ["spec.engine.type"]
    assert "make a new ModelDeployment" in found[0].message


def test_a_size_stays() -> None:
    one, two = ({"size": size} for size in (2, 4))
    assert forbidden_changes(_deployment(multiNode=one), _deployment(multiNode=two))
    assert forbidden_changes(_deployment(), _deployment(multiNode=two))
    assert forbidden_changes(_deployment(multiNode=one), _deployment())


def test_the_rest_may_change() -> None:
    assert forbidden_changes(_deployment(), _deployment(model={"uri": "hf://a/c"}, replicas=3)) == []
