"""AcceleratorClass: a kind of accelerator. The fit check, placement, capacity and the price of a GPU-second read it."""

from typing import Annotated, Final, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from mizzen_crds.rules import Rule, refuse_broken
from mizzen_crds.v1alpha1.metadata import Condition, ObjectMeta, Quantity
from mizzen_crds.v1alpha1.model_deployment.workload import Sharing
from mizzen_crds.v1alpha1.naming import SHORT_NAME_RULE
from mizzen_crds.wire import Observed, Resource, WholeNumber, keyed_by

RESOURCE_PATTERN = r"^[a-z0-9]([-.a-z0-9]*[a-z0-9])?/[a-zA-Z0-9]([-._a-zA-Z0-9]*[a-zA-Z0-9])?$"
MONEY_PATTERN = r"^[0-9]{1,9}(\.[0-9]{1,12})?$"

ResourceName = Annotated[str, StringConstraints(min_length=3, max_length=127, pattern=RESOURCE_PATTERN)]
Money = Annotated[str, StringConstraints(min_length=1, max_length=22, pattern=MONEY_PATTERN)]
"""An exact decimal in the organization's currency: no float ever rounds it."""
LabelValue = Annotated[str, StringConstraints(max_length=63)]
TaintText = Annotated[str, StringConstraints(max_length=316)]


class OfferedSharing(Resource):
    """One way in which accelerators of the class are given to pods."""

    mode: Sharing
    """What spec.resources.sharing of a ModelDeployment asks for."""
    resource_name: ResourceName | None = None
    """Extended resource that counts the parts, where it is another than that of whole accelerators; MIG needs one."""
    memory: Quantity | None = None
    """Memory that one part may use; by default the whole accelerator's."""
    parts_per_accelerator: Annotated[WholeNumber, Field(ge=1, le=64)] = 1
    """Parts that one accelerator is divided into; a part costs that share of costPerHour."""


class NodeToleration(Resource):
    """A taint of the class's nodes that its pods tolerate, as in a pod's spec."""

    key: TaintText = ""
    """Key of the taint; empty with operator Exists for every taint."""
    operator: Literal["Equal", "Exists"] = "Equal"
    """Equal: key and value are the taint's. Exists: the key is."""
    value: LabelValue = ""
    """Value of the taint, for Equal."""
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = None
    """Effect that is tolerated; by default every one."""


CLASS_RULES: Final = (
    Rule(
        "spec",
        "resourceName",
        "names of kubernetes.io/ are no accelerators; name the device plugin's resource, such as nvidia.com/gpu",
        "!self.resourceName.contains('kubernetes.io/')",
        lambda it: "kubernetes.io/" not in it.resource_name,
    ),
    Rule(
        "spec",
        "sharing",
        "one mode stands twice; remove one, or make a class for each size of part",
        "",
        lambda it: len({offer.mode for offer in it.sharing}) == len(it.sharing),
    ),
    Rule(
        "spec",
        "sharing",
        "a part needs a resource of its own with mode MIG; give resourceName, another than spec.resourceName",
        "!self.sharing.exists(s, s.mode == 'MIG' && (!has(s.resourceName) || s.resourceName == self.resourceName))",
        lambda it: not any(s.mode == "MIG" and s.resource_name in (None, it.resource_name) for s in it.sharing),
    ),
    Rule(
        "spec.sharing.[]",
        "mode",
        "Exclusive is the whole accelerator; remove resourceName and memory, set partsPerAccelerator to 1, or choose "
        "another mode",
        "self.mode != 'Exclusive' || (!has(self.resourceName) && !has(self.memory) && self.partsPerAccelerator == 1)",
        lambda it: (
            it.mode != "Exclusive" or (it.resource_name is None and it.memory is None and it.parts_per_accelerator == 1)
        ),
    ),
    Rule(
        "spec.tolerations.[]",
        "operator",
        "Exists takes no value, and Equal needs a key; correct operator, key or value",
        "self.operator == 'Exists' ? self.value == '' : self.key != ''",
        lambda it: it.value == "" if it.operator == "Exists" else it.key != "",
    ),
)
"""Which AcceleratorClasses are refused although each field alone is right."""


class AcceleratorClassSpec(Resource):
    """A kind of accelerator: how its nodes are found, what one holds, and what it costs."""

    display_name: Annotated[str, StringConstraints(max_length=128)] = ""
    """Name for people, such as NVIDIA H100 80 GB."""
    resource_name: ResourceName
    """Extended resource that counts whole accelerators on a node, such as nvidia.com/gpu."""
    node_labels: Annotated[dict[str, LabelValue], Field(max_length=16)] = {}
    """Labels that a node of this class has, all of them; none: every node that offers the resource."""
    tolerations: Annotated[list[NodeToleration], Field(max_length=16)] = []
    """Taints of those nodes; pods of the class tolerate them."""
    memory: Quantity
    """Memory of one accelerator, such as 80Gi; the fit check reads it."""
    memory_bandwidth_gigabytes_per_second: Annotated[WholeNumber, Field(ge=1, le=1_000_000)] | None = None
    """Memory bandwidth of one accelerator in 10^9 bytes per second; estimates of speed read it."""
    cost_per_hour: Money | None = None
    """Cost of one accelerator for an hour in the organization's currency, a decimal such as 2.49."""
    sharing: Annotated[list[OfferedSharing], Field(max_length=3, json_schema_extra=keyed_by("mode"))] = []
    """Ways in which accelerators are given to pods; by default Exclusive alone."""

    @model_validator(mode="after")
    def _rules_hold(self) -> Self:
        refuse_broken(CLASS_RULES, self, "spec")
        return self


class AcceleratorClassStatus(Observed):
    """What the operator counted."""

    observed_generation: int = -1
    """Generation of the spec that this status was computed from; -1 until the first pass."""
    conditions: Annotated[list[Condition], Field(json_schema_extra=keyed_by("type", 16))] = []
    """Observations; Ready sums them up."""
    nodes: int = 0
    """Nodes that match."""
    schedulable_nodes: int = 0
    """Of those, the ones that are ready and not cordoned."""
    allocatable: int = 0
    """Accelerators that schedulable nodes offer."""
    requested: int = 0
    """Of those, requested by pods that have not ended."""
    free: int = 0
    """Accelerators that no pod requests."""
    largest_free: int = 0
    """Most free accelerators on one node: a pod that needs more finds no place."""


class AcceleratorClass(Resource):
    """A kind of accelerator."""

    api_version: Literal["mizzen.dev/v1alpha1"] = "mizzen.dev/v1alpha1"
    """mizzen.dev/v1alpha1."""
    kind: Literal["AcceleratorClass"] = "AcceleratorClass"
    """AcceleratorClass."""
    metadata: ObjectMeta
    """Identity and bookkeeping."""
    spec: AcceleratorClassSpec
    """What accelerators of the class are."""
    status: AcceleratorClassStatus = AcceleratorClassStatus()
    """What was counted."""

    @model_validator(mode="after")
    def _rules_hold(self) -> Self:
        refuse_broken((SHORT_NAME_RULE,), self)
        return self
