"""What counts as free for one deployment: the nodes of its class that its own selector leaves."""

from mizzen_crds.v1alpha1.accelerator_class import AcceleratorClass
from mizzen_operator.observing.room import room_for
from support.deployments import deployment
from support.nodes_and_pods import H100, node, pod


def test_nodes_that_spec_placement_leaves_out_have_no_room() -> None:
    spec = {"resourceName": "nvidia.com/gpu", "nodeLabels": H100, "memory": "80Gi"}
    classes = {"h100": AcceleratorClass.model_validate({"metadata": {"name": "h100"}, "spec": spec})}
    nodes = [node("a", labels={**H100, "zone": "west"}), node("b", labels={**H100, "zone": "east"})]
    asked = {"resources": {"acceleratorClass": "h100", "acceleratorsPerPod": 1}}
    here = deployment(**asked, placement={"nodeSelector": {"zone": "west"}})
    claims = [pod(8, "a")]
    assert room_for(here, classes, nodes, claims, ()).free_accelerators == 0
    assert room_for(deployment(**asked), classes, nodes, claims, ()).free_accelerators == 8
