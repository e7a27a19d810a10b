"""Whom does a control plane take for whom? A real API server vouches: gateway, operator, a pod, an impostor."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from support.chart import NAMESPACE, Installation
from support.controlplane import ControlPlane

GATEWAY = f"system:serviceaccount:{NAMESPACE}:mizzen-gateway"
OPERATOR = f"system:serviceaccount:{NAMESPACE}:mizzen-operator"
SNAPSHOT = "/internal/v1/access/snapshot"
LIMITS = "/internal/v1/projects/default/limits?uid=u&generation=1"
RESOLVE = "/internal/v1/models:resolve?namespace=default&model=none&version=1"
ARTIFACT = "/internal/v1/artifacts/mv_none"


@pytest.fixture
def plane(installation: Installation, tmp_path: Path) -> Iterator[ControlPlane]:
    """A control plane with the rights of its account."""
    installation.install()
    environment = {
        "KUBECONFIG": str(installation.cluster.service_account_kubeconfig(NAMESPACE, "mizzen-controlplane")),
        "MIZZEN_GATEWAY_SUBJECT": GATEWAY,
        "MIZZEN_OPERATOR_SUBJECT": OPERATOR,
    }
    url = f"sqlite+aiosqlite:///{tmp_path / 'plane' / 'controlplane.db'}"
    with ControlPlane(tmp_path / "plane", url, environment=environment) as plane:
        yield plane


def asked(plane: ControlPlane, path: str, token: str) -> int:
    headers = {"authorization": f"Bearer {token}"}
    return httpx.get(f"http://127.0.0.1:{plane.port}{path}", headers=headers, trust_env=False, timeout=30).status_code


def pod_token(installation: Installation, namespace: str) -> str:
    """A token for the registry, bound to a pod, as the kubelet projects it."""
    objects = installation.cluster.objects
    container = {"name": "c", "image": "i"}
    body = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "engine", "namespace": namespace}}
    pod = objects.create({**body, "spec": {"containers": [container]}})
    bound = {"apiVersion": "v1", "kind": "Pod", "name": "engine", "uid": pod["metadata"]["uid"]}
    answer = objects.call(
        "POST",
        f"/api/v1/namespaces/{namespace}/serviceaccounts/default/token",
        json={
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"audiences": ["mizzen-registry"], "boundObjectRef": bound},
        },
    )
    return str(answer["status"]["token"])


def test_each_program_opens_its_own_routes_and_no_other(installation: Installation, plane: ControlPlane) -> None:
    def token(account: str, audience: str, namespace: str = NAMESPACE) -> str:
        return installation.cluster.service_account_token(namespace, account, audience=audience)

    gateway, operator = (token(f"mizzen-{name}", "mizzen-controlplane") for name in ("gateway", "operator"))
    pod = pod_token(installation, "default")
    answers = {
        "gateway reads the snapshot": asked(plane, SNAPSHOT, gateway),
        "gateway resolves": asked(plane, RESOLVE, gateway),
        "gateway manages": asked(plane, "/api/v1/projects", gateway),
        "operator resolves": asked(plane, RESOLVE, operator),
        "operator reads the snapshot": asked(plane, SNAPSHOT, operator),
        "operator asks for limits": asked(plane, LIMITS, operator),
        "gateway asks for limits": asked(plane, LIMITS, gateway),
        "pod asks for a version": asked(plane, ARTIFACT, pod),
        "pod resolves": asked(plane, RESOLVE, pod),
        "token for the API server": asked(plane, SNAPSHOT, token("mizzen-gateway", "")),
        "token for the operator": asked(plane, SNAPSHOT, token("mizzen-gateway", "mizzen-operator")),
        "registry token of no pod": asked(plane, ARTIFACT, token("default", "mizzen-registry", "default")),
        "tenant": asked(plane, SNAPSHOT, token("default", "mizzen-controlplane", "default")),
        "made up": asked(plane, SNAPSHOT, gateway[:-6] + "AAAAAA"),
    }
    assert answers == {
        "gateway reads the snapshot": 200,
        "gateway resolves": 403,
        "gateway manages": 403,
        "operator resolves": 404,
        "operator reads the snapshot": 403,
        "operator asks for limits": 200,
        "gateway asks for limits": 403,
        "pod asks for a version": 404,
        "pod resolves": 403,
        "token for the API server": 401,
        "token for the operator": 401,
        "registry token of no pod": 401,
        "tenant": 401,
        "made up": 401,
    }


def test_while_the_api_server_is_away_nobody_is_refused_for_good(
    installation: Installation, plane: ControlPlane
) -> None:
    gateway = installation.cluster.service_account_token(NAMESPACE, "mizzen-gateway", audience="mizzen-controlplane")
    installation.cluster.api_server.kill()
    assert asked(plane, SNAPSHOT, gateway) == 503
    installation.cluster.api_server.start()
    installation.cluster.wait_ready()
    assert asked(plane, SNAPSHOT, gateway) == 200
