"""What became of a Project: written by the operator alone."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from mizzen_crds.v1alpha1.metadata import Condition
from mizzen_crds.wire import Observed, keyed_by


class NamespaceState(StrEnum):
    """Where a namespace of a project stands."""

    PENDING = "Pending"
    BOUND = "Bound"
    CLAIMED = "Claimed"
    RESERVED = "Reserved"
    TERMINATING = "Terminating"


class NamespaceStatus(Observed):
    """One namespace of the spec."""

    name: str
    """Name."""
    state: NamespaceState = NamespaceState.PENDING
    """Pending: not made yet. Bound: this project's. Claimed: an older project's. Reserved: not for tenants."""
    project: str = ""
    """Project that has it."""


class AcceleratorUse(Observed):
    """One class of the quota."""

    accelerator_class: str
    """Name of the AcceleratorClass."""
    hard: int = 0
    """Accelerators that the project may hold."""
    used: int = 0
    """Accelerators that its pods request, over all its namespaces."""


class ProjectStatus(Observed):
    """What became of the project."""

    observed_generation: int = -1
    """Generation of the spec that this status was computed from; -1 until the first pass."""
    conditions: Annotated[list[Condition], Field(json_schema_extra=keyed_by("type", 16))] = []
    """Observations; Ready sums them up. Reconciling and Stalled are present only while true."""
    project_id: str = ""
    """prj_... of the project in the control plane."""
    namespaces: Annotated[list[NamespaceStatus], Field(json_schema_extra=keyed_by("name", 16))] = []
    """Namespaces of the spec, in its order."""
    accelerators: Annotated[list[AcceleratorUse], Field(json_schema_extra=keyed_by("acceleratorClass", 32))] = []
    """Quota of accelerators and what is used of it."""
    accelerators_hard: int = 0
    """Sum of the quota of accelerators."""
    accelerators_used: int = 0
    """Sum of the accelerators used of it."""
    deployments_used: int = 0
    """ModelDeployments of the project, those that wait for a place too; 0 without spec.quota.deployments."""
