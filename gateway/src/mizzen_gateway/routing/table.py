"""From the name that a caller uses to the deployment that serves it."""

from collections.abc import Callable, Iterator
from typing import Literal

from mizzen_gateway.routing.deployment import DeploymentFacts, EndpointSetFacts, Key
from mizzen_gateway.routing.load import LoadBook
from mizzen_gateway.routing.target import Address, Target
from mizzen_gateway.stages import Caller, Refusal

Protocol = Literal["OpenAI", "OpenInference"]


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
        f"The model '{model}' is not among those that this key may call; use another key, or let this one call it "
        "(`mizzen keys update`).",
        param="model",
    )


def wrong_protocol(wanted: Protocol, model: str, endpoint_set: EndpointSetFacts) -> Refusal | None:
    """400: the model speaks the other protocol. None where it speaks the wanted one, or nobody can tell yet."""
    if not endpoint_set.engine or endpoint_set.protocol == wanted:
        return None
    names: dict[Protocol, str] = {"OpenAI": "OpenAI API (/v1)", "OpenInference": "Open Inference Protocol (/v2)"}
    path = "/v1/chat/completions" if endpoint_set.protocol == "OpenAI" else f"/v2/models/{model}/infer"
    message = f"Model '{model}' does not speak the {names[wanted]}; call it at {path}."
    return Refusal(400, "wrong_protocol", message, param="model")


class RouteTable:
    """Every deployment, by key and by name. One writer (discovery), read by each request."""

    def __init__(
        self,
        book: LoadBook,
        namespace_of: Callable[[str], str | None],
        leave: Callable[[Address], None] = lambda _address: None,
    ) -> None:
        """`leave` hears of each address that gets no more requests."""
        self._book = book
        self._leave = leave
        self._namespace_of = namespace_of
        self._targets: dict[Key, Target] = {}
        self._pending: dict[Key, EndpointSetFacts] = {}
        self._by_name: dict[str, dict[str, Target]] = {}

    def put_deployment(self, facts: DeploymentFacts) -> None:
        """A deployment is new or has changed."""
        target = self._targets.get(facts.key)
        if target is None:
            target = self._targets[facts.key] = Target(facts, self._book)
            held = self._pending.pop(facts.key, None)
            if held is not None:
                target.update_endpoints(held)
        else:
            before = target.facts
            target.facts = facts
            target.wake()
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

    def drop_deployment(self, key: Key) -> None:
        """A deployment is gone."""
        target = self._targets.pop(key, None)
        if target is not None:
            tenant = target.facts.tenant
            target.facts = DeploymentFacts(key, names=target.facts.names, running=False)
            target.wake()
            self._book.forget(key)
            self._index(tenant)

    def drop_endpoints(self, key: Key) -> None:
        """An endpoint set is gone."""
        self._pending.pop(key, None)
        target = self._targets.get(key)
        if target is not None:
            held = target.endpoint_set
            self._update(target, EndpointSetFacts(key, held.protocol, held.engine, held.model_name))

    def __contains__(self, key: Key) -> bool:
        return key in self._targets

    def target(self, key: Key) -> Target:
        """The target of a deployment. Raises KeyError."""
        return self._targets[key]

    def _index(self, tenant: str) -> None:
        names: dict[str, Target] = {}
        own = [target for target in self._targets.values() if target.facts.tenant == tenant]
        for target in sorted(own, key=lambda one: (one.facts.created_at, one.facts.key)):
            for name in target.facts.names:
                names.setdefault(name, target)
        self._by_name[tenant] = names

    def find(self, caller: Caller, model: str) -> Target | Refusal:
        """The target behind a served name, an alias, or `project/model` of another project."""
        target = self._by_name.get(caller.project, {}).get(model)
        if target is not None:
            if caller.models is not None and model not in caller.models and target.name not in caller.models:
                return not_allowed(model)
            return target
        return self._find_shared(caller, model)

    def _find_shared(self, caller: Caller, model: str) -> Target | Refusal:
        project, slash, name = model.partition("/")
        known = bool(slash) and self._namespace_of(project) is not None
        target = self._by_name.get(project, {}).get(name) if known else None
        if target is None:
            return unknown(model)
        if project == caller.project:
            return self.find(caller, name)
        public = f"{project}/{target.name}"
        if caller.project not in target.facts.shared_with or public not in caller.grants:
            return unknown(model)
        if caller.models is not None and public not in caller.models and model not in caller.models:
            return not_allowed(model)
        return target

    def visible(self, caller: Caller) -> Iterator[tuple[str, Target]]:
        """Every name that the caller may use, with its target."""
        for name, target in self._by_name.get(caller.project, {}).items():
            if caller.models is None or name in caller.models or target.name in caller.models:
                yield name, target
        for public in sorted(caller.grants):
            found = self._find_shared(caller, public)
            if isinstance(found, Target):
                yield public, found
