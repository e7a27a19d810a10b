"""What the operator says of ModelRoutes and AcceleratorClasses on a real API server, and what makes it look again."""

import pytest
from support.cluster.cluster import Cluster
from support.cluster.objects import Object, Objects, wait_until
from support.cluster.shared import fresh_namespace
from support.kind_objects import GPU, accelerator_class, events_about, pod, project, route, written
from support.model_objects import model, says, wait_ready

SECONDS = 60.0


@pytest.fixture
def within(worked_cluster: Cluster, objects: Objects) -> Objects:
    """A namespace of this test."""
    assert objects.server
    return fresh_namespace(worked_cluster)


def backends(found: Object) -> list[tuple[str, str]]:
    return [(one["target"], one["state"]) for one in found["status"].get("backends", [])]


def test_a_route_follows_what_becomes_of_its_deployment(within: Objects) -> None:
    within.create(route("chat", within.namespace, "small"))
    found = within.wait("ModelRoute", "chat", says("ResolvedRefs", "False", "BackendNotFound"), SECONDS)
    assert "spec.rules[0].backends[0]: there is no deployment/small." in found["status"]["conditions"][2]["message"]
    assert found["status"]["servedName"] == "chat"
    within.create(model("small"))
    wait_ready(within, "small")
    found = within.wait("ModelRoute", "chat", says("Ready", "True", "BackendsReady"), SECONDS)
    assert backends(found) == [("deployment/small", "Ready")]
    within.delete("ModelDeployment", "small")
    within.wait("ModelRoute", "chat", says("Ready", "False", "NoBackendReady"), SECONDS)
    told = [one["reason"] for one in events_about(within, "ModelRoute", "chat")]
    assert told.count("BackendsReady") == 1, told


def test_a_cycle_of_routes_stalls_them_until_it_is_broken(within: Objects) -> None:
    def leads(name: str, to: str) -> Object:
        return route(name, within.namespace, rules=[{"name": "all", "backends": [{"route": to}]}])

    within.create(leads("a", "b"))
    within.create(leads("b", "a"))
    for name in ("a", "b"):
        found = within.wait("ModelRoute", name, says("Accepted", "False", "RouteCycle"), SECONDS)
        assert any(one["type"] == "Stalled" for one in found["status"]["conditions"])
    broken = [{"name": "all", "backends": [{"deployment": "small"}]}]
    within.merge("ModelRoute", "b", {"spec": {"rules": broken}})
    within.wait("ModelRoute", "b", says("Accepted"), SECONDS)
    within.wait("ModelRoute", "a", says("Accepted"), SECONDS)


def test_a_name_is_the_older_routes_over_all_namespaces_of_a_project(objects: Objects) -> None:
    objects.create(project("names", namespaces=["names-one", "names-two"]))
    objects.wait("Project", "names", says("Ready"), SECONDS)
    first = objects.create(route("mine", "names-one", "x", servedModelName="chat"))

    def later() -> bool:
        """Ages are told in whole seconds."""
        probe = objects.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"generateName": "clock-"}})
        return bool(probe["metadata"]["creationTimestamp"] > first["metadata"]["creationTimestamp"])

    wait_until(later, 10.0, "the clock stands still")
    objects.create(route("too", "names-two", "x", servedModelName="chat"))
    found = objects.wait("ModelRoute", "too", says("Accepted", "False", "NameTaken"), SECONDS, "names-two")
    assert "names-one/mine" in str(found["status"]["conditions"])
    objects.wait("ModelRoute", "mine", says("Accepted"), SECONDS, "names-one")
    objects.delete("ModelRoute", "mine", "names-one")
    objects.wait("ModelRoute", "too", says("Accepted"), SECONDS, "names-two")


def test_another_projects_model_is_usable_once_it_is_shared(objects: Objects) -> None:
    for name in ("owner-team", "guest-team"):
        objects.create(project(name))
        objects.wait("Project", name, says("Ready"), SECONDS)
    objects.create(model("shared") | {"metadata": {"name": "shared", "namespace": "owner-team"}})
    rules = [{"name": "all", "backends": [{"model": "owner-team/shared"}]}]
    objects.create(written("ModelRoute", "guest", "guest-team", rules=rules))
    objects.wait("ModelRoute", "guest", says("ResolvedRefs", "False", "RefNotPermitted"), SECONDS, "guest-team")
    access = {"visibility": "Shared", "allowedProjects": ["guest-team"]}
    objects.merge("ModelDeployment", "shared", {"spec": {"access": access}}, "owner-team")
    objects.wait("ModelRoute", "guest", says("ResolvedRefs"), SECONDS, "guest-team")


def test_a_deployment_says_whose_it_is_and_moves_with_its_namespace(within: Objects) -> None:
    within.create(model("owned"))
    within.wait("ModelDeployment", "owned", lambda one: one["status"].get("project") == within.namespace, SECONDS)
    within.create(project("adopts", namespaces=[within.namespace]))
    within.wait("ModelDeployment", "owned", lambda one: one["status"].get("project") == "adopts", SECONDS)
    within.delete("Project", "adopts")
    within.wait("ModelDeployment", "owned", lambda one: one["status"].get("project") == within.namespace, SECONDS)


def test_a_class_counts_nodes_and_what_pods_hold(within: Objects) -> None:
    within.create(accelerator_class("counted"))

    def figures(*wanted: int) -> Object:
        def holds(one: Object) -> bool:
            said = one.get("status", {})
            names = ("nodes", "schedulableNodes", "allocatable", "requested", "free", "largestFree")
            return tuple(said.get(name, 0) for name in names) == wanted

        return within.wait("AcceleratorClass", "counted", holds, SECONDS)

    within.wait("AcceleratorClass", "counted", says("NodesAvailable"), SECONDS)
    before = within.get("AcceleratorClass", "counted")
    assert before is not None
    said = before["status"]
    held = said.get("requested", 0)
    within.wait("ServiceAccount", "default", bool, SECONDS)
    within.create(pod("three", within.namespace, 3))
    within.wait("AcceleratorClass", "counted", lambda one: one["status"].get("requested") == held + 3, SECONDS)
    within.delete("Pod", "three", gracePeriodSeconds=0)
    within.wait("AcceleratorClass", "counted", lambda one: one["status"].get("requested", 0) == held, SECONDS)
    node = within.list("Node")[0]["metadata"]["name"]
    within.merge("Node", node, {"spec": {"unschedulable": True}})
    within.wait("AcceleratorClass", "counted", lambda one: one["status"].get("schedulableNodes") == 1, SECONDS)
    within.merge("Node", node, {"spec": {"unschedulable": None}})
    figures(2, 2, 16, held, 16 - held, said["largestFree"])
    told = [one["reason"] for one in events_about(within, "AcceleratorClass", "counted")]
    assert told.count("NodesFound") == 1, told


def test_two_classes_of_the_same_nodes_say_so(within: Objects) -> None:
    within.create(accelerator_class("twin-a"))
    within.create(accelerator_class("twin-b"))
    within.wait("AcceleratorClass", "twin-a", says("Disjoint", "False", "ClassesOverlap"), SECONDS)
    for one in within.list("AcceleratorClass"):
        if one["metadata"]["name"] != "twin-a":
            within.delete("AcceleratorClass", one["metadata"]["name"])
    within.wait("AcceleratorClass", "twin-a", says("Disjoint"), SECONDS)
    assert GPU in str(within.get("AcceleratorClass", "twin-a"))
