"""What another release wrote is read as far as this one understands it."""

import pytest
from mizzen_crds.v1alpha1.model_deployment import ModelDeployment
from mizzen_crds.v1alpha1.serving_runtime import ServingRuntime
from mizzen_operator.reading import UnreadableError, read_object
from mizzen_operator.runtimes.builtin import builtin_runtimes


def body(**spec: object) -> dict[str, object]:
    rest = {"model": {"uri": "hf://a/b@c"}, "engine": {"type": "Simulated"}}
    return {"metadata": {"name": "a", "namespace": "n"}, "spec": rest | spec}


def test_unknown_fields_are_passed_over_at_any_depth() -> None:
    given = body(thermals={"limit": 1}, rollout={"strategy": "Surge", "music": "loud"})
    read = read_object(ModelDeployment, given)
    assert read.spec.rollout.strategy == "Surge"
    assert "thermals" in given["spec"]  # type: ignore[operator]  # the given object stays whole


def test_a_class_of_which_no_pod_gets_an_accelerator_is_read_as_earlier_releases_took_it() -> None:
    read = read_object(ModelDeployment, body(resources={"acceleratorClass": "h100", "acceleratorsPerPod": 0}))
    assert read.spec.resources.accelerators_per_pod == 0


def test_an_unknown_value_in_the_spec_is_told_with_its_field() -> None:
    with pytest.raises(UnreadableError, match="strategy"):
        read_object(ModelDeployment, body(rollout={"strategy": "Teleport"}))


def test_anything_in_the_status_may_be_strange() -> None:
    revisions = [{"name": "a-1", "hash": "1", "state": "Hibernating", "createdAt": "2026-01-01T00:00:00Z"}]
    strange = body() | {"status": {"revisions": revisions, "rollout": {"step": "two"}, "replicas": "many"}}
    read = read_object(ModelDeployment, strange)
    assert [one.hash for one in read.status.revisions] == ["1"]
    assert read.status.replicas == 0


def test_a_runtime_of_a_newer_release_is_usable() -> None:
    given = builtin_runtimes()["simulated"].model_dump(mode="json", by_alias=True)
    given["spec"]["turbo"] = True
    assert read_object(ServingRuntime, given).spec.engine == "Simulated"
