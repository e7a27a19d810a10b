"""An object that a newer or an older release wrote breaks no pass, and loses nothing."""

import copy
from collections.abc import Iterator

import pytest
import yaml
from support.cluster.cluster import CRDS, Cluster, condition, start
from support.cluster.objects import Object, wait_until
from support.model_objects import children, looked_at, model
from support.running_operator import RunningOperator, operator

NAME = "modeldeployments.mizzen.dev"


@pytest.fixture(scope="module")
def lenient() -> Iterator[Cluster]:
    """An API server whose definition keeps what it does not know, and checks nothing: as another release's would."""
    definition = yaml.safe_load((CRDS / f"{NAME}.yaml").read_text())
    schema = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    anything = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    kept = {name: schema["properties"][name] for name in ("apiVersion", "kind", "metadata")}
    lenient = {**schema, "properties": {**kept, "spec": anything, "status": anything}}
    lenient.pop("x-kubernetes-validations", None)
    lenient.pop("required", None)
    definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"] = lenient
    with start() as cluster:
        cluster.objects.apply(definition, manager="mizzen-crds", force=True)
        wait_until(lambda: keeps_unknown_fields(cluster), 30, "the definition is not served yet")
        yield cluster


def keeps_unknown_fields(cluster: Cluster) -> bool:
    probe = model("probe", unheard={"of": True})
    kept = cluster.objects.call(
        "POST", "/apis/mizzen.dev/v1alpha1/namespaces/default/modeldeployments?dryRun=All", json=probe
    )
    return "unheard" in kept["spec"]


@pytest.fixture(scope="module")
def working(lenient: Cluster) -> Iterator[RunningOperator]:
    """The operator of this release."""
    with operator(lenient) as running:
        yield running


def newer(name: str) -> Object:
    body = model(name, thermals={"limit": 80})
    body["spec"]["engine"]["turbo"] = True
    return body


def test_fields_of_a_newer_release_are_passed_over_and_kept(lenient: Cluster, working: RunningOperator) -> None:
    objects = lenient.objects
    objects.create(newer("newer"))
    objects.wait("ModelDeployment", "newer", looked_at)
    objects.merge("ModelDeployment", "newer", {"status": {"dreams": ["electric"]}}, subresource="status")
    objects.merge("ModelDeployment", "newer", {"spec": {"replicas": 2}})
    found = objects.wait("ModelDeployment", "newer", looked_at)
    assert found["spec"]["thermals"] == {"limit": 80}
    assert found["spec"]["engine"]["turbo"] is True
    assert found["status"]["dreams"] == ["electric"]
    assert working.metric("mizzen_operator_pass_seconds_count", outcome="failed") == 0


def test_a_status_of_another_release_is_no_hindrance(lenient: Cluster, working: RunningOperator) -> None:
    objects = lenient.objects
    objects.create(model("odd"))
    objects.wait("ModelDeployment", "odd", looked_at)
    strange = {"revisions": [{"name": "odd-1", "hash": "1", "state": "Hibernating"}], "rollout": {"step": "two"}}
    objects.merge("ModelDeployment", "odd", {"status": strange}, subresource="status")
    objects.merge("ModelDeployment", "odd", {"spec": {"replicas": 2}})
    objects.wait("ModelDeployment", "odd", looked_at)
    assert working.metric("mizzen_operator_pass_seconds_count", outcome="failed") == 0


def test_an_object_without_a_status_is_taken_up(lenient: Cluster, working: RunningOperator) -> None:
    objects = lenient.objects
    created = objects.create(model("older"))
    assert "status" not in created
    assert objects.wait("ModelDeployment", "older", looked_at)


def test_a_value_that_this_release_does_not_know_changes_nothing_and_is_told(
    lenient: Cluster, working: RunningOperator
) -> None:
    objects = lenient.objects
    objects.create(model("unreadable"))
    objects.wait("ModelDeployment", "unreadable", looked_at)
    before = copy.deepcopy(sorted(one["metadata"]["resourceVersion"] for one in children(objects, "unreadable")))
    objects.merge("ModelDeployment", "unreadable", {"spec": {"rollout": {"strategy": "Teleport"}}})
    found = objects.wait(
        "ModelDeployment", "unreadable", lambda one: condition(one, "UpToDate").get("status") == "Unknown"
    )
    assert "strategy" in condition(found, "UpToDate")["message"]
    assert sorted(one["metadata"]["resourceVersion"] for one in children(objects, "unreadable")) == before
