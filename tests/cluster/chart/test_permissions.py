"""Do the programs need what they are granted? They run with the rights of the chart; the audit log tells."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from support.chart import CHART, NAMESPACE, Installation
from support.cluster.objects import Object
from support.kind_objects import accelerator_class, project, quota, route
from support.model_objects import children, model, says, wait_ready
from support.running_operator import operator

_RBAC = "rbac.authorization.k8s.io"
Used = tuple[str, str, str]
"""API group, resource with its subresource, verb."""
NEEDED_BY_A_TEAM: tuple[Used, ...] = (
    *(("mizzen.dev", f"{kind}/status", "patch") for kind in ("projects", "modelroutes", "acceleratorclasses")),
    *(("", "namespaces", verb) for verb in ("get", "list", "watch", "create", "patch")),
    *(("", "resourcequotas", verb) for verb in ("list", "watch", "create", "patch", "delete")),
    *((_RBAC, "rolebindings", verb) for verb in ("list", "watch", "create", "patch", "delete")),
    *(("networking.k8s.io", "networkpolicies", verb) for verb in ("create", "patch", "delete")),
)


def asked_by(events: list[Object], account: str) -> Iterator[tuple[Used, int, str]]:
    """What an account asked of the API, with the answer's status."""
    for event in events:
        reference = event.get("objectRef")
        if event["user"]["username"] != f"system:serviceaccount:{NAMESPACE}:{account}" or not reference:
            continue
        parts = filter(None, (reference["resource"], reference.get("subresource")))
        used = (reference.get("apiGroup", ""), "/".join(parts), event["verb"])
        yield used, event.get("responseStatus", {}).get("code", 0), event["requestURI"]


def granted_to(program: str) -> set[Used]:
    """Every verb of the published list."""
    published = yaml.safe_load((CHART / "files" / "rbac" / f"{program}.yaml").read_text())
    return {
        (group, resource, verb)
        for rule in (*published["cluster"], *published["namespace"])
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


@pytest.mark.timeout(300)
def test_the_operator_needs_no_verb_beyond_its_role_and_none_is_refused(installation: Installation) -> None:
    installation.install()
    cluster = installation.cluster
    account = cluster.service_account_kubeconfig(NAMESPACE, "mizzen-operator")
    with operator(cluster, account) as running:
        live_a_life(installation)
        live_as_a_team(installation)
        running.wait_idle()
    asked = list(asked_by(cluster.audit_events(), "mizzen-operator"))
    counted = Counter(used for used, _, _ in asked)
    refused = [(used, uri) for used, status, uri in asked if status in (401, 403)]
    assert refused == []
    granted = granted_to("operator")
    assert set(counted) <= granted, set(counted) - granted
    assert counted["mizzen.dev", "modeldeployments/status", "patch"] > 0
    assert counted["apps", "deployments", "create"] > 0
    assert set(NEEDED_BY_A_TEAM) <= set(counted), set(NEEDED_BY_A_TEAM) - set(counted)
    unused = sorted(granted - set(counted))
    print(f"{len(asked)} requests, {len(counted)} of {len(granted)} granted verbs used; not in this run: {unused}")


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
