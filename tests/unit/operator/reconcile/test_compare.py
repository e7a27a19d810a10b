"""Only what we want counts, as server-side apply would merge it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some
from mizzen_operator.reconcile.compare import difference

LIVE = {
    "replicas": 2,
    "selector": {"matchLabels": {"app": "a"}},
    "template": {
        "spec": {
            "dnsPolicy": "ClusterFirst",
            "containers": [
                {
                    "name": "engine",
                    "image": "x:1",
                    "ports": [{"name": "http", "containerPort": 80, "protocol": "TCP"}],
                    "resources": {"requests": {"cpu": "1", "memory": "1Gi"}},
                    "env": [{"name": "A", "value": "1"}],
                },
                {"name": "someone-elses", "image": "y"},
            ],
            "volumes": [{"name": "scratch", "emptyDir": {}}],
        }
    },
}


def engine(**parts: Any) -> dict[str, Any]:
    return {"template": {"spec": {"containers": [{"name": "engine", **parts}]}}}


@pytest.mark.parametrize(
    "wanted",
    [
        {"replicas": 2},
        engine(image="x:1"),
        engine(resources={"requests": {"cpu": "1000m", "memory": "1024Mi"}}),
        engine(ports=[{"name": "http", "containerPort": 80}]),
        engine(args=[]),
        engine(env=[{"name": "A", "value": "1"}]),
        {"template": {"spec": {"volumes": [{"name": "scratch", "emptyDir": {}}], "nodeSelector": {}}}},
        {"egress": []},
        {"paused": False},
    ],
)
def test_what_the_live_object_holds_is_no_difference(wanted: dict[str, Any]) -> None:
    assert difference(wanted, LIVE) == ""


@pytest.mark.parametrize(
    ("wanted", "path"),
    [
        ({"replicas": 3}, "replicas"),
        ({"replicas": 0}, "replicas"),
        (engine(image="x:2"), "template.spec.containers[engine].image"),
        (engine(args=["--fast"]), "template.spec.containers[engine].args"),
        (
            engine(resources={"requests": {"cpu": "2"}}),
            "template.spec.containers[engine].resources.requests.cpu",
        ),
        (engine(env=[{"name": "B", "value": "1"}]), "template.spec.containers[engine].env[B]"),
        ({"selector": {"matchLabels": {}}}, "selector.matchLabels"),
        ({"template": {"spec": {"volumes": [{"name": "other", "emptyDir": {}}]}}}, "template.spec.volumes[other]"),
        ({"policy": {"types": ["a"]}}, "policy"),
    ],
)
def test_the_first_field_that_differs_is_named(wanted: dict[str, Any], path: str) -> None:
    assert difference(wanted, LIVE) == path


def test_a_list_of_one_writer_is_compared_whole() -> None:
    rule = {"ports": [{"port": "http"}]}
    assert difference({"ingress": [rule]}, {"ingress": [rule]}) == ""
    assert difference({"ingress": [rule]}, {"ingress": [rule, {}]}) == "ingress"
    assert difference({"egress": []}, {"egress": [{}]}) == "egress"


def test_true_is_not_one() -> None:
    assert difference({"on": True}, {"on": 1}) == "on"


plain = some.recursive(
    some.none() | some.booleans() | some.integers() | some.text(max_size=5),
    lambda inner: some.lists(inner, max_size=3) | some.dictionaries(some.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


@given(some.dictionaries(some.text(max_size=5), plain, max_size=4), some.text(min_size=6, max_size=8))
def test_every_object_holds_itself_with_whatever_others_added(wanted: dict[str, Any], more: str) -> None:
    assert difference(wanted, {**wanted, more: "theirs"}) == ""
