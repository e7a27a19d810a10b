"""What does a write make of an object?"""

from datetime import UTC, datetime
from typing import Any

from mizzen_controlplane.cluster.objects import (
    ObjectKey,
    Wanted,
    created,
    managers_of,
    replaced,
    wanted_of,
    with_status,
    with_version,
)

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
KEY = ObjectKey("ModelDeployment", "default", "m")


def _wanted(**fields: Any) -> Wanted:
    return Wanted(**({"labels": {}, "annotations": {}, "spec": {"replicas": 1}, "manager": "a"} | fields))


def test_a_fresh_object_has_generation_1_and_a_status_that_nobody_has_observed() -> None:
    document = created(KEY, _wanted(), "u1", NOW)
    assert document["metadata"]["generation"] == 1
    assert document["metadata"]["creationTimestamp"] == "2026-03-01T12:00:00Z"
    assert document["status"] == {"observedGeneration": -1}


def test_a_cluster_scoped_object_has_no_namespace() -> None:
    document = created(ObjectKey("ServingRuntime", "_", "triton"), _wanted(), "u1", NOW)
    assert "namespace" not in document["metadata"]


def test_only_a_new_spec_raises_the_generation() -> None:
    document = created(KEY, _wanted(), "u1", NOW)
    labelled = replaced(document, _wanted(labels={"a": "b"}), NOW)
    assert labelled is not None
    assert labelled["metadata"]["generation"] == 1
    scaled = replaced(labelled, _wanted(labels={"a": "b"}, spec={"replicas": 2}), NOW)
    assert scaled is not None
    assert scaled["metadata"]["generation"] == 2


def test_a_write_that_changes_nothing_writes_nothing_whoever_makes_it() -> None:
    document = created(KEY, _wanted(), "u1", NOW)
    assert replaced(document, _wanted(manager="b"), NOW) is None
    assert with_status(document, {"observedGeneration": -1}) is None


def test_a_status_touches_neither_generation_nor_owner() -> None:
    document = with_version(created(KEY, _wanted(), "u1", NOW), 7)
    observed = with_status(document, {"observedGeneration": 1})
    assert observed is not None
    assert observed["metadata"] == document["metadata"]
    assert managers_of(observed) == ("a",)


def test_a_wish_takes_nothing_from_the_status_of_its_body() -> None:
    document = created(KEY, _wanted(labels={"x": "y"}), "u1", NOW) | {"status": {"replicas": 9}}
    wish = wanted_of(document, "b")
    assert (wish.labels, wish.spec, wish.uid) == ({"x": "y"}, {"replicas": 1}, "u1")
