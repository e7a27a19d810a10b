"""Which deployments may ask for which accelerators of a project's quota?"""

from typing import Any

import pytest
from mizzen_controlplane.quotas.demand import asked_for, demand_of, refusal

QUOTA = {"h100": 4, "l4": 2}


def spec(name: str = "h100", each: int = 1, **more: Any) -> dict[str, Any]:
    return {"resources": {"acceleratorClass": name, "acceleratorsPerPod": each}, **more}


@pytest.mark.parametrize(
    ("asks", "accelerators"),
    [
        (spec(), 1),
        (spec(each=2, replicas=3), 6),
        (spec(each=8, multiNode={"size": 2}), 16),
        (spec(replicas=1, autoscaling={"minReplicas": 2, "maxReplicas": 8}), 2),
        (spec(replicas=5, autoscaling={"maxReplicas": 8}), 1),
        (spec(replicas=3, lifecycle={"state": "Stopped"}), 0),
    ],
)
def test_a_deployment_asks_for_its_fewest_replicas_over_all_their_pods(asks: dict[str, Any], accelerators: int) -> None:
    demand = demand_of(asks)
    assert demand is not None
    assert demand.accelerators == accelerators


def test_deployments_of_one_class_are_counted_together_and_those_without_are_not() -> None:
    assert asked_for([spec(), spec(each=2), spec("l4"), {"replicas": 4}]) == {"h100": 3, "l4": 1}


def test_what_fits_is_taken_to_the_last_accelerator() -> None:
    assert refusal("m", spec(replicas=2), None, [spec(each=2)], QUOTA) == ""
    why = refusal("m", spec(replicas=3), None, [spec(each=2)], QUOTA)
    assert "asks for 3 accelerators of class h100 (3 x 1)" in why
    assert "other deployments ask for 2, and its quota is 4" in why


def test_a_class_that_the_quota_does_not_name_is_refused_and_no_class_is_not() -> None:
    assert "the quota of the project names h100, l4 alone" in refusal("m", spec("a100"), None, [], QUOTA)
    assert refusal("m", {"replicas": 3}, None, [], QUOTA) == ""


def test_a_lowered_quota_stands_in_the_way_of_nobody_who_asks_for_no_more() -> None:
    now = spec(replicas=6)
    assert refusal("m", {**now, "image": "new"}, now, [], QUOTA) == ""
    assert refusal("m", spec(replicas=5), now, [], QUOTA) == ""
    assert refusal("m", spec(replicas=7), now, [], QUOTA) != ""


def test_one_that_starts_at_zero_is_refused_only_where_no_replica_could_ever_start() -> None:
    asleep = {"autoscaling": {"minReplicas": 0, "maxReplicas": 1}}
    assert refusal("m", spec(each=4, **asleep), None, [spec(each=4)], QUOTA) == ""
    assert "none could ever start" in refusal("m", spec(each=5, **asleep), None, [], QUOTA)


def test_of_shared_accelerators_only_the_class_is_looked_at() -> None:
    shared = spec(each=1, replicas=50)
    shared["resources"]["sharing"] = "MIG"
    assert refusal("m", shared, None, [], QUOTA) == ""
    shared["resources"]["acceleratorClass"] = "a100"
    assert refusal("m", shared, None, [], QUOTA) != ""
