"""The ModelDeployment object and its spec."""

from typing import Annotated, Literal, Self

from pydantic import Field, ValidationInfo, model_validator

from mizzen_crds.rules import refuse_broken
from mizzen_crds.v1alpha1.metadata import ObjectMeta
from mizzen_crds.v1alpha1.model_deployment.rollout import Access, Lifecycle, Rollout, Routing
from mizzen_crds.v1alpha1.model_deployment.rules import ROOT_RULES, SPEC_RULES
from mizzen_crds.v1alpha1.model_deployment.scaling import Autoscaling, Replicas
from mizzen_crds.v1alpha1.model_deployment.source import Adapter, ModelName, ModelSource
from mizzen_crds.v1alpha1.model_deployment.status import ModelDeploymentStatus
from mizzen_crds.v1alpha1.model_deployment.workload import Engine, MultiNode, Placement, PodOverrides, Resources
from mizzen_crds.wire import AS_SET, Resource, keyed_by


class ModelDeploymentSpec(Resource):
    """A model, how it is served, scaled and rolled out."""

    served_model_name: ModelName | None = None
    """What callers put in "model"; by default the object's name. Unique in the project."""
    aliases: Annotated[list[ModelName], Field(max_length=16, json_schema_extra=AS_SET)] = []
    """More names for callers."""
    model: ModelSource
    """The model to serve."""
    adapters: Annotated[list[Adapter], Field(max_length=64, json_schema_extra=keyed_by("name"))] = []
    """LoRA adapters."""
    engine: Engine
    """The engine and its settings."""
    resources: Resources = Resources()
    """What one pod gets."""
    placement: Placement = Placement()
    """Where pods may run."""
    pod_overrides: PodOverrides = PodOverrides()
    """The few things of a pod that may be set directly."""
    multi_node: MultiNode | None = None
    """A replica that spans several pods; cannot be changed once set."""
    replicas: Replicas = 1
    """Replicas to run; with autoscaling, kept within its bounds."""
    autoscaling: Autoscaling | None = None
    """The autoscaler's settings."""
    rollout: Rollout = Rollout()
    """How a new revision replaces the old one."""
    lifecycle: Lifecycle = Lifecycle()
    """Start and end of replicas."""
    routing: Routing = Routing()
    """How requests reach replicas."""
    access: Access = Access()
    """An offer to other projects."""

    @model_validator(mode="after")
    def _rules_hold(self, validated: ValidationInfo) -> Self:
        refuse_broken(SPEC_RULES, self, "spec", validated.context)
        return self


class ModelDeployment(Resource):
    """A model, served."""

    api_version: Literal["mizzen.dev/v1alpha1"] = "mizzen.dev/v1alpha1"
    """mizzen.dev/v1alpha1."""
    kind: Literal["ModelDeployment"] = "ModelDeployment"
    """ModelDeployment."""
    metadata: ObjectMeta
    """Identity and bookkeeping."""
    spec: ModelDeploymentSpec
    """What is wanted."""
    status: ModelDeploymentStatus = ModelDeploymentStatus()
    """What became of it."""

    @model_validator(mode="after")
    def _rules_hold(self) -> Self:
        refuse_broken(ROOT_RULES, self)
        return self

    @property
    def served_names(self) -> tuple[str, ...]:
        """Every name that callers of the own project may use: the main one first, then aliases, then adapters."""
        adapters = (one.name for one in self.spec.adapters)
        return (self.spec.served_model_name or self.metadata.name, *self.spec.aliases, *adapters)
