"""Do the programs need what they are granted? They run with the rights of the chart; the audit log tells."""

from pathlib import Path

import httpx
import pytest
from support.chart import NAMESPACE, Installation
from support.cluster.cluster import start
from support.cluster.objects import wait_until
from support.controlplane import ControlPlane
from support.gateway_of_cluster import cluster_gateway
from support.kind_objects import accelerator_class, project, quota, route
from support.model_objects import children, model, says, wait_ready
from support.permissions import Used, asked_by, used_as_granted
from support.running_operator import operator

_RBAC = "rbac.authorization.k8s.io"
NEEDED_BY_A_TEAM: tuple[Used, ...] = (
    *(("mizzen.dev", f"{kind}/status", "patch") for kind in ("projects", "modelroutes", "acceleratorclasses")),
    *(("", "namespaces", verb) for verb in ("get", "list", "watch", "create", "patch")),
    *(("", "resourcequotas", verb) for verb in ("list", "watch", "create", "patch", "delete")),
    *((_RBAC, "rolebindings", verb) for verb in ("list", "watch", "create", "patch", "delete")),
    *(("networking.k8s.io", "networkpolicies", verb) for verb in ("create", "patch", "delete")),
)


@pytest.mark.timeout(300)
def test_the_operator_needs_no_verb_beyond_its_role_and_none_is_refused(installation: Installation) -> None:
    installation.install()
    cluster = installation.cluster
    account = cluster.service_account_kubeconfig(NAMESPACE, "mizzen-operator")
    with operator(cluster, account) as running:
        live_a_life(installation)
        live_as_a_team(installation)
        running.wait_idle()
    counted = used_as_granted("operator", cluster.audit_events(), "mizzen-operator")
    assert counted["mizzen.dev", "modeldeployments/status", "patch"] > 0
    assert counted["apps", "deployments", "create"] > 0
    assert set(NEEDED_BY_A_TEAM) <= set(counted), set(NEEDED_BY_A_TEAM) - set(counted)


@pytest.mark.timeout(300)
def test_the_control_plane_needs_every_verb_of_its_role_and_no_other(
    installation: Installation, tmp_path: Path
) -> None:
    installation.install()
    installation.first_start(tmp_path)
    cluster = installation.cluster
    environment = {
        "KUBECONFIG": str(cluster.service_account_kubeconfig(NAMESPACE, "mizzen-controlplane")),
        "MIZZEN_STORE": "kubernetes",
        "MIZZEN_NAMESPACE": NAMESPACE,
        "MIZZEN_GATEWAY_SUBJECT": f"system:serviceaccount:{NAMESPACE}:mizzen-gateway",
    }
    url = f"sqlite+aiosqlite:///{tmp_path / 'plane' / 'controlplane.db'}"
    with ControlPlane(tmp_path / "plane", url, environment=environment) as plane, plane.client() as admin:
        live_as_people(installation, admin)
        read_as_a_program(installation, plane)
    used_as_granted("controlplane", cluster.audit_events(), "mizzen-controlplane")


def live_as_people(installation: Installation, admin: httpx.Client) -> None:
    """A project made and changed over the REST API, and a deployment in it from its first day to its last."""
    objects = installation.cluster.objects
    assert admin.post("/api/v1/projects", json={"name": "people"}).status_code == 201
    objects.wait("Project", "people", lambda _: True)
    assert admin.patch("/api/v1/projects/people", json={"allow_code": True}).status_code == 200
    objects.wait("Project", "people", lambda one: one["spec"]["modelCode"] == "Allowed")
    objects.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "people"}})
    path = "/api/v1/projects/people/deployments"
    body = {"apiVersion": "mizzen.dev/v1alpha1", "kind": "ModelDeployment", "metadata": {"name": "m"}}
    body["spec"] = {"model": {"uri": "hf://org/repo@main"}, "engine": {"type": "Simulated"}}
    assert admin.put(f"{path}/m", json=body).status_code == 201
    container = {"name": "engine", "image": "registry.test/engine"}
    metadata = {"name": "m-1", "namespace": "people", "labels": {"mizzen.dev/deployment": "m"}}
    objects.apply({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"containers": [container]}})
    said = [
        admin.get(path),
        admin.post(f"{path}/m:scale", json={"replicas": 2}),
        admin.get(f"{path}/m/events"),
        admin.get(f"{path}/m/logs"),
        admin.delete(f"{path}/m"),
    ]
    assert [answer.status_code for answer in said] == [200, 200, 200, 200, 204], [answer.text for answer in said]


def read_as_a_program(installation: Installation, plane: ControlPlane) -> None:
    """Objects listed, read and watched over the internal routes, by a gateway that shows its token of the cluster."""
    token = installation.cluster.service_account_token(NAMESPACE, "mizzen-gateway", audience="mizzen-controlplane")
    headers = {"authorization": f"Bearer {token}"}
    with httpx.Client(base_url=plane.url, headers=headers, trust_env=False, timeout=30) as program:
        for kind in ("ModelDeployment", "ServingRuntime"):
            listed = program.get(f"/internal/v1/objects/{kind}")
            assert listed.status_code == 200, listed.text
            query = {"kinds": kind, "after": listed.json()["resource_version"]}
            with program.stream("GET", "/internal/v1/objects:watch", params=query) as answer:
                assert answer.status_code == 200
                next(answer.iter_lines())
        assert program.get("/internal/v1/objects/ServingRuntime/_/triton").status_code == 200


@pytest.mark.timeout(300)
def test_the_gateway_needs_every_verb_of_its_role_and_no_other(tmp_path: Path) -> None:
    with start(audit=True) as cluster, cluster_gateway(cluster, tmp_path / "gateway") as gateway:
        gateway.process.start()
        gateway.wait_ready()
        wait_until(
            lambda: sum(verb == "watch" for (_, _, verb), _, _ in asked_by(cluster.audit_events(), "gateway")) >= 4,
            30,
            gateway.process.last_lines,
        )
        used_as_granted("gateway", cluster.audit_events(), "gateway")


def live_a_life(installation: Installation) -> None:
    """Create, scale, change, repair, stop, delete."""
    objects = installation.cluster.objects
    objects.create(model("life", replicas=2))
    wait_ready(objects, "life")
    objects.merge("ModelDeployment", "life", {"spec": {"replicas": 1}})
    wait_ready(objects, "life")
    objects.merge("ModelDeployment", "life", {"spec": {"maxModelLen": None, "engine": {"args": ["--seed=7"]}}})
    wait_ready(objects, "life")
    service = next(each for each in children(objects, "life") if each["kind"] == "Service")
    uid = service["metadata"]["uid"]
    objects.delete("Service", service["metadata"]["name"])
    objects.wait("Service", service["metadata"]["name"], lambda each: each["metadata"]["uid"] != uid)
    objects.delete("ModelDeployment", "life")
    objects.wait_gone("ModelDeployment", "life")


def live_as_a_team(installation: Installation) -> None:
    """A class, a project in a namespace that was there and one that was not, a route; edits, a leave, and the end."""
    objects = installation.cluster.objects
    objects.create(accelerator_class("team-class"))
    objects.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "there-before"}})
    members = [{"kind": "User", "name": "ada", "role": role} for role in ("Admin",)]
    members += [{"kind": "Group", "name": "ml", "role": "Edit"}, {"kind": "Group", "name": "all", "role": "View"}]
    spec = {"namespaces": ["team", "there-before"], "quota": quota("team-class", 4), "members": members}
    objects.create(project("team", **spec))
    objects.wait("Project", "team", says("Ready"), 60)
    objects.wait("AcceleratorClass", "team-class", says("NodesAvailable"), 60)
    objects.create(route("chat", "team", "missing"))
    objects.wait("ModelRoute", "chat", says("ResolvedRefs", "False"), 60, "team")
    for kind, name in (("ResourceQuota", "mizzen-project"), ("NetworkPolicy", "mizzen-default-deny")):
        objects.merge(kind, name, {"metadata": {"labels": {"mizzen.dev/project": "other"}}}, "team")
        objects.wait(kind, name, lambda one: one["metadata"]["labels"]["mizzen.dev/project"] == "team", 60, "team")
    objects.merge("RoleBinding", "mizzen-edit", {"subjects": []}, "team")
    objects.wait("RoleBinding", "mizzen-edit", lambda one: one.get("subjects"), 60, "team")
    objects.merge("Project", "team", {"spec": {"namespaces": ["team"], "members": [], "quota": quota("team-class", 2)}})
    for namespace in ("team", "there-before"):
        objects.wait_gone("RoleBinding", "mizzen-edit", 60, namespace)
    objects.wait_gone("ResourceQuota", "mizzen-project", 60, "there-before")
    objects.wait("Namespace", "there-before", lambda one: "mizzen.dev/project" not in one["metadata"]["labels"], 60)
    objects.delete("Project", "team")
    objects.wait_gone("NetworkPolicy", "mizzen-default-deny", 60, "team")


def test_the_control_plane_reads_one_secret_and_no_other(installation: Installation, tmp_path: Path) -> None:
    installation.install()
    cluster = installation.cluster
    other = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "other", "namespace": NAMESPACE}}
    cluster.objects.create(other)
    kubeconfig = cluster.service_account_kubeconfig(NAMESPACE, "mizzen-controlplane")
    assert cluster.kubectl("auth", "can-i", "get", "secret/mizzen-secrets", "-n", NAMESPACE, kubeconfig=kubeconfig)
    for verb, what in (("get", "secret/other"), ("list", "secrets"), ("create", "pods"), ("delete", "secrets")):
        said = cluster.kubectl("auth", "can-i", verb, what, "-n", NAMESPACE, kubeconfig=kubeconfig, check=False)
        assert said.strip() == "no", (verb, what)


@pytest.mark.parametrize("program", ["operator", "gateway"])
def test_operator_and_gateway_read_no_secret_anywhere(installation: Installation, program: str) -> None:
    installation.install()
    cluster = installation.cluster
    kubeconfig = cluster.service_account_kubeconfig(NAMESPACE, f"mizzen-{program}")
    for namespace in (NAMESPACE, "default"):
        said = cluster.kubectl("auth", "can-i", "get", "secrets", "-n", namespace, kubeconfig=kubeconfig, check=False)
        assert said.strip() == "no"
