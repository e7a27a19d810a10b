"""Replicas over several pods become a LeaderWorkerSet; its definition stands in for it, and nobody makes its pods."""

from collections.abc import Iterator
from typing import Any

import pytest
from support.cluster.cluster import Cluster, condition, start
from support.cluster.objects import Object, Objects, wait_until
from support.cluster.shared import fresh_namespace
from support.kind_objects import accelerator_class
from support.model_objects import looked_at, model, says
from support.running_operator import operator

SECONDS = 60.0
ANYTHING = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
NAMES = {"kind": "LeaderWorkerSet", "plural": "leaderworkersets", "singular": "leaderworkerset"}


@pytest.fixture(scope="module")
def cards() -> Iterator[Cluster]:
    """A bare API server with a class of accelerators, and the operator."""
    with start() as cluster:
        cluster.objects.create(accelerator_class("h100"))
        with operator(cluster):
            yield cluster


@pytest.fixture
def objects(cards: Cluster) -> Objects:
    return fresh_namespace(cards)


def definition() -> dict[str, Any]:
    """LeaderWorkerSet, as its documentation describes it, as far as it counts here."""
    whole = {"type": "integer", "format": "int32"}
    template: Object = {"size": whole, "restartPolicy": {"type": "string"}}
    template |= {"leaderTemplate": ANYTHING, "workerTemplate": ANYTHING}
    spec: Object = {"replicas": whole, "startupPolicy": {"type": "string"}}
    spec["leaderWorkerTemplate"] = {"type": "object", "properties": template, "required": ["workerTemplate"]}
    schema = {"type": "object", "properties": {"spec": {"type": "object", "properties": spec}, "status": ANYTHING}}
    version: Object = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    version["subresources"] = {"status": {}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": "leaderworkersets.leaderworkerset.x-k8s.io",
            "annotations": {"api-approved.kubernetes.io": "unapproved, test-only"},
        },
        "spec": {
            "group": "leaderworkerset.x-k8s.io",
            "scope": "Namespaced",
            "names": {**NAMES, "listKind": "LeaderWorkerSetList"},
            "versions": [version],
        },
    }


def is_served(kind: Object) -> bool:
    return bool(condition(kind, "Established").get("status") == "True")


def groups_of_two(name: str, **spec: Any) -> Object:
    engine = {"type": "vLLM", "parallelism": {"pipeline": 2}}
    resources = {"acceleratorClass": "h100", "acceleratorsPerPod": 1}
    source = {"uri": "hf://org/repo@main", "format": "Safetensors"}
    parts = {"engine": engine, "resources": resources, "model": source, "multiNode": {"size": 2}}
    return {**model(name), "spec": {**parts, "replicas": 1, **spec}}


def test_without_leader_worker_sets_that_is_said_and_with_them_a_group_is_made_and_kept(
    cards: Cluster, objects: Objects
) -> None:
    objects.create(groups_of_two("large"))
    found = objects.wait("ModelDeployment", "large", says("UpToDate", "False", "LeaderWorkerSetNotInstalled"), SECONDS)
    assert "spec.multiNode" in condition(found, "UpToDate")["message"]
    made = cards.objects.create(definition())
    cards.objects.wait("CustomResourceDefinition", made["metadata"]["name"], is_served)
    wait_until(lambda: objects.list("LeaderWorkerSet"), SECONDS, "no group")
    [group] = objects.list("LeaderWorkerSet")
    assert group["spec"]["replicas"] == 1
    assert group["spec"]["leaderWorkerTemplate"]["size"] == 2
    assert objects.list("Deployment") == []

    name = group["metadata"]["name"]
    objects.merge("ModelDeployment", "large", {"spec": {"replicas": 3}})
    objects.wait("LeaderWorkerSet", name, lambda one: one["spec"]["replicas"] == 3, SECONDS)
    objects.merge("LeaderWorkerSet", name, {"spec": {"replicas": 7}})
    objects.wait("LeaderWorkerSet", name, lambda one: one["spec"]["replicas"] == 3, SECONDS)
    objects.delete("LeaderWorkerSet", name)
    again = objects.wait(
        "LeaderWorkerSet", name, lambda one: one["metadata"]["uid"] != group["metadata"]["uid"], SECONDS
    )
    assert again["spec"] == {**group["spec"], "replicas": 3}
    assert looked_at(objects.wait("ModelDeployment", "large", looked_at, SECONDS))
