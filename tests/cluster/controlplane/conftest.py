"""A bare API server, and a control plane that keeps deployments there with the chart's rights."""

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from support.cluster.cluster import Cluster
from support.cluster.objects import Objects
from support.cluster.shared import bare_cluster
from support.controlplane import ControlPlane, sqlite_controlplane
from support.gateway_of_cluster import NAMESPACE, make_account

pytest.register_assert_rewrite("support.deployment_routes", "support.object_routes")
__all__ = ["bare_cluster"]
RBAC = "rbac.authorization.k8s.io"


@pytest.fixture(scope="package")
def controlplane(bare_cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """One on SQLite, whose deployments are custom resources."""
    account = make_account(bare_cluster, "controlplane")
    _may_write_statuses(bare_cluster, account)
    kubeconfig = bare_cluster.service_account_kubeconfig(NAMESPACE, account)
    folder = tmp_path_factory.mktemp("plane")
    with sqlite_controlplane(folder, MIZZEN_STORE="kubernetes", KUBECONFIG=str(kubeconfig)) as plane:
        yield plane


def _may_write_statuses(cluster: Cluster, account: str) -> None:
    """For the routes of programs, which nobody has a token for in a cluster; there the operator writes statuses."""
    rules = [
        {"apiGroups": ["mizzen.dev"], "resources": ["modeldeployments/status"], "verbs": ["patch"]},
    ]
    metadata = {"name": "statuses"}
    cluster.objects.apply({"apiVersion": f"{RBAC}/v1", "kind": "ClusterRole", "metadata": metadata, "rules": rules})
    binding = {
        "apiVersion": f"{RBAC}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": metadata,
        "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": "statuses"},
        "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": NAMESPACE}],
    }
    cluster.objects.apply(binding)


@pytest.fixture
def admin(controlplane: ControlPlane) -> Iterator[httpx.Client]:
    """The administrator's client."""
    with controlplane.client() as client:
        yield client


@pytest.fixture
def project(controlplane: ControlPlane, bare_cluster: Cluster) -> str:
    """A fresh project's name; its namespace is there."""
    name = controlplane.new_project()
    bare_cluster.objects.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    return name


@pytest.fixture
def objects(bare_cluster: Cluster, project: str) -> Objects:
    """Objects in the project's namespace, as the cluster's administrator sees them."""
    return bare_cluster.objects.within(project)


@pytest.fixture
def write_status(objects: Objects) -> Callable[[str, dict[str, Any]], None]:
    """Writes a deployment's status, as the operator does."""

    def write(name: str, status: dict[str, Any]) -> None:
        objects.merge("ModelDeployment", name, {"status": status}, subresource="status")

    return write
