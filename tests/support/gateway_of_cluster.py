"""How does a test run the gateway of a cluster? As a process with the chart's rights, beside the test's engines."""

import os
import re
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import yaml
from support.cluster.cluster import Cluster
from support.cluster.objects import Object, Objects, wait_until
from support.cluster.ports import Port, reserve
from support.cluster.process import Process
from support.gateway import Key, gateway_environment, make_key, make_snapshot, write_access
from support.until import until

ROOT = Path(__file__).parents[2]
PROGRAM = Path(__file__).with_name("gateway_in_pod.py")
NAMESPACE = "mizzen-system"
PROJECT = "team"
LABELS = {"app.kubernetes.io/managed-by": "mizzen"}


@dataclass
class ClusterGateway:
    """One gateway; `process` may be killed and started again."""

    process: Process
    folder: Path
    port: Port
    admin_port: Port
    key: Key = field(default_factory=lambda: make_key(PROJECT))

    async def ask(self, model: str = "chat") -> httpx.Response:
        """A chat request."""
        async with httpx.AsyncClient(trust_env=False, headers=self.key.headers, timeout=20) as client:
            body = {"model": model, "messages": [{"role": "user", "content": "hi"}]}
            return await client.post(f"http://127.0.0.1:{self.port}/v1/chat/completions", json=body)

    async def ask_ok(self, model: str = "chat") -> str:
        """Content of a chat's answer, which must be good."""
        answer = await self.ask(model)
        assert answer.status_code == 200, f"{answer.text}\n{self.process.last_lines()}"
        content: str = answer.json()["choices"][0]["message"]["content"]
        return content

    async def served(self, model: str = "chat", seconds: float = 20.0) -> None:
        """Return once the model is listed."""
        await until(lambda: model in self.models(), seconds)

    def models(self) -> list[str]:
        """Names that a caller may use."""
        url = f"http://127.0.0.1:{self.port}/v1/models"
        answer = httpx.get(url, headers=self.key.headers, trust_env=False)
        return [one["id"] for one in answer.json()["data"]]

    def ready(self) -> bool:
        """It says that callers may be sent to it."""
        assert self.process.runs, self.process.last_lines()
        try:
            return httpx.get(f"http://127.0.0.1:{self.admin_port}/readyz", trust_env=False).status_code == 200
        except httpx.TransportError:
            return False

    def wait_ready(self) -> None:
        """Return once it is."""
        wait_until(self.ready, 30, self.process.last_lines)

    def modules(self) -> set[str]:
        """Names of the modules that it has loaded."""
        file = self.folder / "modules"
        file.unlink(missing_ok=True)
        os.kill(self.process.pid, signal.SIGUSR1)
        wait_until(file.exists, 10, self.process.last_lines)
        return set(file.read_text().split())

    def resident_bytes(self) -> int:
        """Memory that it has now."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        found = re.search(r"VmRSS:\s+(\d+) kB", status)
        assert found is not None
        return int(found[1]) * 1024


@contextmanager
def cluster_gateway(cluster: Cluster, folder: Path) -> Iterator[ClusterGateway]:
    """A gateway of project `team`, not started yet; it ends with the `with`."""
    folder.mkdir(parents=True, exist_ok=True)
    account = make_account(cluster, "gateway")
    (folder / "ca.crt").write_bytes(cluster.folder.authority.read_bytes())
    variables = gateway_environment(folder)  # writes a token of its own, for the control plane
    (folder / "token").rename(folder / "program-token")
    (folder / "token").write_text(cluster.service_account_token(NAMESPACE, account))
    port, admin_port = reserve(), reserve()
    variables |= {
        "MIZZEN_DISCOVERY": "kubernetes",
        "MIZZEN_TOKEN_FILE": str(folder / "program-token"),
        "MIZZEN_PORT": str(port),
        "MIZZEN_ADMIN_PORT": str(admin_port),
        "KUBERNETES_SERVICE_HOST": "127.0.0.1",
        "KUBERNETES_SERVICE_PORT": cluster.server.rpartition(":")[2],
    }
    process = Process("gateway", [sys.executable, str(PROGRAM), str(folder)], folder / "log", variables)
    gateway = ClusterGateway(process, folder, port, admin_port)
    (folder / "data").mkdir()
    write_access(folder / "data", make_snapshot([gateway.key], (PROJECT,)))
    try:
        yield gateway
    finally:
        process.kill()
        port.release()
        admin_port.release()


def make_account(cluster: Cluster, program: str) -> str:
    """A service account with exactly the chart's rights of a program; its name."""
    granted = yaml.safe_load((ROOT / f"charts/mizzen/files/rbac/{program}.yaml").read_text())["cluster"]
    rules = [{name: rule[name] for name in rule if name != "why"} for rule in granted]
    rbac = "rbac.authorization.k8s.io"
    role = {"apiGroup": rbac, "kind": "ClusterRole", "name": program}
    who = [{"kind": "ServiceAccount", "name": program, "namespace": NAMESPACE}]
    metadata = {"name": program}
    objects = cluster.objects
    objects.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}, force=True)
    objects.apply(
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": program, "namespace": NAMESPACE}},
        force=True,
    )
    objects.apply({"apiVersion": f"{rbac}/v1", "kind": "ClusterRole", "metadata": metadata, "rules": rules}, force=True)
    binding = {"apiVersion": f"{rbac}/v1", "kind": "ClusterRoleBinding", "metadata": metadata}
    objects.apply({**binding, "roleRef": role, "subjects": who}, force=True)
    return program


def put_status(objects: Objects, name: str, *revisions: tuple[str, int], project: str = PROJECT) -> None:
    """What the operator says of a deployment: its project, and the traffic of each revision."""
    listed = [
        {"name": f"{name}-{one}", "hash": one, "trafficPercent": percent, "createdAt": "2026-01-01T00:00:00Z"}
        for one, percent in revisions
    ]
    patch = {"status": {"observedGeneration": 1, "project": project, "revisions": listed}}
    objects.merge("ModelDeployment", name, patch, subresource="status")


def slice_of(name: str, revision: str, *ports: int, **conditions: bool) -> Object:
    """An EndpointSlice as the cluster's controller makes it of the headless Service: pods of one revision, ready."""
    marks = {**LABELS, "mizzen.dev/deployment": name, "service.kubernetes.io/headless": ""}
    pods = [
        {
            "addresses": ["10.127.0.1"],
            "targetRef": {"kind": "Pod", "name": f"{name}-{revision}-{port}"},
            "conditions": {"ready": True, "serving": True, "terminating": False, **conditions},
        }
        for port in ports
    ]
    # Ports belong to a slice; engines of a test differ in nothing else, so that each gets a slice of its own.
    assert len(ports) == 1
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": f"{name}-{revision}-{ports[0]}",
            "labels": {**marks, "kubernetes.io/service-name": f"{name}-pods"},
        },
        "addressType": "IPv4",
        "ports": [{"name": "http", "port": ports[0]}],
        "endpoints": pods,
    }


def named(document: dict[str, Any], objects: Objects) -> dict[str, Any]:
    """The document in the namespace of the test, for a server-side apply."""
    return {**document, "metadata": {**document["metadata"], "namespace": objects.namespace}}
