"""Allocatable minus requested, for each class."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mizzen_crds.v1alpha1.accelerator_class import AcceleratorClass
from mizzen_crds.v1alpha1.model_deployment.workload import Sharing
from mizzen_operator.kinds.accelerator_class.capacity import class_capacity, used_by
from mizzen_operator.kinds.accelerator_class.nodes import matches, schedulable, whole
from mizzen_operator.kinds.accelerator_class.placement import accelerator_kind, offered
from mizzen_operator.kinds.accelerator_class.requests import requested
from support.nodes_and_pods import H100, container, node, pod


def klass(name: str = "h100", **spec: Any) -> AcceleratorClass:
    body = {"resourceName": "nvidia.com/gpu", "nodeLabels": H100, "memory": "80Gi"} | spec
    return AcceleratorClass.model_validate({"metadata": {"name": name}, "spec": body})


MIG = {"mode": "MIG", "resourceName": "nvidia.com/mig-3g.40gb", "memory": "40Gi", "partsPerAccelerator": 2}


def test_free_is_what_nodes_offer_less_what_pods_hold() -> None:
    capacity = class_capacity(klass(), [node("a"), node("b")], [pod(3, "a"), pod(2, "a"), pod(8, "b")])
    assert (capacity.allocatable, capacity.requested, capacity.free, capacity.largest_free) == (16, 13, 3, 3)


def test_pods_that_ended_hold_nothing_and_those_on_their_way_out_do() -> None:
    leaving = pod(2, "a")
    leaving["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    ended = [pod(4, "a", phase="Succeeded"), pod(4, "a", phase="Failed")]
    assert class_capacity(klass(), [node("a")], [*ended, leaving]).free == 6


@pytest.mark.parametrize("state", [{"cordoned": True}, {"ready": False}])
def test_a_node_that_takes_no_pods_offers_nothing_and_is_still_counted(state: dict[str, bool]) -> None:
    capacity = class_capacity(klass(), [node("a", **state), node("b", 4)], [])
    assert (capacity.nodes, capacity.allocatable) == (2, 4)


def test_nodes_of_other_labels_belong_to_other_classes() -> None:
    assert class_capacity(klass(), [node("a", labels={"nvidia.com/gpu.product": "A100"})], []).nodes == 0


def test_without_labels_every_node_that_offers_the_resource_belongs() -> None:
    bare = klass(nodeLabels={})
    assert matches(bare, node("a", labels={}))
    assert not matches(bare, node("b", allocatable={"cpu": "96"}))


def test_free_devices_on_different_nodes_are_no_place_for_a_pod_that_needs_both() -> None:
    capacity = class_capacity(klass(), [node("a"), node("b")], [pod(7, "a"), pod(7, "b")])
    assert (capacity.free, capacity.places(1), capacity.places(2)) == (2, 2, 0)


def test_a_device_that_failed_leaves_no_negative_room() -> None:
    capacity = class_capacity(klass(), [node("a", 2), node("b", 2)], [pod(3, "a")])
    assert capacity.free == 2


def test_pods_that_wait_for_the_class_are_told_apart() -> None:
    waiting = pod(2, nodeSelector=H100 | {"zone": "a"})
    elsewhere = pod(2, nodeSelector={"nvidia.com/gpu.product": "A100"})
    capacity = class_capacity(klass(), [node("a")], [waiting, elsewhere])
    assert (capacity.free, capacity.waiting) == (8, 2)


def test_parts_are_counted_by_their_own_resource() -> None:
    cut = node("a", allocatable={"nvidia.com/gpu": "0", "nvidia.com/mig-3g.40gb": "16"})
    held = pod(3, "a", resource="nvidia.com/mig-3g.40gb")
    capacity = class_capacity(klass(sharing=[MIG]), [cut], [held], Sharing.MIG)
    assert (capacity.resource, capacity.free) == ("nvidia.com/mig-3g.40gb", 13)


def test_a_class_offers_exclusive_use_unless_it_says_otherwise() -> None:
    assert offered(klass(), Sharing.EXCLUSIVE) is not None
    assert offered(klass(), Sharing.TIME_SLICED) is None
    assert offered(klass(sharing=[MIG]), Sharing.EXCLUSIVE) is None


def test_the_scheduler_is_told_labels_tolerations_and_resources() -> None:
    kind = accelerator_kind(klass(sharing=[MIG], tolerations=[{"key": "nvidia.com/gpu", "operator": "Exists"}]))
    assert kind.node_selector == H100
    assert kind.tolerations == ({"key": "nvidia.com/gpu", "operator": "Exists"},)
    assert kind.resource_for(Sharing.MIG) == "nvidia.com/mig-3g.40gb"
    assert kind.resource_for(Sharing.EXCLUSIVE) == "nvidia.com/gpu"


def test_init_containers_count_where_they_need_more_than_the_rest() -> None:
    assert requested(pod(2, initContainers=[container(4)]), "nvidia.com/gpu") == 4
    assert requested(pod(2, initContainers=[container(1)]), "nvidia.com/gpu") == 2


def test_side_cars_run_beside_everything_after_them() -> None:
    side_car = container(1, restartPolicy="Always")
    assert requested(pod(2, initContainers=[side_car]), "nvidia.com/gpu") == 3
    assert requested(pod(2, initContainers=[side_car, container(4)]), "nvidia.com/gpu") == 5
    assert requested(pod(2, initContainers=[container(4), side_car]), "nvidia.com/gpu") == 4


def test_a_limit_alone_is_the_request() -> None:
    bare = {"name": "engine", "resources": {"limits": {"nvidia.com/gpu": 2}}}
    assert requested(pod(0, containers=[bare]), "nvidia.com/gpu") == 2


@pytest.mark.parametrize(("quantity", "count"), [("8", 8), (8, 8), ("1k", 1000), ("x", 0), (None, 0)])
def test_a_quantity_of_devices_is_a_number(quantity: object, count: int) -> None:
    assert whole(quantity) == count


def test_a_node_on_its_way_out_takes_no_pods() -> None:
    leaving = node("a")
    leaving["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert not schedulable(leaving)
    assert schedulable(node("a"))


def test_a_project_uses_what_pods_of_its_namespaces_hold_in_accelerators() -> None:
    a100 = klass("a100", nodeLabels={"nvidia.com/gpu.product": "A100"})
    shared = klass(sharing=[MIG])
    nodes = [node("h"), node("a", labels={"nvidia.com/gpu.product": "A100"})]
    pods = [
        pod(2, "h"),
        pod(3, "h", resource="nvidia.com/mig-3g.40gb"),
        pod(4, "a", namespace="team-a-batch"),
        pod(8, "h", namespace="team-b"),
        pod(1, nodeSelector=H100, phase="Pending"),
        pod(1, "h", phase="Succeeded"),
    ]
    assert used_by([shared, a100], nodes, pods, {"team-a", "team-a-batch"}) == {"h100": 2 + 2 + 1, "a100": 4}


@given(st.lists(st.tuples(st.integers(0, 8), st.lists(st.integers(0, 9), max_size=4)), max_size=5), st.integers(1, 9))
def test_places_never_exceed_what_is_free(nodes: list[tuple[int, list[int]]], per_pod: int) -> None:
    live = [node(f"n{number}", gpus) for number, (gpus, _) in enumerate(nodes)]
    pods = [pod(held, f"n{number}") for number, (_, each) in enumerate(nodes) for held in each]
    capacity = class_capacity(klass(), live, pods)
    assert capacity.places(per_pod) * per_pod <= capacity.free <= capacity.allocatable
    assert (capacity.places(per_pod) > 0) == (capacity.largest_free >= per_pod)
