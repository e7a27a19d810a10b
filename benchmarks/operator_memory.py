"""How much memory does the operator take that knows many deployments, all their children and a pod of each?"""

import asyncio
from dataclasses import dataclass

from mizzen_kube import resources
from mizzen_kube.api import Api, Selection
from operator_stage import (
    MANAGER,
    NAMESPACE,
    QUIET,
    Manifest,
    Stage,
    answers,
    at_once,
    memory_mb,
    passes,
    wait,
    wait_idle,
)
from support.running_operator import operator


@dataclass
class Memory:
    """MB (10^6 bytes) of the operator's process; objects."""

    settled: float
    peak: float
    restarted: float
    restarted_peak: float
    objects: int


def memory(stage: Stage, count: int) -> Memory:
    """So many deployments with their children and as many pods: when all was made, and after a start among them."""
    with operator(stage.cluster, **QUIET) as running:
        stage.create(count)
        stage.wait_status_writes(running, count)
        asyncio.run(_make_pods(stage, count))
        wait(lambda: running.metric("mizzen_operator_pods") >= count, 0.5, "pods known")
        wait(lambda: running.metric("mizzen_operator_queue_depth") == 0.0, 0.5, "an empty queue")
        wait_idle(running.process.pid)
        settled, peak = memory_mb(running.process.pid), memory_mb(running.process.pid, "VmHWM")
        running.process.stop()
        running.process.start()
        wait(lambda: answers(running) and passes(running) >= count, 0.5, "a look at everything")
        wait_idle(running.process.pid)
        pid = running.process.pid
        known = sum(running.metric(f"mizzen_operator_{one}") for one in ("deployments", "children", "pods"))
        return Memory(settled, peak, memory_mb(pid), memory_mb(pid, "VmHWM"), int(known))


async def _make_pods(stage: Stage, count: int) -> None:
    """One pod of each Deployment, ready, as a node would tell of it."""
    async with stage.api() as api:
        workloads, _ = await api.list(resources.DEPLOYMENTS, Selection(NAMESPACE))
        await at_once(range(count), lambda number: _make_pod(api, workloads[number]))


async def _make_pod(api: Api, workload: Manifest) -> None:
    template = workload["spec"]["template"]
    name = f"{workload['metadata']['name']}-x"
    metadata = {"name": name, "namespace": NAMESPACE, "labels": template["metadata"]["labels"]}
    spec = {**template["spec"], "serviceAccountName": "default"}
    made = await api.create(
        {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}, field_manager=MANAGER
    )
    at = made["metadata"]["creationTimestamp"]
    ready = [
        {"type": kind, "status": "True", "lastTransitionTime": at} for kind in ("PodScheduled", "Initialized", "Ready")
    ]
    containers = [
        {
            "name": one["name"],
            "ready": True,
            "started": True,
            "restartCount": 0,
            "image": one["image"],
            "imageID": "",
            "state": {"running": {"startedAt": at}},
        }
        for one in spec["containers"]
    ]
    status = {"phase": "Running", "podIP": "10.0.0.1", "conditions": ready, "containerStatuses": containers}
    await api.patch_status(
        {"apiVersion": "v1", "kind": "Pod", "metadata": made["metadata"], "status": status}, field_manager=MANAGER
    )
