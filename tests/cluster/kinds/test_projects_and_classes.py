"""What the plans of Project, AcceleratorClass and ModelRoute make, on a real API server: taken, and at work."""

from datetime import UTC, datetime
from typing import Any

import pytest
from mizzen_crds.v1alpha1.accelerator_class import AcceleratorClass
from mizzen_crds.v1alpha1.model_route import ModelRoute
from mizzen_crds.v1alpha1.project import Project
from mizzen_operator.kinds.accelerator_class.capacity import class_capacity
from mizzen_operator.kinds.accelerator_class.status import class_status
from mizzen_operator.kinds.model_route.neighbours import Neighbours
from mizzen_operator.kinds.model_route.status import route_status
from mizzen_operator.kinds.project.desired import desired
from mizzen_operator.kinds.project.environment import ProjectEnvironment
from mizzen_operator.kinds.project.status import ProjectObservation, project_status
from pydantic import BaseModel
from support.cluster.cluster import Cluster
from support.cluster.objects import Object, RefusedError

API = {"apiVersion": "mizzen.dev/v1alpha1"}
GPU = "nvidia.com/gpu"


def _stored(cluster: Cluster, kind: type[BaseModel], name: str, spec: Object, namespace: str = "") -> Any:
    metadata = {"name": name} | ({"namespace": namespace} if namespace else {})
    made = cluster.objects.create({**API, "kind": kind.__name__, "metadata": metadata, "spec": spec})
    return kind.model_validate(made)


def _write_status(cluster: Cluster, kind: str, name: str, status: BaseModel, namespace: str | None = None) -> Object:
    body = {"status": status.model_dump(mode="json", by_alias=True, exclude_none=True)}
    return cluster.objects.merge(kind, name, body, namespace, subresource="status")


def _pod(name: str, namespace: str, gpus: int, **spec: Any) -> Object:
    devices = {GPU: str(gpus)}
    locked = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    secure = {"runAsNonRoot": True, "runAsUser": 1000, "seccompProfile": {"type": "RuntimeDefault"}}
    resources = {"requests": devices, "limits": devices}
    container = {"name": "engine", "image": "engine", "resources": resources, "securityContext": locked}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"containers": [container], "securityContext": secure, **spec},
    }


def test_the_status_of_each_kind_is_taken_as_it_is_built(bare_cluster: Cluster) -> None:
    now = datetime.now(UTC)
    klass = _stored(bare_cluster, AcceleratorClass, "h100-status", {"resourceName": GPU, "memory": "80Gi"})
    written = _write_status(bare_cluster, "AcceleratorClass", "h100-status", class_status(klass, [], [], [klass], now))
    assert AcceleratorClass.model_validate(written).status.conditions[1].reason == "NoNodeMatches"

    project = _stored(bare_cluster, Project, "with-status", {"quota": {"accelerators": []}, "namespaces": ["x"]})
    seen = ProjectObservation([project], {}, {}, in_place=False)
    written = _write_status(bare_cluster, "Project", "with-status", project_status(project, seen, now))
    assert written["status"]["namespaces"] == [{"name": "x", "state": "Pending", "project": "with-status"}]
    assert written["status"]["observedGeneration"] == written["metadata"]["generation"]

    spec = {"rules": [{"name": "all", "backends": [{"deployment": "missing"}]}]}
    route = _stored(bare_cluster, ModelRoute, "with-status", spec, "default")
    written = _write_status(
        bare_cluster, "ModelRoute", "with-status", route_status(route, Neighbours(), now), "default"
    )
    assert written["status"]["backends"] == [{"rule": "all", "target": "deployment/missing", "state": "NotFound"}]


@pytest.mark.parametrize(
    ("kind", "spec"),
    [
        ("AcceleratorClass", {"resourceName": GPU, "memory": "80Gi"}),
        ("Project", {}),
        ("ModelRoute", {"rules": [{"name": "all", "backends": [{"deployment": "a"}]}]}),
    ],
)
def test_tools_wait_for_the_first_pass(bare_cluster: Cluster, kind: str, spec: Object) -> None:
    made = bare_cluster.objects.create({**API, "kind": kind, "metadata": {"name": "fresh"}, "spec": spec})
    assert made["status"] == {"observedGeneration": -1}


def test_a_projects_namespace_holds_its_pods_to_quota_and_pod_security(node_cluster: Cluster) -> None:
    objects = node_cluster.objects
    klass = _stored(node_cluster, AcceleratorClass, "h100", {"resourceName": GPU, "memory": "80Gi"})
    quota = {"accelerators": [{"acceleratorClass": "h100", "count": 3}]}
    members = [{"kind": "ServiceAccount", "name": "ci/builder", "role": "Edit"}]
    project = _stored(node_cluster, Project, "quota-holder", {"quota": quota, "members": members})
    wanted = desired(project, ["quota-holder"], {"h100": klass}, ProjectEnvironment())
    for manifest in wanted:
        objects.apply(manifest, manager="mizzen-operator")
    assert [one["kind"] for one in wanted] == ["Namespace", "ResourceQuota", "NetworkPolicy", "RoleBinding"]
    bounds = {f"requests.{GPU}": "3"}
    objects.wait(
        "ResourceQuota", "mizzen-project", lambda one: one.get("status", {}).get("hard") == bounds, 30, "quota-holder"
    )

    objects.wait("ServiceAccount", "default", bool, 30, "quota-holder")
    objects.create(_pod("within", "quota-holder", 2))
    with pytest.raises(RefusedError, match="exceeded quota: mizzen-project") as beyond:
        objects.create(_pod("beyond", "quota-holder", 2))
    assert beyond.value.status == 403
    insecure = _pod("insecure", "quota-holder", 1, hostNetwork=True)
    with pytest.raises(RefusedError, match='violates PodSecurity "restricted'):
        objects.create(insecure)

    objects.delete("Project", "quota-holder", propagationPolicy="Background")
    objects.wait_gone("ResourceQuota", "mizzen-project", 60, "quota-holder")
    kept = objects.get("Namespace", "quota-holder")
    assert kept is not None
    assert "deletionTimestamp" not in kept["metadata"], "a namespace outlives its project"


def test_what_is_free_is_what_the_scheduler_has_left(node_cluster: Cluster) -> None:
    objects = node_cluster.objects
    objects.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "capacity"}})
    objects.wait("ServiceAccount", "default", bool, 30, "capacity")
    klass = AcceleratorClass.model_validate(
        {"metadata": {"name": "any"}, "spec": {"resourceName": GPU, "memory": "80Gi"}}
    )

    def counted() -> Any:
        return class_capacity(klass, objects.list("Node", "*"), objects.list("Pod", "*"))

    before = counted()
    objects.create(_pod("five", "capacity", 5))
    objects.wait("Pod", "five", lambda one: one["spec"].get("nodeName"), 30, "capacity")
    after = counted()
    assert (after.free, after.requested) == (before.free - 5, before.requested + 5)

    fits = after.largest_free
    objects.create(_pod("fits", "capacity", fits))
    objects.wait("Pod", "fits", lambda one: one["spec"].get("nodeName"), 30, "capacity")
    too_big = counted().largest_free + 1
    assert counted().places(too_big) == 0
    objects.create(_pod("waits", "capacity", too_big))
    waiting = objects.wait("Pod", "waits", lambda one: one["status"].get("conditions"), 30, "capacity")
    assert waiting["status"]["conditions"][0]["reason"] == "Unschedulable"
    assert counted().waiting == too_big
