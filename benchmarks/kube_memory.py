"""How much memory does a program take that knows 5,000 ModelDeployments, all their children and 5,000 pods?

Against the API server of KUBECONFIG, which must know the definitions and be otherwise empty (`make cluster-up`). This
makes the objects as the operator's own builders render them; then a process of its own lists and watches them all
through reflectors, once more after every watch was told to list anew. CHECK=1 exits 1 when the goal is missed; COUNT
sets another number than 5,000.
"""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mizzen_crds.v1alpha1.model_deployment import ModelDeployment
from mizzen_kube import resources
from mizzen_kube.api import Api, Selection, open_api
from mizzen_kube.environment import from_environment
from mizzen_kube.errors import AlreadyExistsError, UnavailableError
from mizzen_kube.packed import Packing
from mizzen_kube.reflector import Reflector
from mizzen_operator.kinds.model_deployment.artifact import Artifact
from mizzen_operator.kinds.model_deployment.desired import desired
from mizzen_operator.kinds.model_deployment.environment import PlanEnvironment
from mizzen_operator.runtimes.builtin import builtin_runtimes, runtime_for
from result_file import Result, print_table, write_results

GOAL_MB = 260.0
COUNT = int(os.environ.get("COUNT", "5000"))
NAMESPACE = "memory"
MANAGER = "kube-memory"
AT_ONCE = 64
CHILDREN = 8
ENVIRONMENT = PlanEnvironment(
    platform_image="registry.example/mizzen:0.2.0",
    registry_url="http://mizzen-controlplane.mizzen-system:8470",
    operator_url="http://mizzen-operator.mizzen-system:8482",
)
Manifest = dict[str, Any]
WHOLE = (
    resources.MODEL_DEPLOYMENTS,
    resources.DEPLOYMENTS,
    resources.CONTROLLER_REVISIONS,
    resources.SERVICES,
    resources.NETWORK_POLICIES,
    resources.DISRUPTION_BUDGETS,
    resources.CONFIG_MAPS,
)


@dataclass(frozen=True, slots=True)
class PodView:
    """What a plan asks of a pod."""

    revision: str
    phase: str
    node: str


def pod_view(manifest: Manifest) -> PodView:
    """Return the view."""
    labels, spec = manifest["metadata"].get("labels", {}), manifest["spec"]
    phase = manifest.get("status", {}).get("phase", "")
    return PodView(labels.get("mizzen.dev/revision", ""), phase, spec.get("nodeName", ""))


def family(number: int) -> Iterator[Manifest]:
    """Yield a deployment, what it becomes, and one pod."""
    name = f"model-{number:05}"
    spec = {"model": {"uri": "hf://example/model@main"}, "engine": {"type": "vLLM"}}
    primary = {
        "apiVersion": "mizzen.dev/v1alpha1",
        "kind": "ModelDeployment",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": spec,
    }
    yield primary
    model = ModelDeployment.model_validate(primary)
    runtime = runtime_for(model, builtin_runtimes())
    assert runtime is not None
    rendered = [
        json.loads(json.dumps(each))
        for each in desired(model, runtime, Artifact("hf://example/model@main"), ENVIRONMENT).manifests
    ]
    template = next(each for each in rendered if each["kind"] == "Deployment")["spec"]["template"]
    meta = {"namespace": NAMESPACE, "labels": template["metadata"]["labels"]}
    yield from rendered
    for extra in range(CHILDREN - len(rendered)):  # the operator may come to write more
        settings = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {**meta, "name": f"{name}-{extra}"}}
        yield {**settings, "data": {"template": json.dumps(template)}}
    yield {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {**meta, "name": name},
        "spec": {**template["spec"], "serviceAccountName": "default"},
    }


async def make_objects() -> float:
    """Create what is not there yet; seconds."""
    began, free = time.monotonic(), asyncio.Semaphore(AT_ONCE)
    async with open_api(await from_environment()) as api:
        await make(api, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}, {})

        pods, _ = await api.list(resources.PODS, Selection(NAMESPACE, metadata_only=True))
        whole = {pod["metadata"]["name"] for pod in pods}

        async def one(number: int) -> None:
            if f"model-{number:05}" in whole:  # the pod is the last of a family
                return
            async with free:
                owner: Manifest = {}
                for manifest in family(number):
                    made = await make(api, manifest, owner)
                    owner = owner or made

        async with asyncio.TaskGroup() as tasks:
            for number in range(COUNT):
                tasks.create_task(one(number))
    return time.monotonic() - began


async def make(api: Api, manifest: Manifest, owner: Manifest) -> Manifest:
    """Create an object of this owner; one that is there is left."""
    if manifest["kind"] != "Namespace":
        manifest["metadata"]["namespace"] = NAMESPACE
    if owner:
        reference = {key: owner[key] for key in ("apiVersion", "kind")}
        reference |= {key: owner["metadata"][key] for key in ("name", "uid")}
        manifest["metadata"]["ownerReferences"] = [{**reference, "controller": True}]
    try:
        return await api.create(manifest, field_manager=MANAGER)
    except UnavailableError:  # a server that is asked for 45,000 objects is slow at times
        return await make(api, manifest, owner)
    except AlreadyExistsError:
        namespace = "" if manifest["kind"] == "Namespace" else NAMESPACE
        return await api.get(resources.resource_of(manifest), manifest["metadata"]["name"], namespace)


async def watch_all() -> dict[str, float]:
    """Know everything; memory in MB (10^6 bytes) and seconds."""
    numbers = {"start_mb": resident_mb()}
    began = time.monotonic()
    async with open_api(await from_environment()) as api, asyncio.TaskGroup() as tasks:
        reflectors: list[Reflector[Any]] = [Reflector(api, kind, keep=Packing()) for kind in WHOLE]
        reflectors.append(Reflector(api, resources.PODS, keep=pod_view))
        running = [tasks.create_task(each.run()) for each in reflectors]
        for each in reflectors:
            await each.synced.wait()
        numbers |= {"synced_mb": resident_mb(), "seconds": time.monotonic() - began, "cpu": time.process_time()}
        numbers["objects"] = sum(map(len, reflectors))
        for each in reflectors:
            await each._list()  # one after another, as `Reflector.run` does it
        numbers |= {"listed_again_mb": resident_mb(), "peak_mb": resident_mb("VmHWM")}
        for task in running:
            task.cancel()
    return numbers


def resident_mb(field: str = "VmRSS") -> float:
    """What the kernel says of this process."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field)) * 1024 / 1e6


def measure() -> dict[str, float]:
    """Measure in a process that has done nothing else."""
    command = [sys.executable, __file__, "watch"]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=os.environ | {"COUNT": str(COUNT)})
    numbers: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return numbers


def main() -> int:
    """Make, measure three times, write the result."""
    if sys.argv[1:] == ["watch"]:
        print(json.dumps(asyncio.run(watch_all())))
        return 0
    started = datetime.now(UTC)
    print(f"made in {asyncio.run(make_objects()):.0f} s", flush=True)
    rounds = [measure() for _ in range(3)]
    middle = sorted(rounds, key=lambda each: each["peak_mb"])[1]
    results = [
        Result("peak_memory", round(middle["peak_mb"], 1), "MB", GOAL_MB, samples=[each["peak_mb"] for each in rounds]),
        Result("memory_when_synced", round(middle["synced_mb"], 1), "MB"),
        Result("memory_after_listing_again", round(middle["listed_again_mb"], 1), "MB"),
        Result("memory_at_start", round(middle["start_mb"], 1), "MB"),
        Result("objects", middle["objects"], "objects"),
        Result("seconds_until_synced", round(middle["seconds"], 2), "s"),
        Result("cpu_until_synced", round(middle["cpu"], 2), "s"),
    ]
    print_table(results)
    write_results("kube_memory", results, seed=0, started_at=started, packages=["aiohttp", "orjson"])
    return int(bool(os.environ.get("CHECK")) and not all(result.holds for result in results))


if __name__ == "__main__":
    sys.exit(main())
