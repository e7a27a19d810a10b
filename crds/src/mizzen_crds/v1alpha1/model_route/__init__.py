"""ModelRoute: traffic beyond one deployment, and what became of it."""

from mizzen_crds.v1alpha1.model_route.model_route import ModelRoute, ModelRouteSpec
from mizzen_crds.v1alpha1.model_route.status import ModelRouteStatus

__all__ = ["ModelRoute", "ModelRouteSpec", "ModelRouteStatus"]
