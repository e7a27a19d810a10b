"""Why is an AcceleratorClass as it is? Its reasons, with what each means and what to do about it."""

from typing import Final

from mizzen_crds.v1alpha1.conditions.condition_types import DISJOINT, NODES_AVAILABLE, READY
from mizzen_crds.v1alpha1.conditions.table import reason_row

COUNTED: Final = reason_row("Counted", (READY,), "Nodes and accelerators have been counted; status has the figures.")
NODES_FOUND: Final = reason_row("NodesFound", (NODES_AVAILABLE,), "Schedulable nodes offer accelerators of the class.")
NO_NODE_MATCHES: Final = reason_row(
    "NoNodeMatches",
    (NODES_AVAILABLE,),
    "No node has all labels of spec.nodeLabels.",
    "Correct spec.nodeLabels (`kubectl get nodes --show-labels`), or add such a node; a node pool that grows from "
    "zero needs nothing.",
)
RESOURCE_NOT_OFFERED: Final = reason_row(
    "ResourceNotOffered",
    (NODES_AVAILABLE,),
    "Nodes match, but none has an allocatable resource of the name in spec.resourceName.",
    "Look at the device plugin on those nodes, or correct spec.resourceName.",
)
NODES_UNSCHEDULABLE: Final = reason_row(
    "NodesUnschedulable",
    (NODES_AVAILABLE,),
    "Every node of the class is cordoned or not ready.",
    "`kubectl uncordon` a node, or look at why the nodes are not ready; the message names them.",
)
CLASSES_DISJOINT: Final = reason_row("ClassesDisjoint", (DISJOINT,), "No other class counts the same accelerators.")
CLASSES_OVERLAP: Final = reason_row(
    "ClassesOverlap",
    (DISJOINT,),
    "Another class selects some of the same nodes by the same resource, so their free accelerators count for both.",
    "Add a label to spec.nodeLabels of one of them that tells their nodes apart; the message names class and node.",
)
