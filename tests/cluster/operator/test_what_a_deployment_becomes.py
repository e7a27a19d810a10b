"""A ModelDeployment becomes its children, they are kept as they should be, and they go with it."""

from typing import Any

import pytest
from support.cluster.cluster import Cluster, condition
from support.cluster.objects import Object, Objects, wait_until
from support.model_objects import CHILD_KINDS, children, model, pods, says, wait_ready, workload


def kinds(objects: Objects, name: str) -> list[str]:
    return sorted(one["kind"] for one in children(objects, name))


def test_it_becomes_all_its_children_and_ready(objects: Objects) -> None:
    objects.create(model("all", replicas=2))
    deployment = wait_ready(objects, "all")
    assert kinds(objects, "all") == sorted([*CHILD_KINDS, "Service"])
    assert deployment["status"]["readyReplicas"] == 2
    assert len(pods(objects, "all")) == 2
    owners = {one["metadata"]["ownerReferences"][0]["uid"] for one in children(objects, "all")}
    assert owners == {deployment["metadata"]["uid"]}
    assert "finalizers" not in deployment["metadata"]


def test_a_running_fetch_may_reach_out_and_nothing_after_it(objects: Objects) -> None:
    objects.create(model("fetching", "Triton", uri="hf://org/repo@main", **ONNX))
    wait_ready(objects, "fetching")
    wait_until(lambda: phases(objects, "fetching") == {"serve"}, 20, lambda: str(phases(objects, "fetching")))
    template = workload(objects, "fetching")["spec"]["template"]["metadata"]["labels"]
    assert template["mizzen.dev/phase"] == "fetch"
    assert {one["metadata"]["name"] for one in objects.list("NetworkPolicy")} == {"fetching", "fetching-fetch"}


ONNX = {"model": {"uri": "hf://org/repo@main", "format": "ONNX"}}


def phases(objects: Objects, name: str) -> set[str]:
    return {one["metadata"]["labels"]["mizzen.dev/phase"] for one in pods(objects, name)}


EDITS: dict[str, tuple[str, Any, Any]] = {
    "replicas": ("Deployment", {"spec": {"replicas": 3}}, lambda one: one["spec"]["replicas"] == 1),
    "strategy": (
        "Deployment",
        {"spec": {"strategy": {"type": "Recreate", "rollingUpdate": None}}},
        lambda one: one["spec"]["strategy"]["type"] == "RollingUpdate",
    ),
    "selector": (
        "Service",
        {"spec": {"selector": {"app": "mine"}}},
        lambda one: "app" not in one["spec"]["selector"],
    ),
    "open policy": (
        "NetworkPolicy",
        {"spec": {"egress": [{}]}},
        lambda one: not one["spec"].get("egress"),
    ),
    "budget": ("PodDisruptionBudget", {"spec": {"maxUnavailable": 9}}, lambda one: one["spec"]["maxUnavailable"] == 1),
    "label": (
        "ControllerRevision",
        {"metadata": {"labels": {"mizzen.dev/deployment": "other"}}},
        lambda one: one["metadata"]["labels"]["mizzen.dev/deployment"] == "edited",
    ),
    "lost label": (
        "Service",
        {"metadata": {"labels": {"app.kubernetes.io/managed-by": None}}},
        lambda one: one["metadata"]["labels"].get("app.kubernetes.io/managed-by") == "mizzen",
    ),
}


@pytest.mark.parametrize("edit", EDITS)
def test_a_child_edited_by_hand_is_set_back(objects: Objects, edit: str) -> None:
    kind, patch, holds = EDITS[edit]
    objects.create(model("edited"))
    wait_ready(objects, "edited")
    name = next(one["metadata"]["name"] for one in children(objects, "edited") if one["kind"] == kind)
    edited = objects.merge(kind, name, patch)
    assert not holds(edited)
    objects.wait(kind, name, holds, 10)


def test_the_image_of_a_running_revision_edited_by_hand_is_set_back(objects: Objects) -> None:
    objects.create(model("image"))
    wait_ready(objects, "image")
    live = workload(objects, "image")
    wanted = live["spec"]["template"]["spec"]["containers"][0]["image"]
    live["spec"]["template"]["spec"]["containers"][0]["image"] = "example.org/other:1"
    objects.replace(live)
    objects.wait(
        "Deployment",
        live["metadata"]["name"],
        lambda one: one["spec"]["template"]["spec"]["containers"][0]["image"] == wanted,
        10,
    )


@pytest.mark.parametrize("kind", [kind for kind in CHILD_KINDS if kind != "ControllerRevision"])
def test_a_child_deleted_by_hand_comes_back_as_it_was(objects: Objects, kind: str) -> None:
    objects.create(model("deleted"))
    wait_ready(objects, "deleted")
    lost = next(one for one in children(objects, "deleted") if one["kind"] == kind)
    objects.delete(kind, lost["metadata"]["name"])
    found = objects.wait(
        kind, lost["metadata"]["name"], lambda one: one["metadata"]["uid"] != lost["metadata"]["uid"], 10
    )
    assert strict(found["spec"]) == strict(lost["spec"])


def test_a_lost_template_is_taken_from_what_runs_so_that_no_pod_is_touched(objects: Objects) -> None:
    objects.create(model("template"))
    wait_ready(objects, "template")
    before, running = workload(objects, "template"), {one["metadata"]["uid"] for one in pods(objects, "template")}
    name = before["metadata"]["name"]
    kept = objects.get("ControllerRevision", name)
    assert kept is not None
    objects.delete("ControllerRevision", name)
    found = objects.wait("ControllerRevision", name, lambda one: one["metadata"]["uid"] != kept["metadata"]["uid"], 10)
    assert found["data"]["inputs"] == kept["data"]["inputs"]
    objects.merge("ModelDeployment", "template", {"spec": {"replicas": 2}})
    wait_until(lambda: len(pods(objects, "template")) == 2, 20, "not scaled")
    assert workload(objects, "template")["spec"]["template"] == before["spec"]["template"]
    assert running <= {one["metadata"]["uid"] for one in pods(objects, "template")}


def strict(part: Any) -> Any:
    """Without what the API server gives each object anew."""
    if isinstance(part, dict):
        fresh = ("clusterIP", "clusterIPs", "creationTimestamp")
        return {name: strict(value) for name, value in part.items() if name not in fresh}
    return [strict(one) for one in part] if isinstance(part, list) else part


def test_an_object_of_someone_else_with_a_childs_name_is_left_alone_and_told(objects: Objects) -> None:
    port = {"name": "http", "port": 80}
    mine = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "taken"}, "spec": {"ports": [port]}}
    before = objects.create(mine)
    objects.create(model("taken"))
    deployment = objects.wait("ModelDeployment", "taken", says("UpToDate", "False", "ChildOwnedBySomeoneElse"))
    assert "Service taken" in condition(deployment, "UpToDate")["message"]
    found = objects.get("Service", "taken")
    assert found is not None
    assert found["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]
    objects.delete("Service", "taken")
    wait_ready(objects, "taken")


def test_no_pod_starts_that_no_policy_isolates(objects: Objects) -> None:
    policy = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "spec": {"podSelector": {}}}
    objects.create({**policy, "metadata": {"name": "open"}})
    objects.create(model("open"))
    deployment = objects.wait("ModelDeployment", "open", says("UpToDate", "False", "ChildOwnedBySomeoneElse"))
    assert "NetworkPolicy open" in condition(deployment, "UpToDate")["message"]
    objects.wait("Service", "open", lambda one: True)
    assert not objects.list("Deployment", labels="mizzen.dev/deployment=open")
    objects.delete("NetworkPolicy", "open")
    wait_ready(objects, "open")


def test_everything_goes_with_it(objects: Objects) -> None:
    objects.create(model("gone", replicas=2))
    wait_ready(objects, "gone")
    objects.delete("ModelDeployment", "gone", propagationPolicy="Background")
    objects.wait_gone("ModelDeployment", "gone", 10)
    wait_until(lambda: not children(objects, "gone") and not pods(objects, "gone"), 60, "children are left")


def test_one_of_the_same_name_waits_for_the_children_of_the_one_before(objects: Objects) -> None:
    first = objects.create(model("again"))
    wait_ready(objects, "again")
    objects.delete("ModelDeployment", "again", propagationPolicy="Background")
    second = objects.create(model("again"))
    wait_ready(objects, "again", 90)
    owners = {one["metadata"]["ownerReferences"][0]["uid"] for one in children(objects, "again")}
    assert owners == {second["metadata"]["uid"]} != {first["metadata"]["uid"]}


def test_a_namespace_ends_at_once_though_a_rollout_runs(objects: Objects) -> None:
    objects.create(model("ending", replicas=3, podOverrides={"labels": {"test.mizzen.dev/pod": "never"}}))
    wait_until(lambda: len(pods(objects, "ending")) == 3, 30, "pods")
    objects.delete("Namespace", objects.namespace)
    objects.wait_gone("Namespace", objects.namespace, 60)


def test_a_changed_image_of_the_runtime_rolls_nothing_until_the_user_asks(cluster: Cluster, objects: Objects) -> None:
    runtime = {
        "apiVersion": "mizzen.dev/v1alpha1",
        "kind": "ServingRuntime",
        "metadata": {"name": "frozen"},
        "spec": {
            "engine": "Custom",
            "protocol": "OpenAI",
            "image": "example.org/engine:1",
            "command": ["serve"],
            "ports": [{"name": "http", "containerPort": 8000}],
            "readiness": {"path": "/healthz"},
            "liveness": {"path": "/healthz"},
        },
    }
    objects.create(runtime)
    objects.create(model("frozen", engine="Custom") | {"spec": custom("frozen")})
    wait_ready(objects, "frozen")
    before = workload(objects, "frozen")
    objects.merge("ServingRuntime", "frozen", {"spec": {"image": "example.org/engine:2"}})
    objects.merge("ModelDeployment", "frozen", {"spec": {"replicas": 2}})
    wait_until(lambda: workload(objects, "frozen")["spec"]["replicas"] == 2, 20, "not scaled")
    after = workload(objects, "frozen")
    assert after["metadata"]["name"] == before["metadata"]["name"]
    assert after["spec"]["template"] == before["spec"]["template"]
    objects.merge(
        "ModelDeployment", "frozen", {"metadata": {"annotations": {"mizzen.dev/restarted-at": "2026-01-01T00:00:00Z"}}}
    )
    wait_until(lambda: images(objects, "frozen") == {"example.org/engine:2"}, 60, "the new image was not taken")
    objects.delete("ServingRuntime", "frozen")


def custom(runtime: str) -> Object:
    return {"model": {"uri": "hf://org/repo@main"}, "engine": {"type": "Custom", "runtimeRef": runtime}}


def images(objects: Objects, name: str) -> set[str]:
    return {one["spec"]["containers"][0]["image"] for one in pods(objects, name)}
