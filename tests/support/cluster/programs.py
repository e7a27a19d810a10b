"""With which flags does each program of a test cluster run? Pure: paths and ports in, a command line out."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

SERVICES = "10.96.0.0/16"
AUDIT_POLICY = """apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: Metadata
"""


@dataclass(frozen=True)
class Folder:
    """Files of one cluster."""

    path: Path

    @property
    def authority(self) -> Path:
        """The certificate that clients check; the API server makes it, with its key beside it."""
        return self.path / "certificates" / "apiserver.crt"

    @property
    def certificate_key(self) -> Path:
        """Key of the same."""
        return self.path / "certificates" / "apiserver.key"

    @property
    def signing_key(self) -> Path:
        """Signs tokens of service accounts."""
        return self.path / "service-accounts.key"

    @property
    def tokens(self) -> Path:
        """Tokens of users."""
        return self.path / "tokens.csv"

    @property
    def kubeconfig(self) -> Path:
        """Of the administrator."""
        return self.path / "kubeconfig"

    @property
    def audit_log(self) -> Path:
        """One JSON line for each answered request."""
        return self.path / "audit.log"

    @property
    def audit_policy(self) -> Path:
        """What is logged there."""
        return self.path / "audit.yaml"

    @property
    def kwok(self) -> Path:
        """kwok's stages."""
        return self.path / "kwok.yaml"

    @property
    def scheduler(self) -> Path:
        """The scheduler's configuration."""
        return self.path / "scheduler.yaml"

    def log(self, program: str) -> Path:
        """Output of a program."""
        return self.path / f"{program}.log"


def etcd(program: Path, folder: Folder, client: int, peer: int) -> list[str]:
    """etcd, which does not wait for the disk."""
    at, peers = f"http://127.0.0.1:{client}", f"http://127.0.0.1:{peer}"
    return [
        str(program),
        "--name=test",
        f"--data-dir={folder.path / 'etcd'}",
        f"--listen-client-urls={at}",
        f"--advertise-client-urls={at}",
        f"--listen-peer-urls={peers}",
        f"--initial-advertise-peer-urls={peers}",
        f"--initial-cluster=test={peers}",
        "--unsafe-no-fsync",
        "--log-level=warn",
    ]


def api_server(program: Path, folder: Folder, port: int, etcd_port: int, more: Sequence[str]) -> list[str]:
    """The API server, with RBAC and tokens."""
    return [
        str(program),
        f"--etcd-servers=http://127.0.0.1:{etcd_port}",
        f"--cert-dir={folder.authority.parent}",
        "--bind-address=127.0.0.1",
        "--advertise-address=127.0.0.1",
        "--endpoint-reconciler-type=none",
        f"--secure-port={port}",
        f"--token-auth-file={folder.tokens}",
        "--authorization-mode=Node,RBAC",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-signing-key-file={folder.signing_key}",
        f"--service-account-key-file={folder.signing_key}",
        f"--service-cluster-ip-range={SERVICES}",
        "--allow-privileged=true",
        "--profiling=false",
        *more,
    ]


def audited(folder: Folder) -> list[str]:
    """Flags of the API server that log each request before it is answered."""
    return [
        f"--audit-policy-file={folder.audit_policy}",
        f"--audit-log-path={folder.audit_log}",
        "--audit-log-mode=blocking",
    ]


def controllers(program: Path, folder: Folder, more: Sequence[str]) -> list[str]:
    """The controller manager, in a hurry."""
    return [
        str(program),
        f"--kubeconfig={folder.kubeconfig}",
        "--bind-address=127.0.0.1",
        "--secure-port=0",
        "--leader-elect=false",
        f"--service-account-private-key-file={folder.signing_key}",
        f"--root-ca-file={folder.authority}",
        "--kube-api-qps=1000",
        "--kube-api-burst=2000",
        "--horizontal-pod-autoscaler-sync-period=1s",
        *more,
    ]


def scheduler(program: Path, folder: Folder) -> list[str]:
    """The scheduler."""
    return [str(program), f"--config={folder.scheduler}", "--bind-address=127.0.0.1", "--secure-port=0"]


def scheduler_configuration(folder: Folder) -> dict[str, object]:
    """Its configuration: a pod that does not fit is tried again after a second at most."""
    return {
        "apiVersion": "kubescheduler.config.k8s.io/v1",
        "kind": "KubeSchedulerConfiguration",
        "leaderElection": {"leaderElect": False},
        "podMaxBackoffSeconds": 1,
        "clientConnection": {"kubeconfig": str(folder.kubeconfig), "qps": 1000, "burst": 2000},
    }


def kwok(program: Path, folder: Folder, port: int) -> list[str]:
    """kwok, which plays every node's kubelet."""
    return [
        str(program),
        f"--kubeconfig={folder.kubeconfig}",
        f"--config={folder.kwok}",
        "--manage-all-nodes=true",
        "--node-lease-duration-seconds=40",
        "--cidr=10.244.0.0/16",
        "--node-ip=10.0.0.1",
        "--node-port=0",
        f"--server-address=127.0.0.1:{port}",
    ]
