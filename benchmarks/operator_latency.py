"""How soon does the operator answer a changed spec, and a child that was deleted or edited by hand?"""

import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from mizzen_crds.v1alpha1 import labels
from mizzen_kube import resources
from mizzen_kube.api import Selection
from operator_stage import CHILD_KINDS, MANAGER, NAMESPACE, QUIET, Manifest, Stage, at_once, deployment, wait, wait_idle
from support.running_operator import operator


@dataclass
class Latencies:
    """Seconds."""

    p99: list[float] = field(default_factory=list)
    p50: list[float] = field(default_factory=list)
    burst: list[float] = field(default_factory=list)
    """All changed at once: until the last has a changed child."""
    repaired: list[float] = field(default_factory=list)
    """Each repair of something deleted or edited by hand."""


def latencies(stage: Stage, count: int, rounds: int, seed: int) -> Latencies:
    """From the answer to a changed spec until a watch tells of the child that follows."""
    found, chance = Latencies(), random.Random(seed)
    with operator(stage.cluster, **QUIET) as running:
        stage.create(count)
        stage.wait_settled(count)
        wait_idle(running.process.pid)
        for number in range(rounds):
            numbers = chance.sample(range(count), count)
            seen = sorted(asyncio.run(_changes(stage, numbers, 8192 + number, pause=0.05)))
            found.p99.append(seen[min(len(seen) - 1, int(len(seen) * 0.99))])
            found.p50.append(seen[len(seen) // 2])
            wait_idle(running.process.pid)
            found.burst.append(max(asyncio.run(_changes(stage, numbers, 16384 + number, pause=0.0))))
            wait_idle(running.process.pid)
        for number in chance.sample(range(count), min(count, 20)):
            found.repaired += repairs(stage, number)
    stage.wipe()
    return found


async def _changes(stage: Stage, numbers: list[int], length: int, pause: float) -> list[float]:
    """Change the spec of each, so many seconds apart; how long each child took."""
    began: dict[str, float] = {}
    ended: dict[str, float] = {}
    async with stage.api() as api:
        _, version = await api.list(resources.DEPLOYMENTS, Selection(NAMESPACE))

        async def hear() -> None:
            async for kind, child in api.watch(resources.DEPLOYMENTS, Selection(NAMESPACE), resource_version=version):
                if kind == "ADDED":
                    ended.setdefault(child["metadata"]["labels"][labels.DEPLOYMENT], time.monotonic())
                if len(ended) == len(numbers):
                    return

        async def change(number: int) -> None:
            name = deployment(number)["metadata"]["name"]
            operation = {"op": "replace", "path": "/spec/engine/maxModelLen", "value": length}
            began[name] = time.monotonic()
            await api.json_patch(resources.MODEL_DEPLOYMENTS, name, NAMESPACE, [operation], field_manager=MANAGER)

        async with asyncio.timeout(600), asyncio.TaskGroup() as group:
            group.create_task(hear())
            if pause:
                for number in numbers:
                    group.create_task(change(number))
                    await asyncio.sleep(pause)
            else:
                await at_once(numbers, change)
    return [ended[name] - began[name] for name in began]


def repairs(stage: Stage, number: int) -> list[float]:
    """Delete and edit children of one deployment by hand; seconds until each is as it was."""
    objects, name = stage.objects, deployment(number)["metadata"]["name"]
    selector = f"{labels.DEPLOYMENT}={name}"
    found = []
    for kind in CHILD_KINDS:
        child = objects.list(kind.kind, labels=selector)[0]
        uid, began = child["metadata"]["uid"], time.monotonic()
        objects.delete(kind.kind, child["metadata"]["name"])
        found.append(_until(objects.get, child, partial(_is_another, uid), began))
    for kind_name, patch, holds in EDITS:
        child = objects.list(kind_name, labels=selector)[0]
        objects.merge(kind_name, child["metadata"]["name"], patch)
        found.append(_until(objects.get, child, holds, time.monotonic()))
    return found


EDITS: tuple[tuple[str, Manifest, Callable[[Manifest], bool]], ...] = (
    ("Deployment", {"spec": {"progressDeadlineSeconds": 7}}, lambda now: now["spec"]["progressDeadlineSeconds"] != 7),
    ("NetworkPolicy", {"spec": {"ingress": []}}, lambda now: bool(now["spec"].get("ingress"))),
    (
        "Service",
        {"metadata": {"labels": {labels.DEPLOYMENT: "other"}}},
        lambda now: now["metadata"]["labels"][labels.DEPLOYMENT] != "other",
    ),
)


def _is_another(uid: str, now: Manifest) -> bool:
    return bool(now["metadata"]["uid"] != uid)


def _until(get: Callable[[str, str], Any], child: Manifest, holds: Callable[[Manifest], bool], began: float) -> float:
    kind, name = child["kind"], child["metadata"]["name"]

    def there() -> bool:
        now = get(kind, name)
        return now is not None and holds(now)

    wait(there, 0.02, f"{kind} {name} repaired")
    return time.monotonic() - began
