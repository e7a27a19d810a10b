"""How does a test run the operator against a cluster? As the process that production runs, with its settings."""

import json
import ssl
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from support.cluster.cluster import Cluster
from support.cluster.objects import Object, wait_until
from support.cluster.ports import Port, reserve
from support.cluster.process import Process

NAMESPACE = "mizzen-system"
READY_SECONDS = 60.0
_NUMBERS = iter(range(1_000_000))
_LOCK = threading.Lock()


@dataclass
class RunningOperator:
    """One replica; `process` may be killed, paused, stopped and started again."""

    process: Process
    port: Port
    environment: dict[str, str] = field(default_factory=dict)
    authority: Path | None = None
    """Of its certificate, where it speaks TLS (MIZZEN_TLS_DIR)."""

    @property
    def url(self) -> str:
        """Where pods, gateways, probes and Prometheus reach it."""
        return f"http{'s' if self.authority else ''}://127.0.0.1:{self.port}"

    @property
    def trusted(self) -> ssl.SSLContext | bool:
        """What its clients trust."""
        return ssl.create_default_context(cafile=str(self.authority)) if self.authority else True

    def get(self, path: str) -> httpx.Response:
        """What it answers."""
        return httpx.get(f"{self.url}{path}", timeout=10.0, trust_env=False, verify=self.trusted)

    def metric(self, name: str, **labels: str) -> float:
        """Sum of a metric's values over all that have these labels; 0 where there is none."""
        total = 0.0
        for line in self.get("/metrics").text.splitlines():
            named, _, value = line.rpartition(" ")
            if named.partition("{")[0] == name and all(f'{one}="{said}"' in named for one, said in labels.items()):
                total += float(value)
        return total

    def ready(self) -> bool:
        """It answers that it is ready, and holds the lease."""
        return self.get("/readyz").status_code == 200

    def leads(self) -> bool:
        """It holds the lease."""
        return self.ready() and self.metric("mizzen_operator_leading") == 1.0

    def wait_ready(self, seconds: float = READY_SECONDS, *, leading: bool = True) -> None:
        """Return once it works; with `leading`, once it holds the lease too."""
        wait_until(lambda: self._ended() or (self.leads() if leading else self.ready()), seconds, self.tell)
        assert not self._ended(), self.tell()

    def wait_idle(self, seconds: float = 60.0) -> None:
        """Return once nothing waits for a pass."""
        wait_until(lambda: self.metric("mizzen_operator_queue_depth") == 0.0, seconds, self.tell)

    def logs(self) -> list[Object]:
        """Every line that it wrote as JSON."""
        found = []
        for line in self.process.log.read_text().splitlines():
            try:
                found.append(json.loads(line))
            except ValueError:
                continue
        return found

    def tell(self) -> str:
        """The end of its log."""
        return self.process.last_lines()

    def _ended(self) -> bool:
        return not self.process.runs


@contextmanager
def operator(
    cluster: Cluster,
    kubeconfig: Path | None = None,
    *,
    wait: bool = True,
    program: Sequence[str] = ("-m", "mizzen_operator"),
    authority: Path | None = None,
    **settings: Any,
) -> Iterator[RunningOperator]:
    """`with operator(cluster, workers=4) as running:`; keywords are settings, `resync_seconds=1` for example.

    `kubeconfig` may lead through a proxy or belong to another user; `program` is what Python runs; with `authority`,
    that of its certificate, it is asked over TLS. It ends with the `with`.
    """
    port = reserve()
    with _LOCK:
        number = next(_NUMBERS)
    environment = {
        "KUBECONFIG": str(kubeconfig or cluster.kubeconfig),
        "MIZZEN_NAMESPACE": NAMESPACE,
        "MIZZEN_POD_NAME": f"operator-{number}",
        "MIZZEN_HOST": "127.0.0.1",
        "MIZZEN_PORT": str(port),
        "MIZZEN_LOG_LEVEL": "debug",
        "HOME": str(cluster.folder.path),
        **_variables(settings),
    }
    process = Process("operator", [sys.executable, *program], cluster.folder.log(f"operator-{number}"), environment)
    running = RunningOperator(process, port, environment, authority)
    ensure_namespace(cluster)
    process.start()
    try:
        if wait:
            running.wait_ready()
        yield running
    finally:
        process.kill()
        port.release()


def ensure_namespace(cluster: Cluster, name: str = NAMESPACE) -> None:
    """Make the namespace where it is missing."""
    if cluster.objects.get("Namespace", name) is None:
        cluster.objects.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})


def _variables(settings: Mapping[str, Any]) -> dict[str, str]:
    return {f"MIZZEN_{name.upper()}": str(value) for name, value in settings.items()}
