"""How do Mizzen's own programs run beside a cluster to play with? From this checkout, on the host, set as by the chart.

What the chart would give them is here: accounts and their tokens, secrets, the built-in runtimes. They act as the
cluster's administrator. All data is in a folder that goes with the cluster.
"""

import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import httpx
import yaml

if TYPE_CHECKING:
    from support.cluster.cluster import Cluster
    from support.cluster.process import Process

ROOT: Final = Path(__file__).resolve().parents[2]
NAMESPACE: Final = "mizzen-system"
CONTROLPLANE, OPERATOR = "mizzen-controlplane", "mizzen-operator"
"""Audiences of tokens."""
_MONTH: Final = 30 * 24 * 3600
_START_SECONDS: Final = 60.0


@contextmanager
def programs_beside(cluster: "Cluster", folder: Path) -> Iterator[dict[str, str]]:
    """Run control plane, operator and gateway until the block ends; yields what a shell needs for `mizzen`."""
    from support.cluster.process import Process
    from support.controlplane import write_secrets
    from support.free_ports import free_port

    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700, parents=True)
    _prepare(cluster, folder)
    tokens = write_secrets(folder / "secrets")
    ports = {name: free_port() for name in ("controlplane", "operator", "gateway", "admin")}
    urls = {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}
    ready = {"controlplane": urls["controlplane"], "operator": urls["operator"], "gateway": urls["admin"]}
    with ExitStack() as running:
        for name, variables in _environments(cluster, folder, ports, urls).items():
            command = [sys.executable, "-m", f"mizzen_{name}"]
            process = Process(name, command, folder / f"{name}.log", variables)
            running.callback(process.stop)
            process.start()
            _wait(process, f"{ready[name]}/readyz")
        yield {
            "MIZZEN_CONTROLPLANE_URL": urls["controlplane"],
            "MIZZEN_GATEWAY_URL": urls["gateway"],
            "MIZZEN_TOKEN": tokens["admin"],
        }


def _prepare(cluster: "Cluster", folder: Path) -> None:
    """What the chart installs beside pods: a namespace, accounts with tokens, runtimes."""
    objects = cluster.objects
    objects.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}, force=True)
    for program, audience in (("gateway", CONTROLPLANE), ("gateway", OPERATOR), ("operator", CONTROLPLANE)):
        metadata = {"name": program, "namespace": NAMESPACE}
        objects.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}, force=True)
        token = cluster.service_account_token(NAMESPACE, program, _MONTH, audience)
        (folder / f"{program}-for-{audience}").write_text(token)
    for path in sorted((ROOT / "charts/mizzen/files/runtimes").glob("*.yaml")):
        objects.apply(yaml.safe_load(path.read_text()), force=True)


def _environments(
    cluster: "Cluster", folder: Path, ports: dict[str, int], urls: dict[str, str]
) -> dict[str, dict[str, str]]:
    """Variables of each program, in the order of their start."""
    account = f"system:serviceaccount:{NAMESPACE}"
    common = {
        "KUBECONFIG": str(cluster.kubeconfig),
        "HOME": str(folder),
        "MIZZEN_HOST": "127.0.0.1",
        "MIZZEN_NAMESPACE": NAMESPACE,
        "MIZZEN_CONTROLPLANE_URL": urls["controlplane"],
        "MIZZEN_GATEWAY_URL": urls["gateway"],
        "MIZZEN_GATEWAY_SUBJECT": f"{account}:gateway",
        "MIZZEN_OPERATOR_SUBJECT": f"{account}:operator",
    }
    controlplane = {
        "MIZZEN_STORE": "kubernetes",
        "MIZZEN_DATABASE_URL": f"sqlite+aiosqlite:///{folder / 'controlplane.db'}",
        "MIZZEN_DATA_DIR": str(folder / "artifacts"),
        "MIZZEN_SECRETS_DIR": str(folder / "secrets"),
        "MIZZEN_PORT": str(ports["controlplane"]),
    }
    operator = {
        "MIZZEN_TOKEN_FILE": str(folder / f"operator-for-{CONTROLPLANE}"),
        "MIZZEN_OPERATOR_URL": urls["operator"],
        "MIZZEN_PORT": str(ports["operator"]),
    }
    gateway = {
        "MIZZEN_DISCOVERY": "kubernetes",
        "MIZZEN_TOKEN_FILE": str(folder / f"gateway-for-{CONTROLPLANE}"),
        "MIZZEN_OPERATOR_TOKEN_FILE": str(folder / f"gateway-for-{OPERATOR}"),
        "MIZZEN_OPERATOR_URL": urls["operator"],
        "MIZZEN_PEPPER_FILE": str(folder / "secrets" / "pepper"),
        "MIZZEN_DATA_DIR": str(folder / "spool"),
        "MIZZEN_PORT": str(ports["gateway"]),
        "MIZZEN_ADMIN_PORT": str(ports["admin"]),
    }
    own = {"controlplane": controlplane, "operator": operator, "gateway": gateway}
    return {name: common | variables for name, variables in own.items()}


def _wait(process: "Process", url: str) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            if httpx.get(url, trust_env=False).status_code == httpx.codes.OK:
                return
        except httpx.TransportError:
            pass
        if not process.runs or time.monotonic() > deadline:
            raise RuntimeError(f"{process.name} did not start\n{process.last_lines()}")
        time.sleep(0.1)
