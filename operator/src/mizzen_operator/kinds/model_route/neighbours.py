"""What is there for a route to name? Deployments and routes of its namespace, and models that others share."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from mizzen_crds.v1alpha1 import conditions
from mizzen_crds.v1alpha1.metadata import Condition
from mizzen_crds.v1alpha1.model_deployment import ModelDeployment
from mizzen_crds.v1alpha1.model_deployment.rollout import Visibility
from mizzen_crds.v1alpha1.model_route import ModelRoute
from mizzen_crds.v1alpha1.model_route.status import BackendState

from mizzen_operator.kinds.model_route.references import Reference


@dataclass(frozen=True)
class Neighbours:
    """All that the conditions of a route are computed from."""

    project: str = ""
    """Project of the route's namespace."""
    deployments: Mapping[str, ModelDeployment] = field(default_factory=dict)
    """Deployments of the namespace by name."""
    routes: Mapping[str, ModelRoute] = field(default_factory=dict)
    """Routes of the namespace by name."""
    rivals: tuple[ModelRoute, ...] = ()
    """Routes of all namespaces of the project, this one too or not."""
    namesakes: tuple[ModelDeployment, ...] = ()
    """Deployments of the project that serve the route's name."""
    models: Mapping[str, ModelDeployment] = field(default_factory=dict)
    """`project/served-name` -> deployment, of every project (see `shared_models`)."""
    granted: frozenset[str] | None = None
    """Models of others that the control plane grants to the project; None where it could not be asked."""
    protocols: Mapping[str, str] = field(default_factory=dict)
    """`namespace/name` of a deployment -> what its runtime speaks."""


def shared_models(deployments: Iterable[ModelDeployment], project_of: Mapping[str, str]) -> dict[str, ModelDeployment]:
    """Return every name under which a deployment can be called from elsewhere; `project_of` is by namespace."""
    named: dict[str, ModelDeployment] = {}
    for deployment in sorted(deployments, key=_age):
        project = project_of.get(deployment.metadata.namespace)
        for name in deployment.served_names if project else ():
            named.setdefault(f"{project}/{name}", deployment)
    return named


def state_of(reference: Reference, around: Neighbours) -> BackendState:
    """Return what is known of what a route names."""
    if reference.ref.model is not None:
        return _shared(reference.ref.model, around)
    if reference.ref.route is not None:
        named = around.routes.get(reference.ref.route)
        return _ready(named.status.conditions) if named is not None else BackendState.NOT_FOUND
    found = around.deployments.get(reference.ref.deployment or "")
    return _ready(found.status.conditions) if found is not None else BackendState.NOT_FOUND


def deployment_of(reference: Reference, around: Neighbours) -> ModelDeployment | None:
    """Return the deployment that a reference means directly; None for a route and for what is not there."""
    if reference.ref.deployment is not None:
        return around.deployments.get(reference.ref.deployment)
    return around.models.get(reference.ref.model) if reference.ref.model is not None else None


def _shared(model: str, around: Neighbours) -> BackendState:
    """A model that is not there and one that is not offered look alike: nobody learns what another project runs."""
    owner = model.split("/", 1)[0]
    deployment = around.models.get(model)
    if owner == around.project:
        return _ready(deployment.status.conditions) if deployment is not None else BackendState.NOT_FOUND
    if deployment is None or not _offered(deployment, around.project):
        return BackendState.NOT_PERMITTED
    if around.granted is not None and model not in around.granted:
        return BackendState.NOT_PERMITTED
    return BackendState.UNKNOWN if around.granted is None else _ready(deployment.status.conditions)


def _offered(deployment: ModelDeployment, project: str) -> bool:
    access = deployment.spec.access
    return access.visibility is Visibility.SHARED and project in access.allowed_projects


def _ready(said: Iterable[Condition]) -> BackendState:
    ready = any(one.type == conditions.READY and one.status == "True" for one in said)
    return BackendState.READY if ready else BackendState.NOT_READY


def _age(deployment: ModelDeployment) -> tuple[float, str]:
    created = deployment.metadata.creation_timestamp
    return (created.timestamp() if created is not None else float("inf"), deployment.metadata.uid)
