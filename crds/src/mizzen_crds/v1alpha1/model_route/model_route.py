"""The ModelRoute object and its spec."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from mizzen_crds.rules import refuse_broken
from mizzen_crds.v1alpha1.metadata import ObjectMeta
from mizzen_crds.v1alpha1.model_deployment.source import ModelName
from mizzen_crds.v1alpha1.model_route.route_rule import RouteRule
from mizzen_crds.v1alpha1.model_route.rules import ROUTE_ROOT_RULES, ROUTE_RULES
from mizzen_crds.v1alpha1.model_route.status import ModelRouteStatus
from mizzen_crds.wire import Resource, keyed_by


class ModelRouteSpec(Resource):
    """A public name, and the ways that its requests take."""

    served_model_name: ModelName | None = None
    """What callers put in "model"; by default the object's name. No deployment but a backend may have it."""
    rules: Annotated[list[RouteRule], Field(min_length=1, max_length=16, json_schema_extra=keyed_by("name"))]
    """Ways, tried in order; a request that none of them matches gets 404."""

    @model_validator(mode="after")
    def _rules_hold(self) -> Self:
        refuse_broken(ROUTE_RULES, self, "spec")
        return self


class ModelRoute(Resource):
    """Traffic beyond one deployment."""

    api_version: Literal["mizzen.dev/v1alpha1"] = "mizzen.dev/v1alpha1"
    """mizzen.dev/v1alpha1."""
    kind: Literal["ModelRoute"] = "ModelRoute"
    """ModelRoute."""
    metadata: ObjectMeta
    """Identity and bookkeeping."""
    spec: ModelRouteSpec
    """What is wanted."""
    status: ModelRouteStatus = ModelRouteStatus()
    """What became of it."""

    @model_validator(mode="after")
    def _rules_hold(self) -> Self:
        refuse_broken(ROUTE_ROOT_RULES, self)
        return self

    @property
    def served_name(self) -> str:
        """What callers put in "model"."""
        return self.spec.served_model_name or self.metadata.name
