"""Sentences about wrong objects."""

from typing import Any

import pytest
from mizzen_crds.mistakes import Mistake, field_names, mistakes
from mizzen_crds.v1alpha1.model_deployment import ModelDeployment
from mizzen_crds.v1alpha1.serving_runtime import ServingRuntime
from pydantic import ValidationError


def _found(spec: dict[str, Any]) -> list[Mistake]:
    with pytest.raises(ValidationError) as caught:
        ModelDeployment.model_validate({"metadata": {"name": "a"}, "spec": spec})
    return mistakes(caught.value, ModelDeployment)


def test_all_mistakes_are_told_at_once() -> None:
    found = _found({"model": {"uri": "hf://a/b"}, "engine": {"typ": "vLLM"}, "replicas": "3"})
    assert [mistake.path for mistake in found] == ["spec.engine.type", "spec.engine.typ", "spec.replicas"]


def test_all_broken_rules_are_told_at_once() -> None:
    found = _found({"model": {}, "engine": {"type": "Custom"}})
    assert [mistake.path for mistake in found] == ["spec.model", "spec.engine.runtimeRef"]


def test_a_mistake_has_a_json_pointer() -> None:
    mistake = Mistake(("spec", "podOverrides", "labels", "a/b~c", 0), "wrong")
    assert mistake.pointer == "/spec/podOverrides/labels/a~1b~0c/0"
    assert str(mistake) == "spec.podOverrides.labels[a/b~c][0]: wrong"


def test_a_mistake_of_the_whole_object_has_no_path() -> None:
    with pytest.raises(ValidationError) as caught:
        ModelDeployment.model_validate([])
    assert [str(mistake) for mistake in mistakes(caught.value, ModelDeployment)] == [
        "must be a map of fields, but it is a list"
    ]


def test_the_value_of_a_variable_is_never_repeated() -> None:
    secret = "s3cr3t" * 6_000
    found = _found({"model": {"uri": "hf://a/b"}, "engine": {"type": "vLLM", "env": [{"name": "A", "value": secret}]}})
    assert [mistake.path for mistake in found] == ["spec.engine.env[0].value"]
    assert "s3cr3t" not in str(found[0])
    assert "at most 32768 characters" in str(found[0])


def test_a_long_value_is_not_repeated() -> None:
    (mistake,) = _found({"servedModelName": "a" * 100, "model": {"uri": "hf://a/b"}, "engine": {"type": "Triton"}})
    assert str(mistake) == "spec.servedModelName: must have at most 63 characters; it has 100 characters"


def test_fields_are_known_by_their_place() -> None:
    assert field_names(ModelDeployment, ("spec", "adapters", 0, "versionRef")) == ["model", "version", "alias"]
    assert field_names(ModelDeployment, ("spec", "placement", "affinity", "x")) == []


def test_a_runtime_needs_the_ports_of_its_probes() -> None:
    spec = {
        "engine": "Custom",
        "protocol": "OpenAI",
        "image": "example.org/engine:1",
        "command": ["serve"],
        "ports": [{"name": "http", "containerPort": 8000}],
        "readiness": {"path": "/ready"},
        "liveness": {"path": "/live", "port": "metrics"},
        "allowedArgs": ["--seed"],
        "ownedArgs": ["--seed"],
    }
    with pytest.raises(ValidationError) as caught:
        ServingRuntime.model_validate({"metadata": {"name": "a"}, "spec": spec})
    assert [mistake.path for mistake in mistakes(caught.value, ServingRuntime)] == ["spec.ports", "spec.allowedArgs"]
