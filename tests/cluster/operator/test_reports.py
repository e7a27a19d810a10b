"""Who may report what: a pod for itself, gateways for gateways, known by tokens that the API server issued."""

from datetime import UTC, datetime

import httpx
import pytest
from support.cluster.cluster import Cluster
from support.cluster.objects import Objects, wait_until
from support.model_objects import model, pods
from support.running_operator import NAMESPACE, RunningOperator

GATEWAY = "mizzen-gateway"


def token(cluster: Cluster, namespace: str, account: str, audience: str, pod: dict[str, dict[str, str]] | None) -> str:
    """As the kubelet would project it into the pod, or bound to none."""
    spec: dict[str, object] = {"audiences": [audience], "expirationSeconds": 600}
    if pod is not None:
        metadata = pod["metadata"]
        spec["boundObjectRef"] = {"kind": "Pod", "apiVersion": "v1", "name": metadata["name"], "uid": metadata["uid"]}
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
    path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token"
    return str(cluster.objects.call("POST", path, json=body)["status"]["token"])


def post(running: RunningOperator, path: str, bearer: str, body: dict[str, object]) -> httpx.Response:
    return httpx.post(
        running.url + path, json=body, headers={"Authorization": f"Bearer {bearer}"}, timeout=10.0, trust_env=False
    )


def progress(pod: str, done: int) -> dict[str, object]:
    return {"pod": pod, "phase": "fetch", "bytes_done": done, "bytes_total": 100, "seconds": 1.0}


@pytest.fixture
def starting(objects: Objects) -> dict[str, dict[str, str]]:
    """A pod that has not become ready."""
    wait_until(lambda: objects.get("ServiceAccount", "default"), 30, "no service account")
    objects.create(model("starting", podOverrides={"labels": {"test.mizzen.dev/pod": "never"}}))
    wait_until(lambda: pods(objects, "starting"), 30, "no pod")
    return pods(objects, "starting")[0]


def test_a_pod_reports_its_own_start_and_no_others(
    cluster: Cluster, objects: Objects, running: RunningOperator, starting: dict[str, dict[str, str]]
) -> None:
    name = starting["metadata"]["name"]
    own = token(cluster, objects.namespace, "default", "mizzen-registry", starting)
    assert post(running, "/v1/startup-progress", own, progress(name, 40)).status_code == 204
    assert post(running, "/v1/startup-progress", own, progress("another", 40)).status_code == 403


def test_tokens_of_no_pod_of_another_audience_or_of_nobody_are_refused(
    cluster: Cluster, objects: Objects, running: RunningOperator, starting: dict[str, dict[str, str]]
) -> None:
    name = starting["metadata"]["name"]
    unbound = token(cluster, objects.namespace, "default", "mizzen-registry", None)
    other = token(cluster, objects.namespace, "default", "elsewhere", starting)
    assert post(running, "/v1/startup-progress", unbound, progress(name, 1)).status_code == 403
    assert post(running, "/v1/startup-progress", other, progress(name, 1)).status_code == 401
    assert post(running, "/v1/startup-progress", "made-up", progress(name, 1)).status_code == 401
    assert httpx.post(f"{running.url}/v1/load", json={}, trust_env=False).status_code == 401


def test_gateways_alone_report_load(cluster: Cluster, objects: Objects, running: RunningOperator) -> None:
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": GATEWAY, "namespace": NAMESPACE}}
    if cluster.objects.get("ServiceAccount", GATEWAY, NAMESPACE) is None:
        cluster.objects.create(account)
    wait_until(lambda: objects.get("ServiceAccount", "default"), 30, "no service account")
    load = {"gateway": "g", "boot_id": "b", "sent_at": datetime.now(UTC).isoformat(), "revisions": []}
    own = token(cluster, NAMESPACE, GATEWAY, "mizzen-operator", None)
    foreign = token(cluster, objects.namespace, "default", "mizzen-operator", None)
    assert post(running, "/v1/load", own, load).status_code == 204
    assert post(running, "/v1/load", foreign, load).status_code == 403
    assert post(running, "/v1/load", own, {"gateway": 1}).status_code == 400
