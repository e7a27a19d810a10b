"""On what is the operator measured? A real API server, the operator's own process, deployments that are made at once.

The API server is bare: no controllers, no nodes, so that nothing else writes. Needs `tests` and `tools` on PYTHONPATH.
"""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from mizzen_kube import resources
from mizzen_kube.api import Api, Selection, open_api
from mizzen_kube.kubeconfig import from_kubeconfig
from support.cluster.cluster import Cluster
from support.cluster.objects import Objects
from support.running_operator import RunningOperator

Manifest = dict[str, Any]
NAMESPACE = "bench"
MANAGER = "bench"
AT_ONCE = 32
"""Writes under way at once: as many as the operator's workers."""
PATIENCE_SECONDS = 1200.0
QUIET: dict[str, Any] = {"log_level": "info", "resync_seconds": 3600, "compare_seconds": 3600}
"""As in production, but for timers that would mix with what is measured."""
CHILD_KINDS = (
    resources.CONTROLLER_REVISIONS,
    resources.DEPLOYMENTS,
    resources.SERVICES,
    resources.NETWORK_POLICIES,
    resources.DISRUPTION_BUDGETS,
)
IDLE_SHARE = 0.03
"""A process that uses less of a core than this has nothing to do."""


@dataclass(frozen=True)
class Stage:
    """One cluster with an empty namespace."""

    cluster: Cluster

    @property
    def objects(self) -> Objects:
        """The administrator's, in the namespace of the benchmark."""
        return self.cluster.objects.within(NAMESPACE)

    @asynccontextmanager
    async def api(self) -> AsyncIterator[Api]:
        """The operator's own client."""
        async with open_api(await from_kubeconfig(str(self.cluster.kubeconfig))) as api:
            yield api

    def prepare(self) -> None:
        """Make the namespace."""
        if self.cluster.objects.get("Namespace", NAMESPACE) is None:
            self.cluster.objects.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})

    def create(self, count: int) -> float:
        """Create so many deployments at once; seconds."""
        began = time.monotonic()

        async def make() -> None:
            async with self.api() as api:
                await at_once(range(count), lambda number: api.create(deployment(number), field_manager=MANAGER))

        asyncio.run(make())
        return time.monotonic() - began

    def wipe(self) -> None:
        """Delete deployments and children; nobody else collects them here."""
        for kind in (resources.MODEL_DEPLOYMENTS, *CHILD_KINDS, resources.PODS):
            self.objects.http.delete(kind.path(NAMESPACE), params={"gracePeriodSeconds": "0"}, timeout=300.0)
        self.objects.http.delete(resources.EVENTS.path(NAMESPACE), timeout=300.0)

    def listed(self, *kinds: resources.Resource, metadata_only: bool = False) -> list[Manifest]:
        """All objects of these kinds in the namespace."""

        async def ask() -> list[Manifest]:
            found: list[Manifest] = []
            async with self.api() as api:
                for kind in kinds:
                    found += (await api.list(kind, Selection(NAMESPACE, metadata_only=metadata_only)))[0]
            return found

        return asyncio.run(ask())

    def settled(self) -> int:
        """Deployments whose status is of their present spec."""
        every = self.listed(resources.MODEL_DEPLOYMENTS)
        return sum(
            (one.get("status") or {}).get("observedGeneration") == one["metadata"]["generation"] for one in every
        )

    def wait_settled(self, count: int) -> None:
        """Return once so many are settled."""
        wait(lambda: self.settled() >= count, 0.5, f"{count} deployments settled")

    def wait_status_writes(self, running: RunningOperator, count: int) -> None:
        """Return once so many are settled: the operator's counter is asked, for a list would take time from it."""
        wait(lambda: status_writes(running) >= count and self.settled() >= count, 0.1, f"{count} statuses")


async def at_once(numbers: Iterable[int], one: Callable[[int], Any], workers: int = AT_ONCE) -> None:
    """Await `one` of each number, so many at a time, in their order."""
    left = iter(numbers)

    async def work() -> None:
        for number in left:
            await one(number)

    async with asyncio.TaskGroup() as group:
        for _ in range(workers):
            group.create_task(work())


def deployment(number: int) -> Manifest:
    """A ModelDeployment as somebody writes it."""
    return {
        "apiVersion": "mizzen.dev/v1alpha1",
        "kind": "ModelDeployment",
        "metadata": {"name": f"model-{number:05}", "namespace": NAMESPACE, "labels": {"team": f"team-{number % 20}"}},
        "spec": {
            "model": {"uri": "hf://example/model@main", "format": "Safetensors"},
            "engine": {"type": "vLLM", "args": ["--max-num-seqs=64"], "maxModelLen": 4096},
            "resources": {"requests": {"cpu": "2", "memory": "8Gi"}},
        },
    }


def status_writes(running: RunningOperator) -> float:
    """Statuses that the operator has written."""
    return running.metric("mizzen_operator_writes_total", verb="patch_status", outcome="ok")


def passes(running: RunningOperator) -> float:
    """Passes that the operator has made."""
    return running.metric("mizzen_operator_pass_seconds_count")


def wait(holds: Callable[[], bool], pause: float, what: str) -> None:
    """Ask again and again; TimeoutError that names what did not come."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {PATIENCE_SECONDS:.0f} s")
        time.sleep(pause)


def wait_idle(pid: int) -> None:
    """Return once a process has had nothing to do for a second."""

    def idle() -> bool:
        before = cpu_seconds(pid)
        time.sleep(1.0)
        return cpu_seconds(pid) - before < IDLE_SHARE

    wait(idle, 0.0, "an idle process")


def cpu_seconds(pid: int) -> float:
    """CPU that a process has used so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_mb(pid: int, field: str = "VmRSS") -> float:
    """Resident memory in MB (10^6 bytes); `VmHWM` is the most that it ever was."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field)) * 1024 / 1e6


def answers(running: RunningOperator) -> bool:
    """Its endpoint answers that it is ready."""
    try:
        return running.ready()
    except httpx.TransportError:
        return False
