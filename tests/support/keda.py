"""How does a test run a real KEDA beside a cluster? Its operator and its metrics adapter, with KEDA's own manifests.

The adapter serves `external.metrics.k8s.io` behind the API server, which needs to know a front proxy from the start:
`start(api_server_flags=certificates.api_server_flags())`. It listens for Prometheus on all addresses, whatever it is
told: run it in a network of its own (`support.own_network`).
"""

import base64
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import trustme
import yaml
from cluster.build import built, sources
from cluster.modules import KEDA
from support.cluster.cluster import Cluster, condition
from support.cluster.objects import Object, wait_until
from support.cluster.ports import Port, reserve
from support.cluster.process import Process
from support.running_operator import ensure_namespace

NAMESPACE = "keda"
_API = "v1beta1.external.metrics.k8s.io"
_OPERATOR, _ADAPTER = "keda-operator.keda.svc", "keda-metrics-apiserver.keda.svc"
_PROXY = "front-proxy-client"
_MANIFESTS = (
    "service_account/service_account.yaml",
    "rbac/role.yaml",
    "rbac/role_binding.yaml",
    "metrics-server/role.yaml",
    "metrics-server/role_binding.yaml",
)
_START_SECONDS = 120.0


@dataclass(frozen=True)
class Certificates:
    """Files: those of KEDA's two programs, and those by which an aggregated API knows the API server."""

    folder: Path

    @property
    def authority(self) -> str:
        """KEDA's, as an APIService carries it."""
        return base64.b64encode((self.folder / "ca.crt").read_bytes()).decode()

    def api_server_flags(self) -> list[str]:
        """Flags of the front proxy."""
        return [
            f"--requestheader-client-ca-file={self.folder / 'front-proxy-ca.crt'}",
            f"--requestheader-allowed-names={_PROXY}",
            "--requestheader-username-headers=X-Remote-User",
            "--requestheader-group-headers=X-Remote-Group",
            "--requestheader-extra-headers-prefix=X-Remote-Extra-",
            f"--proxy-client-cert-file={self.folder / 'front-proxy.crt'}",
            f"--proxy-client-key-file={self.folder / 'front-proxy.key'}",
        ]


@dataclass(frozen=True)
class RunningKeda:
    """KEDA's two programs."""

    operator: Process
    adapter: Process

    @property
    def version(self) -> str:
        """As the operator says it."""
        lines = self.operator.log.read_text().splitlines()
        return next(line.rpartition(" ")[2] for line in lines if "KEDA Version" in line)

    def tell(self) -> str:
        """Ends of both logs."""
        return f"{self.operator.last_lines()}\n{self.adapter.last_lines()}"


def prepare() -> None:
    """Build and fetch what needs a network."""
    built("long")
    sources(KEDA)


def make_certificates(folder: Path) -> Certificates:
    """Write the files."""
    keda, front = trustme.CA(), trustme.CA()
    of_keda = keda.issue_cert(_OPERATOR, _ADAPTER)
    of_proxy = front.issue_cert(_PROXY, common_name=_PROXY)  # without a name Go refuses it
    keda.cert_pem.write_to_path(str(folder / "ca.crt"))
    of_keda.cert_chain_pems[0].write_to_path(str(folder / "tls.crt"))
    of_keda.private_key_pem.write_to_path(str(folder / "tls.key"))
    front.cert_pem.write_to_path(str(folder / "front-proxy-ca.crt"))
    of_proxy.cert_chain_pems[0].write_to_path(str(folder / "front-proxy.crt"))
    of_proxy.private_key_pem.write_to_path(str(folder / "front-proxy.key"))
    return Certificates(folder)


@dataclass(frozen=True)
class _Ports:
    """Where the two listen, all on 127.0.0.1 but the last."""

    metrics: Port
    probe: Port
    service: Port
    secure: Port
    plain: Port
    """The adapter's own metrics, on every address."""


@contextmanager
def keda(cluster: Cluster, certificates: Certificates) -> Iterator[RunningKeda]:
    """KEDA, once it answers for external metrics; it may do what its own roles allow, and ends with the `with`."""
    ensure_namespace(cluster, NAMESPACE)
    _apply_manifests(cluster)
    with ExitStack() as stack:
        reserved = [reserve() for _ in range(5)]
        for port in reserved:
            stack.callback(port.release)
        ports = _Ports(*reserved)
        kubeconfig = cluster.service_account_kubeconfig(NAMESPACE, "keda-operator")
        running = RunningKeda(
            _process(cluster, "keda-operator", kubeconfig, certificates, _operator_flags(ports)),
            _process(
                cluster, "keda-adapter", kubeconfig, certificates, _adapter_flags(ports, certificates, kubeconfig)
            ),
        )
        for program in (running.operator, running.adapter):
            stack.callback(program.kill)
            program.start()
        ready = f"http://127.0.0.1:{ports.probe}/readyz"
        wait_until(lambda: httpx.get(ready, trust_env=False).status_code == 200, _START_SECONDS, running.tell)
        _serve_metrics(cluster, certificates, ports.secure)
        wait_until(lambda: _is_available(cluster), _START_SECONDS, lambda: _why_not(cluster, running))
        yield running


def _operator_flags(ports: _Ports) -> dict[str, object]:
    return {
        "metrics-bind-address": f"127.0.0.1:{ports.metrics}",
        "health-probe-bind-address": f"127.0.0.1:{ports.probe}",
        "metrics-service-bind-address": f"127.0.0.1:{ports.service}",
    }


def _adapter_flags(ports: _Ports, certificates: Certificates, kubeconfig: Path) -> dict[str, object]:
    asks = ("lister-kubeconfig", "authentication-kubeconfig", "authorization-kubeconfig")
    return {
        "metrics-service-address": f"127.0.0.1:{ports.service}",
        "metrics-service-grpc-authority": _OPERATOR,
        "bind-address": "127.0.0.1",
        "secure-port": ports.secure,
        "port": ports.plain,
        "client-ca-file": certificates.folder / "ca.crt",
        "tls-cert-file": certificates.folder / "tls.crt",
        "tls-private-key-file": certificates.folder / "tls.key",
        **dict.fromkeys(asks, kubeconfig),
    }


def _process(
    cluster: Cluster, name: str, kubeconfig: Path, certificates: Certificates, flags: Mapping[str, object]
) -> Process:
    environment = {
        "KUBECONFIG": str(kubeconfig),
        "POD_NAMESPACE": NAMESPACE,
        "KEDA_CLUSTER_OBJECT_NAMESPACE": NAMESPACE,
        "WATCH_NAMESPACE": "",
        "HOME": str(cluster.folder.path),
    }
    told = {"cert-dir": certificates.folder, "zap-encoder": "console", **flags}
    command = [str(built(name)[name]), *(f"--{flag}={value}" for flag, value in told.items())]
    return Process(name, command, cluster.folder.log(name), environment)


def _apply_manifests(cluster: Cluster) -> None:
    folder = sources(KEDA) / "config"
    cluster.apply_definitions(folder / "crd" / "bases")
    for name in _MANIFESTS:
        for manifest in yaml.safe_load_all((folder / name).read_text()):
            if manifest is not None:
                cluster.objects.apply(manifest, manager="keda-manifests")


def _serve_metrics(cluster: Cluster, certificates: Certificates, port: Port) -> None:
    """KEDA's APIService, by a Service that is a name for this machine: there is no kube-proxy, and none is needed."""
    at = {"name": "keda-metrics-apiserver", "namespace": NAMESPACE}
    service = {"type": "ExternalName", "externalName": "127.0.0.1"}
    cluster.objects.create({"apiVersion": "v1", "kind": "Service", "metadata": at, "spec": service})
    manifest = yaml.safe_load((sources(KEDA) / "config/metrics-server/api_service.yaml").read_text())
    manifest["spec"] |= {"service": {**at, "port": port.number}, "caBundle": certificates.authority}
    cluster.objects.create(manifest)


def _is_available(cluster: Cluster) -> bool:
    return condition(_api_service(cluster), "Available").get("status") == "True"


def _api_service(cluster: Cluster) -> Object:
    return cluster.objects.get("APIService", _API) or {}


def _why_not(cluster: Cluster, running: RunningKeda) -> str:
    return f"{condition(_api_service(cluster), 'Available')}\n{running.tell()}"
