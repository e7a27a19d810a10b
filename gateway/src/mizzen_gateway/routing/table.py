"""From the name that a caller uses to the deployment that serves it, or to the one that its route picks."""

import asyncio
from collections.abc import Callable, Iterator
from random import Random
from typing import Literal

from mizzen_gateway.overload.rules import OverloadRules
from mizzen_gateway.routing.deployment import EVERYBODY, DeploymentFacts, EndpointSetFacts, Key
from mizzen_gateway.routing.load import LoadBook
from mizzen_gateway.routing.route import RouteFacts, Routes
from mizzen_gateway.routing.target import DEFAULT_RETRY_AFTER, Address, Target
from mizzen_gateway.routing.way import Guide, Traveller, Way
from mizzen_gateway.stages import Caller, Headers, Refusal

Protocol = Literal["OpenAI", "OpenInference"]
Facts = DeploymentFacts | RouteFacts


def unknown(model: str) -> Refusal:
    """404: the same for a model that does not exist and for another tenant's."""
    shown = model if len(model) <= 200 else model[:200] + "..."
    return Refusal(
        404,
        "model_not_found",
        f"The model '{shown}' does not exist or your project has no access to it; list yours with GET /v1/models.",
        param="model",
    )


def not_allowed(model: str) -> Refusal:
    """403: the project has the model, the key may not call it."""
    return Refusal(
        403,
        "model_not_allowed",
        f"The model '{model}' is not among those that this key may call; use another key, or have it added to the "
        "models of this one.",
        param="model",
    )


def unmatched(model: str) -> Refusal:
    """404: a route that the project has, none of whose rules takes the request."""
    message = f"Model '{model}': none of its route's rules matches the headers of this request; see what they ask for."
    return Refusal(404, "model_not_found", message, param="model")


def without_metadata(model: str) -> Refusal:
    """400: what is asked of one model is asked of a pipeline."""
    message = f"Model '{model}' is a pipeline: only the models that it leads through have inputs and outputs to tell."
    return Refusal(400, "not_offered", message, param="model")


def nothing_behind(route: RouteFacts) -> Refusal:
    """503: a route whose deployments are all gone."""
    return Refusal(
        503,
        "model_not_ready",
        f"Model '{route.name}': none of its route's deployments is there; try again in {DEFAULT_RETRY_AFTER} s.",
        (("retry-after", str(DEFAULT_RETRY_AFTER)),),
    )


def wrong_protocol(wanted: Protocol | None, model: str, endpoint_set: EndpointSetFacts) -> Refusal | None:
    """400: the model speaks the other protocol. None where it speaks the wanted one, or nobody can tell yet."""
    if wanted is None or not endpoint_set.engine or endpoint_set.protocol == wanted:
        return None
    names: dict[Protocol, str] = {"OpenAI": "OpenAI API (/v1)", "OpenInference": "Open Inference Protocol (/v2)"}
    path = "/v1/chat/completions" if endpoint_set.protocol == "OpenAI" else f"/v2/models/{model}/infer"
    message = f"Model '{model}' does not speak the {names[wanted]}; call it at {path}."
    return Refusal(400, "wrong_protocol", message, param="model")


class RouteTable:
    """Every deployment and route, by key and by name. One writer (discovery), read by each request."""

    def __init__(
        self,
        book: LoadBook,
        namespace_of: Callable[[str], str | None],
        leave: Callable[[Address], None] = lambda _address: None,
        chance: Random | None = None,
        overload: OverloadRules | None = None,
    ) -> None:
        """`leave` hears of each address that gets no more requests; `chance` picks among a route's deployments."""
        self._book = book
        self._overload = overload
        self._leave = leave
        self._namespace_of = namespace_of
        self._targets: dict[Key, Target] = {}
        self._pending: dict[Key, EndpointSetFacts] = {}
        self._by_name: dict[str, dict[str, Target]] = {}
        self._routes = Routes()
        self._own: dict[str, dict[str, Target]] = {}
        """What the project's own callers mean by a name: `_by_name` without the names that routes have."""
        self._everybodys: dict[str, Target] = {}
        """The same for projects that have nothing of their own."""
        self._guide = Guide(
            self._targets,
            self._routes.get,
            self._model_of,
            chance or Random(),  # noqa: S311 - shares of traffic
        )

    def put_deployment(self, facts: DeploymentFacts) -> None:
        """A deployment is new or has changed."""
        target = self._targets.get(facts.key)
        if target is None:
            target = self._targets[facts.key] = Target(facts, self._book, self._overload)
            held = self._pending.pop(facts.key, None)
            if held is not None:
                target.update_endpoints(held)
        else:
            before = target.facts
            target.take(facts)
            if (before.names, before.tenant) == (facts.names, facts.tenant):
                return
            self._index(before.tenant)
        self._index(facts.tenant)

    def put_endpoints(self, facts: EndpointSetFacts) -> None:
        """An endpoint set is new or has changed."""
        target = self._targets.get(facts.key)
        if target is None:
            self._pending[facts.key] = facts
        else:
            self._update(target, facts)

    def _update(self, target: Target, facts: EndpointSetFacts) -> None:
        for address in target.update_endpoints(facts):
            self._leave(address)
        self._book.keep(facts.key, {one.revision for one in facts.endpoints})

    def drop_deployment(self, key: Key) -> None:
        """A deployment is gone."""
        target = self._targets.pop(key, None)
        if target is not None:
            tenant = target.facts.tenant
            target.take(DeploymentFacts(key, names=target.facts.names, running=False))
            self._book.forget(key)
            self._index(tenant)

    def drop_endpoints(self, key: Key) -> None:
        """An endpoint set is gone."""
        self._pending.pop(key, None)
        target = self._targets.get(key)
        if target is not None:
            held = target.endpoint_set
            self._update(target, EndpointSetFacts(key, held.protocol, held.engine, held.model_name))

    def put_route(self, facts: RouteFacts) -> None:
        """A route is new or has changed. It has its name in its project, whatever deployment is called so."""
        for project in self._routes.put(facts):
            self._index(project)

    def drop_route(self, key: Key) -> None:
        """A route is gone, or is not followed any more."""
        for project in self._routes.drop(key):
            self._index(project)

    def __contains__(self, key: Key) -> bool:
        return key in self._targets

    def targets(self) -> list[Target]:
        """Every deployment's."""
        return list(self._targets.values())

    def target(self, key: Key) -> Target:
        """The target of a deployment. Raises KeyError."""
        return self._targets[key]

    def behind(self, route: RouteFacts) -> list[Target]:
        """Every deployment of a route's namespace that may answer for it, by other routes too."""
        return list(self._guide.behind(route))

    def _index(self, tenant: str) -> None:
        names: dict[str, Target] = {}
        own = [target for target in self._targets.values() if target.facts.tenant == tenant]
        for target in sorted(own, key=lambda one: (one.facts.created_at, one.facts.key)):
            for name in target.facts.names:
                names.setdefault(name, target)
        self._by_name[tenant] = names
        routed = self._routes.of(tenant)
        own_names = {name: target for name, target in names.items() if name not in routed} if routed else names
        self._own[tenant] = own_names
        if tenant == EVERYBODY:
            self._everybodys = own_names

    def find(self, caller: Caller, model: str) -> Target | Refusal:
        """The target behind a served name, an alias, `project/model` of another project, or a route's public name.

        A route's is picked anew each time, as for a request without headers that any rule asks for.
        """
        found = self.way(caller, model, {})
        if not isinstance(found, Way):
            return found
        return found.first.target if not found.steps else without_metadata(model)

    def way(self, caller: Caller, model: str, headers: Headers) -> Target | Way | Refusal:
        """Where a request goes: a target, or the way of a route."""
        target = self._own.get(caller.project, self._everybodys).get(model)
        if target is not None:
            # Most requests end here, which is why it is not left to `_resolve`.
            return target if caller.models is None or _may_call(caller, model, target) else not_allowed(model)
        route = self._resolve(caller, model)
        if not isinstance(route, RouteFacts):
            return route
        rule = route.rule_for(headers)
        if rule is None:
            return unmatched(model)
        traveller = Traveller(headers, caller.key_id, asyncio.get_running_loop().time())
        return self._guide.way(route, rule, traveller, caller.grants) or nothing_behind(route)

    def describe(self, caller: Caller, model: str) -> Facts | Refusal:
        """What a name stands for: a deployment or a route."""
        found = self._resolve(caller, model)
        return found.facts if isinstance(found, Target) else found

    def _resolve(self, caller: Caller, model: str) -> Target | RouteFacts | Refusal:
        """Own names come first, then `project/model` with the caller's own project, then another's."""
        own = self._own.get(caller.project, self._everybodys)
        routed = self._routes.of(caller.project)
        for name in (model, model.removeprefix(f"{caller.project}/")):
            if (target := own.get(name)) is not None:
                return target if _may_call(caller, name, target) else not_allowed(name)
            if (route := routed.get(name)) is not None:
                return route if _may_take(caller, name) else not_allowed(name)
        return self._find_shared(caller, model)

    def _find_shared(self, caller: Caller, model: str) -> Target | Refusal:
        """Routes are not shared: the name is a deployment's, even where its own project has a route of that name."""
        target = self._offered(caller.project, model, caller.grants)
        if target is None:
            return unknown(model)
        public = f"{target.facts.tenant}/{target.name}"
        if caller.models is not None and public not in caller.models and model not in caller.models:
            return not_allowed(model)
        return target

    def _offered(self, to: str, model: str, grants: frozenset[str]) -> Target | None:
        """A model of another project that this one offers to `to`, and that is granted."""
        project, slash, name = model.partition("/")
        known = bool(slash) and project != to and self._namespace_of(project) is not None
        target = self._by_name.get(project, {}).get(name) if known else None
        if target is None or to not in target.facts.shared_with or f"{project}/{target.name}" not in grants:
            return None
        return target

    def _model_of(self, project: str, model: str, grants: frozenset[str]) -> Target | None:
        """What a route of `project` means by `any-project/name`: its own, or what is offered to it."""
        own, _, name = model.partition("/")
        return self._by_name.get(own, {}).get(name) if own == project else self._offered(project, model, grants)

    def visible(self, caller: Caller) -> Iterator[tuple[str, Facts]]:
        """Every name that the caller may use, with what it stands for."""
        for name, target in self._own.get(caller.project, self._everybodys).items():
            if _may_call(caller, name, target):
                yield name, target.facts
        for name, route in self._routes.of(caller.project).items():
            if _may_take(caller, name):
                yield name, route
        for public in sorted(caller.grants):
            found = self._find_shared(caller, public)
            if isinstance(found, Target):
                yield public, found.facts


def _may_take(caller: Caller, route: str) -> bool:
    return caller.models is None or route in caller.models or route in caller.routes


def _may_call(caller: Caller, name: str, target: Target) -> bool:
    return caller.models is None or name in caller.models or target.name in caller.models
