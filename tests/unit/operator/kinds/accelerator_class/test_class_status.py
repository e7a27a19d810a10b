"""What is said of a class."""

from datetime import timedelta
from typing import Any

from mizzen_crds.v1alpha1.accelerator_class import AcceleratorClass, AcceleratorClassStatus
from mizzen_operator.kinds.accelerator_class.status import class_status
from support.deployments import NOON
from support.nodes_and_pods import H100, node, pod


def klass(name: str = "h100", status: AcceleratorClassStatus | None = None, **spec: Any) -> AcceleratorClass:
    body = {"resourceName": "nvidia.com/gpu", "nodeLabels": H100, "memory": "80Gi"} | spec
    made = AcceleratorClass.model_validate({"metadata": {"name": name, "generation": 3}, "spec": body})
    return made.model_copy(update={"status": status}) if status else made


def said(status: AcceleratorClassStatus) -> dict[str, tuple[str, str]]:
    return {one.type: (one.status, one.reason) for one in status.conditions}


def test_figures_and_conditions_are_of_our_own_generation() -> None:
    status = class_status(klass(), [node("a"), node("b", cordoned=True)], [pod(3, "a")], [], NOON)
    figures = (status.nodes, status.schedulable_nodes, status.allocatable, status.requested, status.free)
    assert figures == (2, 1, 8, 3, 5)
    assert status.observed_generation == 3
    assert said(status) == {
        "Ready": ("True", "Counted"),
        "NodesAvailable": ("True", "NodesFound"),
        "Disjoint": ("True", "ClassesDisjoint"),
    }


def test_no_node_is_no_failure_of_the_class() -> None:
    status = class_status(klass(), [], [], [], NOON)
    assert said(status)["Ready"] == ("True", "Counted")
    assert said(status)["NodesAvailable"] == ("False", "NoNodeMatches")
    assert "No node has nvidia.com/gpu.product=H100" in status.conditions[1].message


def test_nodes_without_the_device_plugin_are_named() -> None:
    status = class_status(klass(), [node("a", allocatable={"cpu": "8"})], [], [], NOON)
    assert said(status)["NodesAvailable"] == ("False", "ResourceNotOffered")
    assert "none offers nvidia.com/gpu: a." in status.conditions[1].message


def test_cordoned_nodes_are_named_up_to_five() -> None:
    status = class_status(klass(), [node(f"n{number}", cordoned=True) for number in range(7)], [], [], NOON)
    assert said(status)["NodesAvailable"] == ("False", "NodesUnschedulable")
    assert "n0, n1, n2, n3, n4 and 2 more" in status.conditions[1].message


def test_two_classes_that_count_the_same_devices_are_told() -> None:
    other = klass("any-gpu", nodeLabels={})
    status = class_status(klass(), [node("a")], [], [klass(), other], NOON)
    assert said(status)["Disjoint"] == ("False", "ClassesOverlap")
    assert "Class any-gpu counts nvidia.com/gpu of the same nodes: a" in status.conditions[2].message


def test_parts_of_accelerators_are_counted_as_accelerators() -> None:
    cut = node("a", allocatable={"nvidia.com/gpu": "4", "nvidia.com/gpu.shared": "16"})
    shared = klass(
        sharing=[
            {"mode": "Exclusive"},
            {"mode": "TimeSliced", "resourceName": "nvidia.com/gpu.shared", "partsPerAccelerator": 4},
        ]
    )
    status = class_status(shared, [cut], [pod(1, "a", resource="nvidia.com/gpu.shared")], [], NOON)
    assert (status.allocatable, status.requested, status.free) == (8, 1, 7)


def test_slices_under_the_whole_accelerators_name_are_counted_once() -> None:
    sliced = klass(sharing=[{"mode": "TimeSliced", "partsPerAccelerator": 4}])
    status = class_status(sliced, [node("a", 32)], [pod(5, "a")], [], NOON)
    assert (status.allocatable, status.requested, status.free) == (8, 2, 6)


def test_what_could_not_be_read_is_unknown_and_the_figures_stay() -> None:
    before = class_status(klass(), [node("a")], [], [], NOON)
    status = class_status(klass(status=before), None, [], [], NOON + timedelta(minutes=1))
    assert status.allocatable == 8
    assert {state for state, _ in said(status).values()} == {"Unknown"}


def test_a_quiet_pass_changes_nothing() -> None:
    before = class_status(klass(), [node("a")], [], [], NOON)
    assert class_status(klass(status=before), [node("a")], [], [], NOON + timedelta(hours=1)) == before
