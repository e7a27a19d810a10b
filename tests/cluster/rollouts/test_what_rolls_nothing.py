"""What a platform engineer changes rolls no engine pod; scaling, stopping and starting are no rollouts either."""

from collections.abc import Callable

from support.cluster.changes import recorded
from support.cluster.cluster import Cluster
from support.cluster.objects import Object, Objects, wait_until
from support.rollouts import (
    KIND,
    NAME,
    add_pool,
    annotate,
    by_version,
    change,
    chat,
    hash_of,
    moments,
    pods_on_nodes,
    uids,
    wait,
    wait_rolled_out,
)
from support.running_operator import RunningOperator, operator

Pool = Callable[[int], str]
RESTART = "mizzen.dev/restarted-at"


def test_another_image_of_the_platform_rolls_no_pod_until_the_user_asks(
    cluster: Cluster, objects: Objects, running: RunningOperator
) -> None:
    objects.create(chat(replicas=2) | {"spec": {**fetching(), "replicas": 2}})
    before = hash_of(wait_rolled_out(objects), "Serving")
    serving = uids(objects, "1")
    running.process.stop()
    try:
        with operator(cluster, platform_image="example.org/mizzen/engines:9") as upgraded:
            objects.merge(KIND, NAME, {"spec": {"replicas": 3}})
            wait_rolled_out(objects)
            assert upgraded.process.runs
            assert serving < uids(objects, "1")
            assert "example.org/mizzen/engines:9" not in images(objects)
            annotate(objects, RESTART, "2026-01-01T00:00:00Z")
            wait(objects, lambda one: one["status"]["revisions"][0]["hash"] != before)
            wait_rolled_out(objects)
            assert "example.org/mizzen/engines:9" in images(objects)
            assert not serving & uids(objects, "1")
    finally:
        running.process.start()
        running.wait_ready()


def fetching() -> Object:
    """A spec whose pods have a container of the platform, which fetches the model."""
    spec: Object = chat()["spec"]
    return {**spec, "engine": {"type": "Triton"}, "model": {"uri": "hf://org/repo@main", "format": "ONNX"}}


def images(objects: Objects) -> set[str]:
    """Images of all containers of pods that stay."""
    staying = [one for one in by_version(objects)["1"] if one["metadata"]["uid"] in uids(objects, "1")]
    specs = [one["spec"] for one in staying]
    return {each["image"] for spec in specs for each in (*spec["containers"], *spec.get("initContainers", ()))}


def test_another_image_of_the_runtime_rolls_no_pod_until_the_user_asks(objects: Objects) -> None:
    name = objects.namespace
    objects.create(runtime(name, "example.org/engine:1"))
    spec = {**chat()["spec"], "engine": {"type": "Custom", "runtimeRef": name}, "replicas": 2}
    objects.create(chat() | {"spec": spec})
    wait_rolled_out(objects)
    serving = uids(objects, "1")
    objects.merge("ServingRuntime", name, {"spec": {"image": "example.org/engine:2"}})
    objects.merge(KIND, NAME, {"spec": {"replicas": 3}})
    wait_rolled_out(objects)
    assert serving < uids(objects, "1")
    assert "example.org/engine:2" not in images(objects)
    annotate(objects, RESTART, "2026-01-01T00:00:00Z")
    wait_until(lambda: "example.org/engine:1" not in images(objects), 60, lambda: str(images(objects)))
    wait_rolled_out(objects)
    assert "example.org/engine:2" in images(objects)
    objects.delete("ServingRuntime", name)


def runtime(name: str, image: str) -> Object:
    """A Custom engine."""
    spec = {
        "engine": "Custom",
        "protocol": "OpenAI",
        "image": image,
        "command": ["serve"],
        "ports": [{"name": "http", "containerPort": 8000}],
        "readiness": {"path": "/healthz"},
        "liveness": {"path": "/healthz"},
    }
    return {"apiVersion": "mizzen.dev/v1alpha1", "kind": "ServingRuntime", "metadata": {"name": name}, "spec": spec}


def test_it_scales_while_a_rollout_runs(cluster: Cluster, objects: Objects) -> None:
    objects.create(chat(add_pool(cluster, objects.namespace, 6)))
    wait_rolled_out(objects, "1")
    with recorded(objects, "Pod") as changes:
        change(objects, "2", "never")
        wait_until(lambda: list(pods_on_nodes(objects, "2")), 60, "no pod of the new version has a place")
        cluster.kubectl("scale", "-n", objects.namespace, f"modeldeployments.mizzen.dev/{NAME}", "--replicas=5")
        wait(objects, lambda one: one["status"]["desiredReplicas"] == 5)
        change(objects, "3")
        wait_rolled_out(objects, "3")
        assert len(uids(objects, "3")) == 5
        cluster.kubectl("scale", "-n", objects.namespace, f"modeldeployments.mizzen.dev/{NAME}", "--replicas=2")
        wait(objects, lambda one: one["status"]["replicas"] == one["status"]["readyReplicas"] == 2)
    seen = moments(changes)
    assert max(one.bound for one in seen) == 6, seen
    grown = next(place for place, one in enumerate(seen) if one.ready == 5)
    assert min(one.ready for one in seen[:grown]) >= 3, seen


def test_stopped_and_running_again_is_the_same_revision(objects: Objects) -> None:
    objects.create(chat(replicas=2))
    before = hash_of(wait_rolled_out(objects, "1"), "Serving")
    objects.merge(KIND, NAME, {"spec": {"lifecycle": {"state": "Stopped"}}})
    wait(objects, lambda one: not by_version(objects) and one["status"].get("replicas", 0) == 0)
    objects.merge(KIND, NAME, {"spec": {"lifecycle": {"state": "Running"}}})
    deployment = wait_rolled_out(objects, "1")
    assert [one["hash"] for one in deployment["status"]["revisions"]] == [before]


def test_stopped_in_mid_rollout_and_running_again_ends_at_the_new_revision(objects: Objects) -> None:
    objects.create(chat(replicas=2))
    wait_rolled_out(objects, "1")
    change(objects, "2", "never")
    wait_until(lambda: list(pods_on_nodes(objects, "2")), 60, "no pod of the new version has a place")
    objects.merge(KIND, NAME, {"spec": {"lifecycle": {"state": "Stopped"}}})
    wait_until(lambda: not by_version(objects), 60, "pods are left")
    change(objects, "3", lifecycle={"state": "Running"})
    wait_rolled_out(objects, "3")
