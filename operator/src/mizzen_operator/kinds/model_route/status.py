"""What became of a route? One function for each condition: Accepted, ResolvedRefs as in the Gateway API, and Ready."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Final

from mizzen_crds.v1alpha1 import conditions
from mizzen_crds.v1alpha1.model_route import ModelRoute, ModelRouteStatus
from mizzen_crds.v1alpha1.model_route.served import unserved_fields
from mizzen_crds.v1alpha1.model_route.status import BackendState, BackendStatus

from mizzen_operator.conditions.dated import dated
from mizzen_operator.conditions.settled import summed_up
from mizzen_operator.conditions.verdict import Said, needs_spec_change, no, yes
from mizzen_operator.kinds.model_route.chains import LONGEST_CHAIN, cycle, too_long
from mizzen_operator.kinds.model_route.neighbours import Neighbours, deployment_of, state_of
from mizzen_operator.kinds.model_route.references import Reference, references

MOST_BACKENDS: Final = 64
UNUSABLE: Final = {
    BackendState.NOT_FOUND: conditions.BACKEND_NOT_FOUND,
    BackendState.NOT_PERMITTED: conditions.REF_NOT_PERMITTED,
}
UNUSABLE_WORDS: Final = {
    BackendState.NOT_FOUND: "there is no",
    BackendState.NOT_PERMITTED: "this project is offered or granted no",
}
Seen = Sequence[tuple[Reference, BackendState]]


def route_status(route: ModelRoute, around: Neighbours, now: datetime, *, url: str = "") -> ModelRouteStatus:
    """Return the status to write, equal to `route.status` when nothing changed."""
    seen = [(one, state_of(one, around)) for one in references(route)]
    parts = {
        conditions.ACCEPTED: accepted(route, around),
        conditions.RESOLVED_REFS: resolved_refs(seen, around),
    }
    said = summed_up(parts, _unfollowed(parts.values()) or ready(route, seen))
    return ModelRouteStatus(
        observed_generation=route.metadata.generation,
        conditions=dated(said, route.status.conditions, route.metadata.generation, now),
        project=around.project,
        served_name=route.served_name,
        url=url or route.status.url,
        backends=_backends(seen),
    )


def accepted(route: ModelRoute, around: Neighbours) -> Said:
    """Whether the name is the route's own, no chain of routes comes back or is too long, and gateways do all of it."""
    older = [one for one in around.rivals if one.metadata.uid != route.metadata.uid and _age(one) < _age(route)]
    for other in sorted(older, key=_age):
        if other.served_name == route.served_name:
            where = f"{other.metadata.namespace}/{other.metadata.name}"
            text = f"spec.servedModelName: {route.served_name} is the name of the older route {where}."
            return no(conditions.NAME_TAKEN, text)
    if namesake := _namesake(route, around):
        text = f"spec.servedModelName: {route.served_name} is a name of the deployment {namesake}, which is no backend."
        return no(conditions.NAME_TAKEN, text)
    if back := cycle(route, around.routes):
        return no(conditions.ROUTE_CYCLE, f"The chain is {' -> '.join(back)}.")
    if long := too_long(route, around.routes):
        text = f"The chain is {' -> '.join(long)}; at most {LONGEST_CHAIN} routes may follow one another."
        return no(conditions.ROUTE_TOO_DEEP, text)
    if fields := unserved_fields(route.spec):
        return no(conditions.NOT_SERVED_YET, f"Gateways do not do this: {', '.join(fields)}.")
    if nested := next(_nested_pipelines(route, around), None):
        text = f"{nested.path}: {nested.target} has a pipeline, which answers to its own name alone; name deployments."
        return no(conditions.NOT_SERVED_YET, text)
    return yes(conditions.ROUTE_ACCEPTED)


def _nested_pipelines(route: ModelRoute, around: Neighbours) -> Iterator[Reference]:
    """What names a route with a pipeline."""
    for one in references(route):
        named = around.routes.get(one.ref.route) if one.ref.route is not None else None
        if named is not None and any(rule.pipeline for rule in named.spec.rules):
            yield one


def _namesake(route: ModelRoute, around: Neighbours) -> str:
    """A deployment that has the name of the route and does not answer for it; empty for none.

    One that is a backend is meant: its callers go on to reach it, among others.
    """
    backends = {(route.metadata.namespace, one.deployment) for rule in route.spec.rules for one in rule.backends}
    for other in around.namesakes:
        if (other.metadata.namespace, other.metadata.name) not in backends:
            return f"{other.metadata.namespace}/{other.metadata.name}"
    return ""


def _unfollowed(parts: Iterable[Said]) -> Said | None:
    """Why no gateway follows the route. One missing backend of several leaves its rule answering, so it is no cause."""
    return next((one for one in parts if one.false and needs_spec_change(one.reason)), None)


def resolved_refs(seen: Seen, around: Neighbours) -> Said:
    """Whether every backend exists, may be called, and speaks what the others of its rule speak."""
    if mixed := _one_protocol(seen, around):
        return mixed
    for state, reason in UNUSABLE.items():
        if bad := [one for one, found in seen if found is state]:
            text = ", ".join(f"{one.path}: {UNUSABLE_WORDS[state]} {one.target}" for one in bad)
            return no(reason, f"{text}.")
    return yes(conditions.REFS_RESOLVED)


def ready(route: ModelRoute, seen: Seen) -> Said:
    """Whether every rule has something that answers: one backend or fallback, or every step of its pipeline."""
    silent = [rule.name for rule in route.spec.rules if not _answers(rule.name, bool(rule.pipeline), seen)]
    if not silent:
        return yes(conditions.BACKENDS_READY)
    missing = sorted({one.target for one, state in seen if one.rule in silent and not _usable(state)})
    text = f"Rules without an answer: {', '.join(silent)}. Not ready: {', '.join(missing)}."
    return no(conditions.NO_BACKEND_READY, text)


def _answers(rule: str, is_pipeline: bool, seen: Seen) -> bool:
    mine = [(one, state) for one, state in seen if one.rule == rule and one.answers]
    steps = [state for one, state in mine if one.place == "pipeline"]
    others = [state for one, state in mine if one.place != "pipeline"]
    whole = is_pipeline and all(map(_usable, steps))
    return whole or any(map(_usable, others))


def _usable(state: BackendState) -> bool:
    """A model of another project is taken for usable where its state cannot be told from here."""
    return state in {BackendState.READY, BackendState.UNKNOWN}


def _one_protocol(seen: Seen, around: Neighbours) -> Said | None:
    """Steps of a pipeline may differ, what is carried on is converted; but the last one gives the caller's answer."""
    spoken: dict[str, dict[str, str]] = {}
    last = {one.rule: one for one, _ in seen if one.place == "pipeline"}
    for one, _ in seen:
        deployment = deployment_of(one, around)
        if deployment is None or (one.place == "pipeline" and one is not last[one.rule]):
            continue
        place = f"{deployment.metadata.namespace}/{deployment.metadata.name}"
        if protocol := around.protocols.get(place):
            spoken.setdefault(one.rule, {}).setdefault(protocol, one.target)
    for rule, protocols in spoken.items():
        if len(protocols) > 1:
            text = ", ".join(f"{target} speaks {protocol}" for protocol, target in sorted(protocols.items()))
            return no(conditions.UNSUPPORTED_PROTOCOL, f"Rule {rule}: {text}.")
    return None


def _backends(seen: Seen) -> list[BackendStatus]:
    listed = [BackendStatus(rule=one.rule, target=one.target, state=state) for one, state in seen]
    distinct = {(one.rule, one.target): one for one in listed}.values()
    return sorted(distinct, key=lambda one: one.state is BackendState.READY)[:MOST_BACKENDS]


def _age(route: ModelRoute) -> tuple[float, str]:
    created = route.metadata.creation_timestamp
    return (created.timestamp() if created is not None else float("inf"), route.metadata.uid)
