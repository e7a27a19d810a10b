"""How does a test get a Kubernetes of its own? `with start(...) as cluster:`, any number side by side, without root.

Bare, it is an API server with etcd, up in seconds; with `controllers` the controller manager runs; with `nodes` also
the scheduler and kwok, so that pods are scheduled, become ready and go, though nothing runs in them. Everything listens
on 127.0.0.1 and ends with this process, even when that is killed.
"""

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import yaml
from cluster.build import built
from support.cluster import programs
from support.cluster.credentials import ADMIN, User, write_kubeconfig, write_signing_key, write_tokens
from support.cluster.nodes import Behaviour, Nodes
from support.cluster.objects import Object, Objects, wait_until
from support.cluster.ports import Port, reserve
from support.cluster.process import Process
from support.cluster.programs import Folder
from support.cluster.stages import stages

CRDS = Path(__file__).resolve().parents[3] / "crds"
_START_SECONDS = 60.0
_SWEEP = 'read -r _; i=0; while ! rm -rf -- "$1" && [ $i -lt 50 ]; do i=$((i+1)); sleep 0.1; done'


@dataclass
class Cluster:
    """A running cluster. Its parts may be stopped, killed, paused and started again one by one."""

    folder: Folder
    tools: Mapping[str, Path]
    users: Mapping[str, User]
    ports: Mapping[str, Port]
    address: str = "127.0.0.1"
    """Where its API server listens."""
    parts: dict[str, Process] = field(default_factory=dict)
    _objects: Objects | None = None

    @property
    def server(self) -> str:
        """URL of the API server."""
        return f"https://{self.address}:{self.ports['kube-apiserver']}"

    @property
    def api_server(self) -> Process:
        """The API server."""
        return self.parts["kube-apiserver"]

    @property
    def etcd(self) -> Process:
        """etcd."""
        return self.parts["etcd"]

    @property
    def controllers(self) -> Process:
        """The controller manager; KeyError in a bare cluster."""
        return self.parts["kube-controller-manager"]

    @property
    def scheduler(self) -> Process:
        """The scheduler; KeyError in a cluster without nodes."""
        return self.parts["kube-scheduler"]

    @property
    def kwok(self) -> Process:
        """What plays the kubelets; KeyError in a cluster without nodes."""
        return self.parts["kwok"]

    @property
    def kubeconfig(self) -> Path:
        """The administrator's."""
        return self.folder.kubeconfig

    @property
    def objects(self) -> Objects:
        """Objects, as the administrator sees them."""
        if self._objects is None:
            self._objects = self.objects_of(self.users[ADMIN].token)
        return self._objects

    def objects_of(self, token: str, namespace: str = "default") -> Objects:
        """Objects, as the bearer of a token sees them."""
        return Objects(self.server, self.folder.authority, token, namespace)

    def kubeconfig_of(self, user: str, namespace: str = "default", server: str | None = None) -> Path:
        """A kubeconfig of a user, for this server or for a proxy before it."""
        return self.kubeconfig_with({"token": self.users[user].token}, namespace, server)

    def service_account_token(self, namespace: str, name: str, seconds: int = 3600, audience: str = "") -> str:
        """A token as the kubelet would project it; `seconds` is at least 600."""
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token"
        spec = {"expirationSeconds": seconds, **({"audiences": [audience]} if audience else {})}
        answer = self.objects.call(
            "POST", path, json={"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
        )
        return str(answer["status"]["token"])

    def service_account_kubeconfig(self, namespace: str, name: str, server: str | None = None) -> Path:
        """A kubeconfig of a service account."""
        return self.kubeconfig_with({"token": self.service_account_token(namespace, name)}, namespace, server)

    def kubeconfig_with(
        self, credential: Mapping[str, str], namespace: str = "default", server: str | None = None
    ) -> Path:
        """A kubeconfig with any credential, such as `{"tokenFile": path}`."""
        handle, name = tempfile.mkstemp(prefix="kubeconfig-", dir=self.folder.path)
        os.close(handle)
        write_kubeconfig(Path(name), server or self.server, self.folder.authority, credential, namespace)
        return Path(name)

    def kubectl(
        self, *arguments: str, check: bool = True, stdin: str | None = None, kubeconfig: Path | None = None
    ) -> str:
        """What the real kubectl prints; with `check`, AssertionError when it fails, else its output and errors."""
        done = subprocess.run(
            [self.tools["kubectl"], *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=120,
            env={"KUBECONFIG": str(kubeconfig or self.kubeconfig), "HOME": str(self.folder.path), "PATH": ""},
            check=False,
        )
        assert done.returncode == 0 or not check, f"kubectl {' '.join(arguments)}: {done.stderr}"
        return done.stdout if check else done.stdout + done.stderr

    def ready(self) -> bool:
        """The API server answers and its first objects are there."""
        answer = self.objects.http.get("/readyz")
        return answer.status_code == 200 and self.objects.get("Namespace", "default") is not None

    def wait_ready(self, seconds: float = _START_SECONDS) -> None:
        """Return once the API server answers."""
        wait_until(self.ready, seconds, self.tell)

    def apply_definitions(self, folder: Path = CRDS) -> None:
        """Apply every CRD of a folder and wait until it is served."""
        every = [yaml.safe_load(path.read_text()) for path in sorted(folder.glob("*.yaml"))]
        for definition in every:
            self.objects.apply(definition, manager="mizzen-crds", force=True)
        for definition in every:
            self.objects.wait("CustomResourceDefinition", definition["metadata"]["name"], _established)

    def add_nodes(self, nodes: Nodes, ready: bool = True) -> list[str]:
        """Create nodes, and wait until they are ready; their names."""
        names = [self.objects.create(manifest)["metadata"]["name"] for manifest in nodes.manifests()]
        for name in names if ready else ():
            self.objects.wait("Node", name, node_is_ready)
        return names

    def behave(self, *behaviours: Behaviour) -> None:
        """From now on pods do so: the first that fits counts; pods of no label are ready after 0.1 s."""
        every = [*behaviours, *([] if any(each.label is None for each in behaviours) else [Behaviour()])]
        self.folder.kwok.write_text(yaml.safe_dump_all(stages(every)))
        if self.kwok.runs:
            self.restart_kwok()

    def restart_kwok(self) -> None:
        """Kill it and start it; it takes the nodes over at once, instead of waiting until its own old leases end."""
        self.kwok.kill()
        self.objects.call("DELETE", "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases")
        self.kwok.start()

    def audit_events(self) -> list[Object]:
        """Every request so far, in order, as the API server logged it; empty without `audit`."""
        lines = self.folder.audit_log.read_text().splitlines() if self.folder.audit_log.exists() else []
        return [json.loads(line) for line in lines]

    def compact(self) -> None:
        """Compact etcd to the present revision: what happened before the last write cannot be watched any more.

        The API server itself still has it in memory: restart it, or run it with `--watch-cache=false`, to see a 410.
        """
        at = f"http://127.0.0.1:{self.ports['etcd']}"
        with httpx.Client(base_url=at, trust_env=False) as client:
            revision = client.post("/v3/kv/range", json={"key": "AA=="}).json()["header"]["revision"]
            client.post("/v3/kv/compaction", json={"revision": revision, "physical": True}).raise_for_status()

    def tell(self) -> str:
        """Ends of all logs."""
        return "\n".join(part.last_lines() for part in self.parts.values())

    def stop(self) -> None:
        """End every part, the last started first."""
        if self._objects is not None:
            self._objects.close()
        for part in reversed(self.parts.values()):
            part.kill()
        for port in self.ports.values():
            port.release()


def node_is_ready(node: Object) -> bool:
    """Its Ready condition is True."""
    return condition(node, "Ready").get("status") == "True"


def condition(subject: Mapping[str, Any], kind: str) -> Object:
    """A condition of an object; empty where it has none of that type."""
    every = subject.get("status", {}).get("conditions") or []
    return next((each for each in every if each["type"] == kind), {})


def _established(definition: Object) -> bool:
    return condition(definition, "Established").get("status") == "True"


@contextmanager
def start(
    *,
    controllers: bool = False,
    nodes: Sequence[Nodes] = (),
    behaviours: Sequence[Behaviour] = (),
    users: Sequence[User] = (),
    definitions: bool = True,
    audit: bool = False,
    address: str = "127.0.0.1",
    api_server_flags: Sequence[str] = (),
    controller_flags: Sequence[str] = (),
) -> Iterator[Cluster]:
    """A cluster for the length of a `with`. Its folder goes with it, unless MIZZEN_KEEP_CLUSTERS is set.

    Without `controllers` nothing is collected, no namespace ends, and aggregated roles such as `view` are empty.
    """
    group = ("playground",) if nodes else ("api-server", *(["kube-controller-manager"] if controllers else []))
    with ExitStack() as stack:
        cluster = Cluster(
            Folder(stack.enter_context(_folder())),
            built(*group),
            {user.name: user for user in (User(ADMIN, ("system:masters",)), *users)},
            {name: reserve() for name in ("etcd", "peers", "kube-apiserver", "kwok")},
            address,
        )
        stack.callback(cluster.stop)
        _write_files(cluster)
        alone = () if controllers or nodes else ("--disable-admission-plugins=ServiceAccount",)
        logged = programs.audited(cluster.folder) if audit else ()
        _start_api_server(cluster, [*alone, *logged, f"--bind-address={address}", *api_server_flags])
        if definitions:  # before the controllers, which look for new kinds every 30 s only
            cluster.apply_definitions()
        if controllers or nodes:
            command = programs.controllers(cluster.tools["kube-controller-manager"], cluster.folder, controller_flags)
            _start(cluster, "kube-controller-manager", command)
        if nodes:
            _start_nodes(cluster, behaviours)
        for some in nodes:
            cluster.add_nodes(some, ready=False)
        _wait_for_controllers(cluster, nodes)
        yield cluster


@contextmanager
def _folder() -> Iterator[Path]:
    """A temporary folder that goes even when this process is killed: a shell waits for the end of a pipe."""
    path = Path(tempfile.mkdtemp(prefix="mizzen-cluster-"))
    if os.environ.get("MIZZEN_KEEP_CLUSTERS"):
        yield path
        return
    sweeper = subprocess.Popen(
        ["sh", "-c", _SWEEP, "sh", str(path)], stdin=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True
    )
    assert sweeper.stdin
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
        sweeper.stdin.close()
        sweeper.wait()


def _write_files(cluster: Cluster) -> None:
    folder = cluster.folder
    write_tokens(folder.tokens, list(cluster.users.values()))
    write_signing_key(folder.signing_key)
    folder.audit_policy.write_text(programs.AUDIT_POLICY)
    folder.scheduler.write_text(json.dumps(programs.scheduler_configuration(folder)))
    admin = {"token": cluster.users[ADMIN].token}
    write_kubeconfig(folder.kubeconfig, cluster.server, folder.authority, admin, "default")


def _start(cluster: Cluster, name: str, command: Sequence[str]) -> None:
    cluster.parts[name] = Process(name, command, cluster.folder.log(name))
    cluster.parts[name].start()


def _start_api_server(cluster: Cluster, flags: Sequence[str]) -> None:
    tools, folder, ports = cluster.tools, cluster.folder, cluster.ports
    _start(cluster, "etcd", programs.etcd(tools["etcd"], folder, ports["etcd"].number, ports["peers"].number))
    at = ports["kube-apiserver"].number, ports["etcd"].number
    _start(cluster, "kube-apiserver", programs.api_server(tools["kube-apiserver"], folder, *at, flags))
    wait_until(lambda: _ended(cluster) or _whole(folder.authority), _START_SECONDS, cluster.tell)
    wait_until(lambda: _ended(cluster) or cluster.ready(), _START_SECONDS, cluster.tell)
    assert not _ended(cluster), f"{_ended(cluster)} ended at once\n{cluster.tell()}"


def _whole(certificate: Path) -> bool:
    """The API server writes its certificate while it starts: a file may be there and still empty."""
    return certificate.exists() and "-----END CERTIFICATE-----" in certificate.read_text()


def _ended(cluster: Cluster) -> list[str]:
    return [name for name, part in cluster.parts.items() if not part.runs]


def _start_nodes(cluster: Cluster, behaviours: Sequence[Behaviour]) -> None:
    tools, folder = cluster.tools, cluster.folder
    _start(cluster, "kube-scheduler", programs.scheduler(tools["kube-scheduler"], folder))
    cluster.parts["kwok"] = Process(
        "kwok", programs.kwok(tools["kwok"], folder, cluster.ports["kwok"].number), folder.log("kwok")
    )
    cluster.behave(*behaviours)
    cluster.kwok.start()


def _wait_for_controllers(cluster: Cluster, nodes: Sequence[Nodes]) -> None:
    """Pods can be created once the default service account is there; nodes take them once they are ready."""
    wanted = sum(some.count for some in nodes)

    def settled() -> bool:
        if "kube-controller-manager" in cluster.parts and cluster.objects.get("ServiceAccount", "default") is None:
            return False
        return sum(node_is_ready(node) for node in cluster.objects.list("Node")) >= wanted

    wait_until(lambda: _ended(cluster) or settled(), _START_SECONDS, cluster.tell)
    assert not _ended(cluster), f"{_ended(cluster)} ended\n{cluster.tell()}"
