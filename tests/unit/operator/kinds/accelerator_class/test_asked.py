"""Can a class give what a deployment asks for."""

from typing import Any

from mizzen_crds.v1alpha1.model_deployment import ModelDeployment
from mizzen_operator.kinds.accelerator_class.asked import class_refusal, room_refusal
from mizzen_operator.kinds.accelerator_class.capacity import class_capacity
from support.deployments import deployment
from support.nodes_and_pods import node, pod
from support.projects import h100


def asking(count: int = 2, **resources: Any) -> ModelDeployment:
    return deployment(resources={"acceleratorClass": "h100", "acceleratorsPerPod": count} | resources)


def test_a_class_that_does_not_exist_is_refused_with_those_that_do() -> None:
    refused = class_refusal(asking(acceleratorClass="h200"), {"h100": h100()})
    assert refused is not None
    assert refused.reason == "AcceleratorClassNotFound"
    assert refused.message == "spec.resources.acceleratorClass: there is no h200; there are h100."


def test_a_deployment_on_cpus_asks_no_class() -> None:
    assert class_refusal(deployment(), {}) is None
    assert room_refusal(deployment(), class_capacity(h100(), [], []), 3) is None


def test_a_way_of_sharing_that_is_not_offered_is_refused_with_those_that_are() -> None:
    shared = asking(1, sharing="TimeSliced")
    refused = class_refusal(shared, {"h100": h100()})
    assert refused is not None
    assert refused.reason == "SharingNotOffered"
    assert refused.message == "spec.resources.sharing: class h100 offers Exclusive, not TimeSliced."
    assert class_refusal(shared, {"h100": h100(sharing=[{"mode": "TimeSliced"}])}) is None


def test_room_is_told_with_what_is_needed_and_free_and_where() -> None:
    capacity = class_capacity(h100(), [node("a"), node("b")], [pod(7, "a"), pod(5, "b")])
    assert room_refusal(asking(), capacity, 1) is None
    refused = room_refusal(asking(), capacity, 2)
    assert refused is not None
    assert refused.reason == "InsufficientAccelerators"
    assert refused.message == (
        "2 more pods need 4 nvidia.com/gpu of class h100, 2 on one node; 4 are free, room for 1 pod: "
        "b 3 of 8, a 1 of 8."
    )


def test_no_node_at_all_is_told_apart() -> None:
    refused = room_refusal(asking(), class_capacity(h100(), [node("a", cordoned=True)], []), 1)
    assert refused is not None
    assert refused.reason == "NoNodeOfClass"
    assert "1 node matches" in refused.message


def test_a_pod_that_no_node_could_ever_take_is_told_so() -> None:
    refused = room_refusal(asking(9), class_capacity(h100(), [node("a"), node("b")], []), 1)
    assert refused is not None
    assert "No node of the class has more than 8 in all, so none can ever take such a pod" in refused.message
    assert "in all" not in str(room_refusal(asking(8), class_capacity(h100(), [node("a")], [pod(1, "a")]), 1))
