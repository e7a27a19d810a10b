"""One pass over one ModelRoute: what it names is looked up, and its status says what gateways may follow."""

from collections.abc import Iterable
from datetime import datetime

from mizzen_crds.v1alpha1.model_deployment import ModelDeployment
from mizzen_crds.v1alpha1.model_route import ModelRoute

from mizzen_operator.kinds.model_route.neighbours import Neighbours, shared_models
from mizzen_operator.kinds.model_route.references import references
from mizzen_operator.kinds.model_route.status import route_status
from mizzen_operator.reading import UnreadableError, read_object
from mizzen_operator.reconcile.caches import Caches
from mizzen_operator.reconcile.kinds.pictures import Pictures
from mizzen_operator.reconcile.kinds.statuses import KindStatuses
from mizzen_operator.runtimes.builtin import runtime_for


async def route_pass(
    namespace: str, name: str, caches: Caches, pictures: Pictures, statuses: KindStatuses, url: str, now: datetime
) -> None:
    """Write the status of one route where it changed."""
    route = pictures.routes.get(namespace, name)
    if route is None or route.metadata.deletion_timestamp is not None or caches.namespace_ends(namespace):
        return
    await statuses.write(route, route_status(route, neighbours_of(route, caches, pictures), now, url=url), now)


def neighbours_of(route: ModelRoute, caches: Caches, pictures: Pictures) -> Neighbours:
    """Return what is there of all that the route names, and of what it may be in the way of."""
    namespace = route.metadata.namespace
    project = caches.project_of(namespace)
    deployments = _named_deployments(route, caches)
    models = _named_models(route, caches)
    runtimes = caches.runtimes()
    protocols = {
        f"{one.metadata.namespace}/{one.metadata.name}": runtime.spec.protocol
        for one in (*deployments.values(), *models.values())
        if (runtime := runtime_for(one, runtimes)) is not None
    }
    same_name = [one for one in pictures.routes.by_owner(f"name/{route.served_name}") if one is not None]
    return Neighbours(
        project=project,
        deployments=deployments,
        routes=_chained(route, pictures),
        rivals=tuple(one for one in same_name if caches.project_of(one.metadata.namespace) == project),
        namesakes=_namesakes(route.served_name, project, caches),
        models=models,
        protocols=protocols,
    )


def _chained(route: ModelRoute, pictures: Pictures) -> dict[str, ModelRoute]:
    """Every route of the namespace that a chain from this one comes by."""
    known: dict[str, ModelRoute] = {}
    waiting = [route]
    while waiting:
        for reference in references(waiting.pop()):
            name = reference.ref.route
            if name is None or name in known:
                continue
            found = pictures.routes.get(route.metadata.namespace, name)
            if found is not None:
                known[name] = found
                waiting.append(found)
    return known


def _named_deployments(route: ModelRoute, caches: Caches) -> dict[str, ModelDeployment]:
    names = {one.ref.deployment for one in references(route) if one.ref.deployment is not None}
    bodies = (caches.primaries.get((route.metadata.namespace, name)) for name in names)
    return {one.metadata.name: one for one in _read(body for body in bodies if body is not None)}


def _named_models(route: ModelRoute, caches: Caches) -> dict[str, ModelDeployment]:
    """Deployments behind `<project>/<served name>`, wherever the project works."""
    named = {one.ref.model for one in references(route) if one.ref.model is not None}
    if not named:
        return {}
    places = _places({one.partition("/")[0] for one in named}, caches)
    bodies = [
        body
        for model in named
        for place, owner in places.items()
        if model.partition("/")[0] == owner
        for body in caches.primaries.serving(place, model.partition("/")[2])
    ]
    return {name: one for name, one in shared_models(_read(bodies), places).items() if name in named}


def _namesakes(name: str, project: str, caches: Caches) -> tuple[ModelDeployment, ...]:
    """Deployments that serve a name, in all namespaces of the project."""
    return tuple(_read(body for place in _places({project}, caches) for body in caches.primaries.serving(place, name)))


def _places(projects: set[str], caches: Caches) -> dict[str, str]:
    """Namespaces of these projects, each with its project."""
    return {name: owner for _, name in caches.namespaces.keys() if (owner := caches.project_of(name)) in projects}  # noqa: SIM118 -- a picture, not a dict


def _read(bodies: Iterable[dict[str, object]]) -> list[ModelDeployment]:
    found = []
    for body in bodies:
        try:
            found.append(read_object(ModelDeployment, body))
        except UnreadableError:
            continue  # its own pass says so
    return found
