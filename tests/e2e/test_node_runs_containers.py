"""A pod runs behind a Service, reaches the API and names, writes a volume; its logs are read and commands run in it."""

import socket
from pathlib import Path

import httpx
import psutil
import pytest
from support.cluster.cluster import condition
from support.cluster.objects import Objects, RefusedError, wait_until
from support.cluster.real_node.images import write_image
from support.cluster.real_node.node import ACCELERATOR, Node
from support.cluster.real_node.pods import IDLE, claim, pod, service, web


def _execute(node: Node, namespace: Objects, name: str, script: str) -> str:
    return node.cluster.kubectl("exec", "-n", namespace.namespace, name, "--", "sh", "-c", script).strip()


def _address(namespace: Objects, name: str) -> str:
    found = namespace.get("Service", name)
    assert found
    return str(found["spec"]["clusterIP"])


def test_a_service_answers_pods_itself_and_this_machine(node: Node, namespace: Objects) -> None:
    for each in (web("server", "hello from a pod"), service("web", "server"), pod("client", IDLE)):
        namespace.create(each)
    for name in ("server", "client"):
        node.wait_running(name, namespace.namespace)
    address = _address(namespace, "web")
    with httpx.Client(trust_env=False) as client:
        wait_until(lambda: client.get(f"http://{address}/").text == "hello from a pod\n", 60, node.tell)
    for name in ("client", "server"):
        assert _execute(node, namespace, name, f"timeout 10 wget -q -O - http://{address}/") == "hello from a pod"


def test_a_service_name_resolves_and_a_name_outside_does_not_exist(node: Node, namespace: Objects) -> None:
    namespace.create(service("web", "nobody"))
    namespace.create(pod("client", IDLE))
    node.wait_running("client", namespace.namespace)
    full = f"web.{namespace.namespace}.svc.cluster.local"
    answer: list[str] = []

    def resolves() -> bool:
        answer[:] = [_execute(node, namespace, "client", f"nslookup {full} || true")]
        return _address(namespace, "web") in answer[0]

    wait_until(resolves, 30, lambda: answer[0])
    assert "NXDOMAIN" in _execute(node, namespace, "client", "nslookup example.com || true")


def test_a_service_account_reaches_the_api_and_may_what_its_role_says(
    node: Node, namespace: Objects, tmp_path: Path
) -> None:
    image = "localhost/mizzen/kubectl:1"
    write_image(tmp_path / "image.tar", image, node.cluster.tools["kubectl"])
    node.load(tmp_path / "image.tar")
    assert image in node.images()
    namespace.create(pod("client", IDLE, image=image))
    node.wait_running("client", namespace.namespace)
    ask = "kubectl get pod client -o name 2>&1 || true"
    assert "Forbidden" in _execute(node, namespace, "client", ask)
    subject = {"kind": "ServiceAccount", "name": "default", "namespace": namespace.namespace}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"}
    binding = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": "view"}}
    namespace.create({**binding, "roleRef": role, "subjects": [subject]})
    wait_until(lambda: _execute(node, namespace, "client", ask) == "pod/client", 30, node.tell)


def test_logs_and_exec_reach_the_container(node: Node, namespace: Objects) -> None:
    namespace.create(pod("talker", f"echo said by the container; {IDLE}"))
    node.wait_running("talker", namespace.namespace)
    assert node.cluster.kubectl("logs", "-n", namespace.namespace, "talker") == "said by the container\n"
    assert _execute(node, namespace, "talker", "id -u") == "65532"


def test_a_claim_is_bound_and_what_is_written_outlives_the_pod(node: Node, namespace: Objects) -> None:
    namespace.create(claim("kept"))
    namespace.create(pod("writer", f"echo kept >/data/note; {IDLE}", claim="kept"))
    node.wait_running("writer", namespace.namespace)
    namespace.wait("PersistentVolumeClaim", "kept", lambda found: found["status"]["phase"] == "Bound")
    namespace.delete("Pod", "writer")
    namespace.wait_gone("Pod", "writer", 60)
    namespace.create(pod("reader", IDLE, claim="kept"))
    node.wait_running("reader", namespace.namespace)
    assert _execute(node, namespace, "reader", "cat /data/note") == "kept"


def test_accelerators_are_counted(node: Node, namespace: Objects) -> None:
    namespace.create(pod("eight", IDLE, resources={ACCELERATOR: "8"}))
    node.wait_running("eight", namespace.namespace)
    namespace.create(pod("one", IDLE, resources={ACCELERATOR: "1"}))
    waits = namespace.wait("Pod", "one", lambda found: condition(found, "PodScheduled").get("status") == "False")
    assert f"Insufficient {ACCELERATOR}" in condition(waits, "PodScheduled")["message"]


def test_a_kubelet_that_is_killed_comes_back_to_its_pods_and_accelerators(node: Node, namespace: Objects) -> None:
    namespace.create(pod("before", IDLE))
    before = node.wait_running("before", namespace.namespace)
    node.parts["kubelet"].restart()
    namespace.create(pod("after", IDLE, resources={ACCELERATOR: "8"}))
    node.wait_running("after", namespace.namespace)
    now = node.wait_running("before", namespace.namespace)
    assert now["status"]["containerStatuses"] == before["status"]["containerStatuses"]


def test_a_pod_reaches_nothing_beyond_the_node(node: Node, namespace: Objects) -> None:
    namespace.create(pod("client", IDLE))
    node.wait_running("client", namespace.namespace)
    beyond = "198.51.100.1"  # a network for documentation: nobody is there
    assert "unreachable" in _execute(node, namespace, "client", f"timeout 20 wget -O - http://{beyond}/ 2>&1 || true")


def test_the_kubelet_asks_the_api_server_who_may_call_it(node: Node, namespace: Objects) -> None:
    namespace.create({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "nobody"}})
    nobody = node.cluster.service_account_token(namespace.namespace, "nobody")
    admin = node.cluster.users["admin"].token
    with httpx.Client(base_url=f"https://{node.inside.addresses.node}:10250", verify=False, trust_env=False) as kubelet:
        answers = [kubelet.get("/pods")]
        answers += [kubelet.get("/pods", headers={"Authorization": f"Bearer {token}"}) for token in (nobody, admin)]
    assert [answer.status_code for answer in answers] == [401, 403, 200]


def test_the_cluster_listens_on_its_own_address_alone_and_wants_a_token(node: Node) -> None:
    allowed = {"127.0.0.1", node.machine}
    heard = [
        (name, connection.laddr.ip)
        for name, part in node.cluster.parts.items()
        for connection in psutil.Process(part.pid).net_connections()
        if connection.status == psutil.CONN_LISTEN
    ]
    assert {"etcd", "kube-apiserver"} <= {name for name, _ in heard}
    assert {address for _, address in heard} <= allowed
    with pytest.raises(RefusedError, match="401"):
        node.cluster.objects_of("guess").list("Pod")


def test_no_port_of_the_node_is_open_on_this_machine(node: Node) -> None:
    for port in (53, 10250):
        with socket.create_connection((node.inside.addresses.node, port), 10):
            pass
        listening = {line.split()[1] for line in Path("/proc/net/tcp").read_text().splitlines()[1:] if " 0A " in line}
        assert f"00000000:{port:04X}" not in listening
