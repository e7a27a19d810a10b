"""From an empty cluster to a running release, over an upgrade, to an uninstall that leaves what is the user's."""

from pathlib import Path
from typing import Any

from support.chart import CHART, NAMESPACE, RELEASE, Installation, documents, rendered
from support.cluster.objects import Object, wait_until

SECRET = "mizzen-secrets"
DEPLOYMENT = {
    "apiVersion": "mizzen.dev/v1alpha1",
    "kind": "ModelDeployment",
    "metadata": {"name": "mine", "namespace": "default"},
    "spec": {"model": {"uri": "hf://org/repo@main"}, "engine": {"type": "Simulated"}},
}

VOLUME = {
    "apiVersion": "v1",
    "kind": "PersistentVolume",
    "metadata": {"name": "one"},
    "spec": {
        "capacity": {"storage": "20Gi"},
        "accessModes": ["ReadWriteOnce"],
        "hostPath": {"path": "/nowhere"},
        "persistentVolumeReclaimPolicy": "Retain",
    },
}
"""For the control plane: nobody makes volumes in this cluster."""


def restrict(installation: Installation) -> None:
    """The namespace of the programs takes only pods that hold to Pod Security's strictest level."""
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    metadata = {"name": NAMESPACE, "labels": labels}
    installation.cluster.objects.create({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})


def secret_of(installation: Installation) -> Object:
    found = installation.cluster.objects.get("Secret", SECRET, NAMESPACE)
    assert found is not None
    return found


def running_pods(installation: Installation) -> set[str]:
    every = installation.cluster.objects.list("Pod", NAMESPACE)
    return {
        each["metadata"]["labels"]["app.kubernetes.io/name"]
        for each in every
        if each.get("status", {}).get("phase") == "Running"
    }


def test_it_installs_into_a_restricted_namespace_after_a_dry_run_on_the_server(installation: Installation) -> None:
    restrict(installation)
    installation.helm("install", "mizzen-crds", CHART.parent / "mizzen-crds", "--wait", "--timeout", "60s")
    said = installation.helm("install", RELEASE, CHART, "--dry-run=server")
    assert "STATUS: pending-install" in said
    assert installation.cluster.objects.get("Deployment", "mizzen-operator", NAMESPACE) is None
    installation.cluster.objects.create(VOLUME)
    notes = installation.install(definitions=False)
    assert "get secret mizzen-secrets" in notes
    programs = {"mizzen-operator", "mizzen-controlplane", "mizzen-gateway"}
    wait_until(
        lambda: running_pods(installation) == programs,
        60,
        lambda: installation.cluster.kubectl("get", "events,replicasets", "-n", NAMESPACE, "-o", "wide"),
    )
    names = {each["metadata"]["name"] for each in installation.cluster.objects.list("ServingRuntime")}
    assert names == {"vllm", "triton", "simulated"}


def test_secrets_are_made_once_and_outlive_upgrades_gitops_renders_and_the_release(
    installation: Installation, tmp_path: Path
) -> None:
    installation.install()
    assert "data" not in secret_of(installation)
    installation.first_start(tmp_path)
    made = secret_of(installation)["data"]
    assert set(made) == {"pepper", "page-key", "admin", "sealing-key", "admin-password"}

    installation.upgrade("--set", "gateway.replicas=3")
    assert secret_of(installation)["data"] == made
    render = rendered(tmp_path)  # as Argo CD renders it: without a cluster, so that `lookup` would find nothing
    installation.cluster.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=render)
    installation.cluster.kubectl("apply", "-f", "-", stdin=render)
    assert secret_of(installation)["data"] == made
    installation.first_start(tmp_path)
    assert secret_of(installation)["data"] == made

    installation.uninstall()
    assert secret_of(installation)["data"] == made
    installation.install(definitions=False)
    assert secret_of(installation)["data"] == made


def test_uninstalling_leaves_definitions_objects_and_volumes_and_nothing_else(installation: Installation) -> None:
    installation.install()
    objects = installation.cluster.objects
    objects.create(DEPLOYMENT)
    kinds = sorted({each["kind"] for each in documents(rendered(installation.home))})
    installation.uninstall()
    left = [
        f"{kind} {each['metadata']['name']}"
        for kind in kinds
        for each in objects.list(kind, NAMESPACE, labels=f"app.kubernetes.io/instance={RELEASE}")
        if "deletionTimestamp" not in each["metadata"]
    ]
    assert left == ["PersistentVolumeClaim mizzen-controlplane", "Secret mizzen-secrets"]
    installation.helm("uninstall", "mizzen-crds")
    assert objects.get("CustomResourceDefinition", "modeldeployments.mizzen.dev") is not None
    assert objects.get("ModelDeployment", "mine") is not None


def test_an_upgrade_changes_no_selector_and_rolls_the_programs(installation: Installation) -> None:
    installation.install("--set-string", "image.tag=1")
    before = workloads(installation)
    installation.upgrade("--set-string", "image.tag=2")
    after = workloads(installation)
    assert {name: each["spec"]["selector"] for name, each in before.items()} == {
        name: each["spec"]["selector"] for name, each in after.items()
    }
    assert {image(each) for each in after.values()} == {
        f"localhost/mizzen/{program}:2" for program in ("operator", "controlplane", "gateway")
    }


def workloads(installation: Installation) -> dict[str, Any]:
    every = installation.cluster.objects.list("Deployment", NAMESPACE)
    return {each["metadata"]["name"]: each for each in every}


def image(workload: Object) -> str:
    return str(workload["spec"]["template"]["spec"]["containers"][0]["image"])
