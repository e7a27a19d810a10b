"""How does a test get a node that runs containers? `with start_node() as node:`, as root, without Docker.

A cluster of `support.cluster.cluster` whose API server listens on this machine's end of a cable, and at the other end a
node: containerd, kubelet, kube-proxy and CoreDNS in namespaces of their own. Processes of this machine reach pods and
Services by their addresses; nobody else does, and pods reach nothing beyond the cable.
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from cluster.build import built
from support.cluster import programs
from support.cluster.cluster import Cluster, node_is_ready, start
from support.cluster.credentials import User, write_kubeconfig
from support.cluster.objects import Object, Objects, wait_until
from support.cluster.process import Process
from support.cluster.real_node import images, packages, record, removal, roles, settings, volumes
from support.cluster.real_node.namespaces import Namespaces, hold
from support.cluster.real_node.settings import NODE, Files

ACCELERATOR = "nvidia.com/gpu"
_SECONDS = 180.0
_VOLUMES = 24
_TESTS = Path(__file__).resolve().parents[3]
_USERS = (
    User(f"system:node:{NODE}", ("system:nodes",)),
    User("system:kube-proxy"),
    User("system:coredns"),
)
_PROGRAMS = ("kubelet", "kube-proxy", "coredns")


@dataclass
class Node:
    """A running node and its cluster."""

    cluster: Cluster
    inside: Namespaces
    tools: Mapping[str, Path]
    began: float
    """On the monotonic clock."""
    parts: dict[str, Process] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Its folder, control group and network link are called so."""
        return self.inside.record.name

    @property
    def objects(self) -> Objects:
        """Objects, as the administrator sees them."""
        return self.cluster.objects

    @property
    def machine(self) -> str:
        """Address of this machine as pods see it: a test's own server listens here."""
        return self.inside.addresses.machine

    @property
    def files(self) -> Files:
        """Settings."""
        return Files(self.inside.record.folder)

    def load(self, archive: Path) -> None:
        """Bring the images of an OCI or Docker archive to the node; RuntimeError where it cannot be read."""
        self._containers("images", "import", "--no-unpack=false", str(archive.resolve()))

    def images(self) -> list[str]:
        """Names of the images that are there."""
        return self._containers("images", "list", "--quiet").split()

    def tag(self, image: str, another: str) -> None:
        """Give an image another name, as a release of its own would have."""
        self._containers("images", "tag", "--force", image, another)

    def kill_container(self, pod: Object, container: str) -> None:
        """`kill -9` of the first process of a pod's container; the kubelet starts it again."""
        statuses = pod["status"]["containerStatuses"]
        found = next(each["containerID"] for each in statuses if each["name"] == container)
        self._containers("tasks", "kill", "--signal", "SIGKILL", found.partition("://")[2])

    def _containers(self, *arguments: str) -> str:
        return self.inside.run("ctr", f"--address={settings.SOCKET}", "--namespace=k8s.io", *arguments)

    def offer_accelerators(self, count: int, resource: str = ACCELERATOR) -> None:
        """The scheduler counts them and the kubelet admits pods that ask for them; no such device is there."""
        amounts = {resource: str(count)}
        self.objects.merge(
            "Node", NODE, {"status": {"capacity": amounts, "allocatable": amounts}}, subresource="status"
        )

    def wait_running(self, pod: str, namespace: str | None = None, seconds: float = _SECONDS) -> Object:
        """The pod once all its containers are ready; AssertionError with its state and the node's logs when not."""
        last: list[Object | None] = [None]

        def ready() -> bool:
            last[0] = self.objects.get("Pod", pod, namespace)
            return last[0] is not None and node_is_ready(last[0])

        wait_until(ready, seconds, lambda: f"pod {pod}: {(last[0] or {}).get('status')}\n{self.tell()}")
        assert last[0] is not None
        return last[0]

    def tell(self) -> str:
        """Ends of the node's logs."""
        return "\n".join(part.last_lines() for part in self.parts.values())

    def wait_ready(self) -> None:
        """Return once the node takes pods."""
        wait_until(lambda: node_is_ready(self.objects.get("Node", NODE) or {}), _SECONDS, self.tell)

    def stop(self) -> None:
        """End the node's programs, the last started first; the pods go with the namespaces."""
        for part in reversed(self.parts.values()):
            part.kill()


@contextmanager
def start_node(
    *,
    accelerators: int = 8,
    archives: Sequence[Path] = (),
    users: Sequence[User] = (),
    definitions: bool = False,
    audit: bool = False,
) -> Iterator[Node]:
    """A cluster with a node for the length of a `with`; afterwards nothing of it is left, or it fails and says what.

    `archives` are image archives. RuntimeError without root, or where this machine cannot run it.
    """
    if os.geteuid() != 0:
        raise RuntimeError("a node that runs containers needs root: network, mounts and control groups are its own")
    packages.install(packages.NODE)
    tools = built("api-server", "kube-controller-manager", "kube-scheduler", *_PROGRAMS)
    began = time.monotonic()
    with ExitStack() as stack:
        inside = stack.enter_context(_namespaces())
        files = Files(inside.record.folder)
        _write_caller(files)
        cluster = stack.enter_context(
            start(
                controllers=True,
                users=(*_USERS, *users),
                definitions=definitions,
                audit=audit,
                address=inside.addresses.machine,
                api_server_flags=settings.api_server(files, inside.addresses),
            )
        )
        node = Node(cluster, inside, tools, began)
        stack.callback(node.stop)
        _write_settings(node)
        _start_programs(node)
        node.wait_ready()
        node.offer_accelerators(accelerators)
        volumes.offer(node.objects, files.volumes, _VOLUMES)
        for archive in archives:
            node.load(archive)
        yield node


@contextmanager
def _namespaces() -> Iterator[Namespaces]:
    """Namespaces whose guardian removes all when this process ends."""
    known = record.new()
    rules, forwarded = removal.firewall(), removal.forwards()
    guardian = subprocess.Popen(
        [sys.executable, "-m", "support.cluster.real_node.removal", known.name],
        env={"PATH": record.PATH, "PYTHONPATH": str(_TESTS)},
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    assert guardian.stdin
    inside = None
    try:
        inside = hold(known)
        yield inside
    finally:
        if inside:
            inside.holder.kill()
        guardian.stdin.close()
        left = [f"its guardian, which ended with {guardian.returncode}"] if guardian.wait() else []
        left += removal.remove(inside.record if inside else known)
        left += [f"iptables rule {rule}" for rule in removal.firewall() if rule not in rules]
        left += [] if removal.forwards() == forwarded else ["another value of net.ipv4.ip_forward"]
        assert not left, "the node left behind:\n" + "\n".join(left)


def _write_caller(files: Files) -> None:
    """The certificate by which the kubelet knows the API server; it signs itself."""
    subject = "/O=mizzen/CN=kube-apiserver-kubelet-client"
    kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    at = ["-keyout", str(files.caller_key), "-out", str(files.caller)]
    extended = ["-addext", "extendedKeyUsage=clientAuth"]
    command = ["openssl", "req", "-x509", *kind, "-subj", subject, *extended, *at]
    subprocess.run(command, check=True, capture_output=True)


def _write_settings(node: Node) -> None:
    files, addresses, cluster = node.files, node.inside.addresses, node.cluster
    files.networks.mkdir()
    (files.networks / "10-pods.conflist").write_text(settings.network(addresses))
    files.containerd.write_text(settings.containerd(files, images.PAUSE))
    files.kubelet.write_text(settings.kubelet(files, addresses, node.name))
    files.proxy.write_text(settings.proxy(files, addresses))
    files.names.write_text(settings.names(files, addresses))
    files.resolver.write_text("")
    for program, user in zip(_PROGRAMS, _USERS, strict=True):
        token = {"token": user.token}
        write_kubeconfig(files.kubeconfig(program), cluster.server, cluster.folder.authority, token, "default")
    for each in (*roles.every(), volumes.storage_class()):
        cluster.objects.create(each)


def _start_programs(node: Node) -> None:
    cluster, files, tools = node.cluster, node.files, node.tools
    cluster.parts["kube-scheduler"] = Process(
        "kube-scheduler",
        programs.scheduler(tools["kube-scheduler"], cluster.folder),
        cluster.folder.log("kube-scheduler"),
    )
    cluster.parts["kube-scheduler"].start()
    kubelet = [
        f"--config={files.kubelet}",
        f"--kubeconfig={files.kubeconfig('kubelet')}",
        f"--hostname-override={NODE}",
        f"--node-ip={node.inside.addresses.node}",
    ]
    commands = {
        "containerd": ["containerd", f"--config={files.containerd}"],
        "kubelet": [str(tools["kubelet"]), *kubelet],
        "kube-proxy": [str(tools["kube-proxy"]), f"--config={files.proxy}"],
        "coredns": [str(tools["coredns"]), f"-conf={files.names}"],
    }
    for name, command in commands.items():
        node.parts[name] = node.inside.program(name, command)
        node.parts[name].start()
        if name == "containerd":
            _load_box(node)


def _load_box(node: Node) -> None:
    """The kubelet starts when containerd answers and has the pause image."""
    archive = node.files.folder / "box.tar"
    images.write_box(archive)

    def loaded() -> bool:
        try:
            node.load(archive)
        except RuntimeError:
            return not node.parts["containerd"].runs
        return True

    wait_until(loaded, _SECONDS, node.tell)
    assert node.parts["containerd"].runs, node.tell()
