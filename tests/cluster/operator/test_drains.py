"""A node is drained: the API server lets an engine pod go, whatever the rollout keeps ready."""

import pytest
from support.cluster.objects import Objects
from support.model_objects import model, pods, wait_ready


@pytest.mark.parametrize(("replicas", "least"), [(1, 1), (2, "100%"), (3, 2)])
def test_a_drain_takes_a_replica(objects: Objects, replicas: int, least: object) -> None:
    objects.create(model("drained", replicas=replicas, rollout={"minAvailable": least}))
    wait_ready(objects, "drained")
    objects.wait("PodDisruptionBudget", "drained", lambda one: one["status"].get("disruptionsAllowed") == 1)
    name = pods(objects, "drained")[0]["metadata"]["name"]
    path = f"/api/v1/namespaces/{objects.namespace}/pods/{name}/eviction"
    objects.call("POST", path, json={"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name}})
    objects.wait_gone("Pod", name)
    wait_ready(objects, "drained")
