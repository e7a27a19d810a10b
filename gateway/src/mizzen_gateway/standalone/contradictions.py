"""What in gateway.yaml does not hold together? Names that are there twice or not at all, settings that exclude."""

from collections.abc import Iterable, Iterator
from typing import Final
from zoneinfo import ZoneInfo

from mizzen_crds.mistakes import Mistake, mistakes
from mizzen_crds.v1alpha1.model_route import ModelRoute
from pydantic import ValidationError

from mizzen_gateway.limits.choice import PROCESS
from mizzen_gateway.protocols.steps import PROMPT, TEXT
from mizzen_gateway.standalone.allowances import ApiKey, Budget, Limit, Project
from mizzen_gateway.standalone.config import GatewayFile, Model, Route, Share
from mizzen_gateway.standalone.objects import route_object
from mizzen_gateway.wire.never_forwarded import why_not_forwarded

Place = tuple[str | int, ...]
Named = tuple[Place, str]
"""Where a name stands, and the name."""
RESERVED: Final = "versions"
"""A served name that a path of /v2 could not tell from its own words."""
SHOWN_NAMES = 20


def contradictions(file: GatewayFile) -> list[Mistake]:
    """All of them; the parts themselves hold."""
    return [*_settings(file), *_twice(file), *_unknown(file), *_upstreams(file), *_prices(file)]


def limits_of(file: GatewayFile) -> Iterator[tuple[Place, Limit]]:
    """All limits, with their places."""
    for place, owner in _owners(file):
        for number, limit in enumerate(owner.limits):
            yield (*place, "limits", number), limit


def budgets_of(file: GatewayFile) -> Iterator[tuple[Place, Budget]]:
    """All budgets, with their places."""
    for place, owner in _owners(file):
        for number, budget in enumerate(owner.budgets):
            yield (*place, "budgets", number), budget


def _owners(file: GatewayFile) -> Iterator[tuple[Place, GatewayFile | Model | Project | ApiKey]]:
    yield (), file
    for number, model in enumerate(file.models):
        yield ("models", number), model
    for number, project in enumerate(file.projects):
        yield ("projects", number), project
        for position, key in enumerate(project.keys):
            yield ("projects", number, "keys", position), key


def _settings(file: GatewayFile) -> Iterator[Mistake]:
    listen, shared = file.listen, file.limits_store.url != PROCESS
    if listen.workers > 1 and not shared:
        yield Mistake(
            ("listen", "workers"),
            f"{listen.workers} workers must share their limits, or each would admit all of them; set limits_store.url"
            " to a Redis, Valkey or PostgreSQL, or workers to 1",
        )
    for number, name in enumerate(file.forward_headers):
        why = why_not_forwarded(name)
        if why is not None:
            yield Mistake(("forward_headers", number), f"{name!r} {why}")
    for place, _ in budgets_of(file):
        if shared:
            yield Mistake(
                place,
                "a budget of this file is kept in this gateway's own usage.db, which others at the same limits_store do"
                " not see; use a limit, or limits_store.url `process`, or a control plane",
            )
        elif listen.workers:
            yield Mistake(
                place,
                "a budget of this file is spent by one process, but with listen.workers one that ends and its successor"
                " would both spend it for a while; set workers to 0, use a limit, or a control plane",
            )
    ports = [port for port in (listen.port, listen.admin_port, listen.grpc_port) if port is not None]
    if len(set(ports)) < len(ports):
        yield Mistake(("listen",), "port, admin_port and grpc_port must differ; give each its own")
    try:
        ZoneInfo(file.time_zone)
    except (KeyError, OSError, ValueError):
        yield Mistake(("time_zone",), f"there is no {file.time_zone!r}; write it as Europe/Berlin")


def _twice(file: GatewayFile) -> Iterator[Mistake]:
    projects = list(enumerate(file.projects))
    listed: dict[str, list[Named]] = {
        "upstream": [(("upstreams", n, "name"), one.name) for n, one in enumerate(file.upstreams)],
        "model, alias or route": list(_called(file)),
        "project": [(("projects", n, "name"), one.name) for n, one in projects],
        "limit": [((*place, "name"), one.name) for place, one in limits_of(file)],
        "budget": [((*place, "name"), one.name) for place, one in budgets_of(file)],
        "key": [
            (("projects", n, "keys", k, "id"), key.id)
            for n, one in projects
            for k, key in enumerate(one.keys)
            if key.id is not None
        ],
    }
    for kind, names in listed.items():
        seen: set[str] = set()
        for place, name in names:
            if name in seen:
                yield Mistake(place, f"another {kind} is called {name!r} already; each needs a name of its own")
            seen.add(name)
    for place, name in listed["model, alias or route"]:
        if name == RESERVED:
            yield Mistake(place, f"{RESERVED!r} is a word of the paths of /v2; choose another name")


def _called(file: GatewayFile) -> Iterator[Named]:
    """Names that callers may use."""
    for number, model in enumerate(file.models):
        yield ("models", number, "name"), model.name
        for position, alias in enumerate(model.aliases):
            yield ("models", number, "aliases", position), alias
    for number, route in enumerate(file.routes):
        yield ("routes", number, "name"), route.name


def _unknown(file: GatewayFile) -> Iterator[Mistake]:
    known = {
        "upstream": {one.name for one in file.upstreams},
        "model": {one.name for one in file.models},
        "model or route": {name for _, name in _called(file)},
        "project": {one.name for one in file.projects},
    }
    for kind, place, name in _meant(file):
        if name not in known[kind]:
            there = ", ".join(sorted(known[kind])[:SHOWN_NAMES])
            yield Mistake(place, f"there is no {kind} {name!r}; there are: {there}")


def _meant(file: GatewayFile) -> Iterator[tuple[str, Place, str]]:
    """(kind, place, name) of every name that must be somewhere else."""
    for number, model in enumerate(file.models):
        yield from _each("upstream", ("models", number, "upstreams"), model.upstreams)
    for number, route in enumerate(file.routes):
        said: dict[str, list[str]] = {
            "models": [one.model for one in route.models],
            "pipeline": [one.model for one in route.pipeline],
            "mirrors": [one.model for one in route.mirrors],
        }
        for field, names in said.items():
            for position, name in enumerate(names):
                yield "model", ("routes", number, field, position, "model"), name
        for entry, found in enumerate(route.by_header):
            for position, share in enumerate(found.models):
                yield "model", ("routes", number, "by_header", entry, "models", position, "model"), share.model
        yield from _each("model", ("routes", number, "fallbacks"), route.fallbacks)
    for number, project in enumerate(file.projects):
        yield from _each("model or route", ("projects", number, "models"), project.models or ())
        for position, key in enumerate(project.keys):
            yield from _each("model or route", ("projects", number, "keys", position, "models"), key.models or ())
    for place, rule in (*limits_of(file), *budgets_of(file)):
        if rule.model is not None:
            yield "model", (*place, "model"), rule.model
    for number, price in enumerate(file.prices):
        if price.model != "*":
            yield "model", ("prices", number, "model"), price.model
        if price.project is not None:
            yield "project", ("prices", number, "project"), price.project


def _each(kind: str, place: Place, names: Iterable[str]) -> Iterator[tuple[str, Place, str]]:
    for position, name in enumerate(names):
        yield kind, (*place, position), name


def _upstreams(file: GatewayFile) -> Iterator[Mistake]:
    by_name = {one.name: one for one in file.upstreams}
    for number, model in enumerate(file.models):
        kinds = {(by_name[name].protocol, by_name[name].engine) for name in model.upstreams if name in by_name}
        if len(kinds) > 1:
            yield Mistake(
                ("models", number, "upstreams"),
                "they differ in protocol or engine; make a model of each kind, and a route over both",
            )
    for number, route in enumerate(file.routes):
        yield from _route(("routes", number), route)
        yield from _steps(file, ("routes", number, "pipeline"), route)


def _steps(file: GatewayFile, place: Place, route: Route) -> Iterator[Mistake]:
    """Inputs and outputs that a language model does not have; those of tensors are their servers' to know."""
    speaks = {one.name: one.protocol for one in file.upstreams}
    of_text = {one.name for one in file.models if speaks.get(one.upstreams[0]) == "OpenAI"}
    says_text = {one.name for one in route.pipeline if one.model in of_text}
    for number, step in enumerate(route.pipeline):
        for position, given in enumerate(step.inputs):
            where = (*place, number, "inputs", position)
            if step.model in of_text and given.name != PROMPT:
                yield Mistake((*where, "name"), f"a language model has no input {given.name!r}; write `{PROMPT}`")
            if given.step in says_text and given.output != TEXT:
                yield Mistake((*where, "output"), f"a language model has no output {given.output!r}; write `{TEXT}`")


def _route(place: Place, route: Route) -> Iterator[Mistake]:
    if bool(route.models) == bool(route.pipeline):
        yield Mistake(place, "must have either `models`, who answer by weight, or `pipeline`, one after the other")
        return
    if route.pipeline and route.sticky:
        yield Mistake(
            (*place, "sticky"), "each step of a pipeline is one model: there is nothing to stick to; remove it"
        )
    shares: list[tuple[Place, list[Share]]] = [((*place, "models"), route.models)] if route.models else []
    shares += [((*place, "by_header", n, "models"), one.models) for n, one in enumerate(route.by_header)]
    for where, models in shares:
        if not any(one.weight for one in models):
            yield Mistake(where, "every weight is 0; give one of them more")
            return
    document = {name: value for name, value in route_object(route).items() if name != "status"}
    try:
        ModelRoute.model_validate(document)
    except ValidationError as error:
        for one in mistakes(error, ModelRoute):
            yield Mistake(place, str(Mistake(one.location[3:], one.message)))


def _prices(file: GatewayFile) -> Iterator[Mistake]:
    seen: dict[tuple[str, str | None], int] = {}
    for number, price in enumerate(file.prices):
        first = seen.setdefault((price.model, price.project), number)
        if first != number:
            whom = "" if price.project is None else f" for the project {price.project!r}"
            yield Mistake(
                ("prices", number),
                f"prices[{first}] is of {price.model!r}{whom} already; keep one, with all its fields",
            )
    of_money: list[tuple[Place, Limit | Budget]] = [
        *((place, limit) for place, limit in limits_of(file) if limit.metric == "cost"),
        *((place, budget) for place, budget in budgets_of(file) if budget.unit == "money"),
    ]
    for place, rule in of_money:
        if rule.enforcement != "off" and not _costs(file, place, rule.model):
            yield Mistake(
                place, "is of money, but nothing that it counts has a price; add one to `prices`, if only of 0"
            )


def _costs(file: GatewayFile, place: Place, model: str | None) -> bool:
    """Whether anything that a rule at `place` counts has a price."""
    if place[:1] == ("models",):
        model = file.models[int(place[1])].name
    project = file.projects[int(place[1])].name if place[:1] == ("projects",) else None
    return any(
        (model is None or price.model in (model, "*"))
        and (None in (project, price.project) or price.project == project)
        for price in file.prices
    )
