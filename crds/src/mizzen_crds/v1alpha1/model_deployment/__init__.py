"""ModelDeployment: a model, how it is served, scaled and rolled out, and what became of it."""

from mizzen_crds.v1alpha1.model_deployment.model_deployment import ModelDeployment, ModelDeploymentSpec
from mizzen_crds.v1alpha1.model_deployment.status import ModelDeploymentStatus

__all__ = ["ModelDeployment", "ModelDeploymentSpec", "ModelDeploymentStatus"]
