"""Does a gateway find what the operator and Kubernetes' own controllers make? Pods, slices, a rollout's traffic."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mizzen_gateway.discovery.known_objects import KnownObjects
from mizzen_gateway.discovery.kubernetes import KubernetesFeed
from mizzen_gateway.routing.load import LoadBook
from mizzen_gateway.routing.table import RouteTable
from support.cluster.cluster import start
from support.cluster.nodes import Nodes
from support.cluster.objects import Object, Objects
from support.cluster.shared import fresh_namespace
from support.model_objects import model
from support.running_operator import operator
from support.until import until

SECONDS = 90


def endpoint_set(known: KnownObjects, objects: Objects, name: str) -> dict[str, Any]:
    document = known.get(("EndpointSet", objects.namespace, name)) or {"spec": {"endpoints": [], "traffic": {}}}
    spec: dict[str, Any] = document["spec"]
    return spec


def revisions(deployment: Object) -> list[str]:
    return [one["hash"] for one in deployment["status"]["revisions"]]


def served_by(known: KnownObjects, objects: Objects, name: str, revision: str, count: int) -> Callable[[], bool]:
    """All traffic goes to this revision, which has so many ready pods, and every other pod is known to be another's."""

    def holds() -> bool:
        spec = endpoint_set(known, objects, name)
        ready = [one["revision"] for one in spec["endpoints"] if one["ready"]]
        return spec["traffic"] == {revision: 100} and ready.count(revision) == count

    return holds


@pytest.mark.timeout(300)
async def test_pods_and_traffic_of_a_rollout_are_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with start(nodes=[Nodes(1)]) as cluster, operator(cluster):
        monkeypatch.setenv("KUBECONFIG", str(cluster.kubeconfig))
        objects = fresh_namespace(cluster)
        known = KnownObjects(RouteTable(LoadBook(), {}.get), tmp_path / "objects.json")
        following = asyncio.create_task(KubernetesFeed(known).run())
        # A name so long that Kubernetes cuts those of its pods.
        name = "a-model-with-a-name-of-more-than-fifty-two-characters"
        await asyncio.to_thread(objects.create, model(name, replicas=2))
        await until(lambda: len(endpoint_set(known, objects, name)["endpoints"]) == 2, SECONDS)
        first = revisions(objects.get("ModelDeployment", name) or {})[0]
        await until(served_by(known, objects, name, first, 2), SECONDS)
        assert {one["port"] for one in endpoint_set(known, objects, name)["endpoints"]} == {8000}

        changed = {"spec": {"engine": {"env": [{"name": "NEW", "value": "1"}]}}}
        await asyncio.to_thread(objects.merge, "ModelDeployment", name, changed)
        second = [""]

        def rolled_out() -> bool:
            second[0] = revisions(objects.get("ModelDeployment", name) or {})[0]
            return second[0] != first and served_by(known, objects, name, second[0], 2)()

        await until(rolled_out, SECONDS)
        following.cancel()
