"""What is said of a route."""

from datetime import timedelta
from typing import Any

import pytest
from mizzen_crds.v1alpha1.model_deployment import ModelDeployment
from mizzen_crds.v1alpha1.model_route import ModelRoute, ModelRouteStatus
from mizzen_operator.kinds.model_route.chains import LONGEST_CHAIN, cycle, too_long
from mizzen_operator.kinds.model_route.neighbours import Neighbours, shared_models, state_of
from mizzen_operator.kinds.model_route.references import references
from mizzen_operator.kinds.model_route.status import ready as answers
from mizzen_operator.kinds.model_route.status import route_status
from support.deployments import NOON, deployment


def ready(name: str, state: str = "True", namespace: str = "default", **spec: Any) -> ModelDeployment:
    made = deployment(name, metadata={"namespace": namespace, "uid": f"uid-{namespace}-{name}"}, **spec)
    told = {"type": "Ready", "status": state, "reason": "Available", "lastTransitionTime": NOON}
    return made.model_copy(update={"status": made.status.model_validate({"conditions": [told]})})


def route(name: str = "chat", *rules: dict[str, Any], minutes: int = 0, **spec: Any) -> ModelRoute:
    metadata = {"name": name, "namespace": "default", "uid": f"uid-{name}", "generation": 4}
    metadata["creationTimestamp"] = (NOON + timedelta(minutes=minutes)).isoformat()
    return ModelRoute.model_validate({"metadata": metadata, "spec": {"rules": list(rules), **spec}})


def to(*backends: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"name": "all", "backends": list(backends), **more}


def chained(name: str, *others: str) -> ModelRoute:
    return route(name, to(*({"route": other} for other in others))) if others else route(name, to({"deployment": "a"}))


def around(*deployments: ModelDeployment, **facts: Any) -> Neighbours:
    return Neighbours(project="team-a", deployments={one.metadata.name: one for one in deployments}, **facts)


def said(status: ModelRouteStatus) -> dict[str, tuple[str, str]]:
    return {one.type: (one.status, one.reason) for one in status.conditions}


def message(status: ModelRouteStatus, name: str) -> str:
    return next(one.message for one in status.conditions if one.type == name)


def is_ready(route: ModelRoute, near: Neighbours) -> str:
    """Of routes with parts that gateways do not do yet, too."""
    return answers(route, [(one, state_of(one, near)) for one in references(route)]).status


A, B = {"deployment": "a"}, {"deployment": "b"}
WHILE_NOT_READY = {**B, "causes": ["NotReady"]}


def test_a_route_whose_backends_are_ready_is_ready() -> None:
    status = route_status(route("chat", to(A, B)), around(ready("a"), ready("b")), NOON, url="http://gateway")
    assert said(status) == {
        "Ready": ("True", "BackendsReady"),
        "Accepted": ("True", "Accepted"),
        "ResolvedRefs": ("True", "ResolvedRefs"),
    }
    assert (status.observed_generation, status.served_name, status.url) == (4, "chat", "http://gateway")
    assert status.project == "team-a"


def test_a_backend_that_is_missing_is_named_and_the_others_answer() -> None:
    status = route_status(route("chat", to(A, B)), around(ready("a")), NOON)
    assert said(status)["ResolvedRefs"] == ("False", "BackendNotFound")
    assert "spec.rules[0].backends[1]: there is no deployment/b." in message(status, "ResolvedRefs")
    assert said(status)["Ready"] == ("True", "BackendsReady")
    assert [one.state.value for one in status.backends] == ["NotFound", "Ready"]
    assert "Stalled" not in said(status)


def test_a_rule_without_an_answer_is_named() -> None:
    status = route_status(route("chat", to(A, B)), around(ready("a", "False"), ready("b", "False")), NOON)
    assert said(status)["Ready"] == ("False", "NoBackendReady")
    assert "Rules without an answer: all. Not ready: deployment/a, deployment/b." in message(status, "Ready")


def test_a_fallback_answers_and_neither_a_mirror_nor_a_weight_of_zero_does() -> None:
    silent = ready("a", "False")
    with_fallback = route("chat", to(A, fallbacks=[WHILE_NOT_READY]))
    assert said(route_status(with_fallback, around(silent, ready("b")), NOON))["Ready"][0] == "True"
    mirrored = route("chat", to(A, mirrors=[B]))
    assert is_ready(mirrored, around(silent, ready("b"))) == "False"
    weightless = route("chat", to(A, B | {"weight": 0}))
    assert said(route_status(weightless, around(silent, ready("b")), NOON))["Ready"][0] == "False"


def test_every_step_of_a_pipeline_must_answer() -> None:
    piped = route("chat", {"name": "all", "pipeline": [{"name": "one", **A}, {"name": "two", **B}]})
    assert is_ready(piped, around(ready("a"), ready("b"))) == "True"
    assert is_ready(piped, around(ready("a"), ready("b", "False"))) == "False"


def test_the_older_of_two_routes_of_one_name_keeps_it() -> None:
    old, new = route("first", to(A), servedModelName="chat"), route("chat", to(A), minutes=1)
    both = around(ready("a"), rivals=(old, new))
    assert said(route_status(old, both, NOON))["Accepted"] == ("True", "Accepted")
    status = route_status(new, both, NOON)
    assert said(status)["Accepted"] == said(status)["Ready"] == ("False", "NameTaken")
    assert said(status)["Stalled"] == ("True", "NameTaken")
    assert "chat is the name of the older route default/first" in message(status, "Accepted")


def test_a_deployment_keeps_its_name_unless_it_is_one_of_the_routes_backends() -> None:
    chat = ready("chat")
    stranger = route_status(route("chat", to(A)), around(ready("a"), namesakes=(chat,)), NOON)
    assert said(stranger)["Accepted"] == said(stranger)["Ready"] == ("False", "NameTaken")
    assert "chat is a name of the deployment default/chat, which is no backend" in message(stranger, "Accepted")
    split = route("chat", to(A, {"deployment": "chat"}))
    assert said(route_status(split, around(ready("a"), chat, namesakes=(chat,)), NOON))["Accepted"][0] == "True"
    elsewhere = ready("chat", namespace="batch")
    status = route_status(split, around(ready("a"), chat, namesakes=(chat, elsewhere)), NOON)
    assert said(status)["Accepted"] == ("False", "NameTaken"), "its namesake in another namespace is no backend"


PART = "spec.rules[0]."


def test_a_route_that_asks_for_what_gateways_do_not_do_is_refused_by_the_fields() -> None:
    rule = {"name": "all", "pipeline": [{"name": "one", **A}], "sticky": {}}
    status = route_status(route("chat", rule), around(ready("a"), ready("b")), NOON)
    assert said(status)["Accepted"] == said(status)["Ready"] == ("False", "NotServedYet")
    assert f"Gateways do not do this: {PART}sticky (each step of a pipeline is one backend" in message(
        status, "Accepted"
    )
    assert said(status)["Stalled"] == ("True", "NotServedYet")


def test_a_route_with_a_pipeline_is_no_part_of_another_route() -> None:
    piped = route("piped", {"name": "all", "pipeline": [{"name": "one", **A}]})
    step = {"name": "all", "pipeline": [{"name": "one", **A}, {"name": "two", "route": "piped"}]}
    for rule, place in ((step, "pipeline[1]"), (to(A, {"route": "piped"}), "backends[1]")):
        status = route_status(route("chat", rule), around(ready("a"), routes={"piped": piped}), NOON)
        assert said(status)["Accepted"] == ("False", "NotServedYet")
        assert f"spec.rules[0].{place}: route/piped has a pipeline" in message(status, "Accepted")


def test_fallbacks_of_a_pipeline_speak_what_its_last_step_speaks() -> None:
    steps = [{"name": "one", **A}, {"name": "two", **B}]
    rule = {"name": "all", "pipeline": steps, "fallbacks": [{"deployment": "c"}]}
    spoken = {"default/a": "OpenInference", "default/b": "OpenAI", "default/c": "OpenInference"}
    status = route_status(route("chat", rule), around(ready("a"), ready("b"), ready("c"), protocols=spoken), NOON)
    assert said(status)["ResolvedRefs"] == ("False", "UnsupportedProtocol")
    spoken["default/c"] = "OpenAI"
    status = route_status(route("chat", rule), around(ready("a"), ready("b"), ready("c"), protocols=spoken), NOON)
    assert said(status)["ResolvedRefs"][0] == "True"


@pytest.mark.parametrize(
    "rule",
    [
        to({"model": "team-b/llama"}),
        to(A, {"route": "next"}),
        to(A, fallbacks=[B]),
        to(A, fallbacks=[{**B, "causes": ["NotReady", "Failed"]}]),
        to(A, mirrors=[B], retries={"attempts": 2}),
        to(A, timeouts={"idleSeconds": 5}),
        to(A, matches=[{"headers": [{"name": "x-tier", "value": "gold"}]}]),
        to(A, B, sticky={"by": "Key"}, cache={}),
        {"name": "all", "pipeline": [{"name": "one", **A}, {"name": "two", **B}]},
        {"name": "all", "pipeline": [{"name": "one", "route": "next"}], "fallbacks": [B], "mirrors": [B], "cache": {}},
        to(A, hedge={"delayMilliseconds": 100}),
    ],
)
def test_all_that_gateways_do_is_accepted(rule: dict[str, Any]) -> None:
    status = route_status(route("chat", rule), around(ready("a"), ready("b")), NOON)
    assert said(status)["Accepted"] == ("True", "Accepted")


def test_weights_and_a_fallback_for_backends_that_are_not_ready_are_served() -> None:
    as_by_default = to(A | {"weight": 3}, B, fallbacks=[WHILE_NOT_READY], retries={"attempts": 1}, timeouts={})
    status = route_status(route("chat", as_by_default), around(ready("a"), ready("b")), NOON)
    assert said(status)["Accepted"] == ("True", "Accepted")


def test_a_chain_that_comes_back_is_spelt_out() -> None:
    routes = {one.metadata.name: one for one in (chained("a", "b"), chained("b", "c", "d"), chained("d", "a"))}
    status = route_status(routes["a"], around(routes=routes), NOON)
    assert said(status)["Accepted"] == ("False", "RouteCycle")
    assert "a -> b -> d -> a" in message(status, "Accepted")
    assert said(status)["Stalled"] == ("True", "RouteCycle")


def test_a_route_that_names_itself_is_a_cycle() -> None:
    assert cycle(chained("a", "a"), {}) == ["a", "a"]


@pytest.mark.parametrize("place", ["fallbacks", "mirrors"])
def test_fallbacks_and_mirrors_can_close_a_cycle_too(place: str) -> None:
    back = route("b", to(A, **{place: [{"route": "a"}]}))
    assert cycle(chained("a", "b"), {"b": back}) == ["a", "b", "a"]


def test_a_route_that_leads_into_a_cycle_of_others_is_too_deep_and_not_to_blame_for_the_cycle() -> None:
    routes = {one.metadata.name: one for one in (chained("b", "c"), chained("c", "b"))}
    assert cycle(chained("a", "b"), routes) is None
    assert too_long(chained("a", "b"), routes) is not None


def test_the_longest_chain_is_taken_and_one_more_is_not() -> None:
    names = [f"r{number}" for number in range(LONGEST_CHAIN + 1)]
    routes = {name: chained(name, *names[number + 1 : number + 2]) for number, name in enumerate(names)}
    assert too_long(routes["r1"], routes) is None
    assert too_long(routes["r0"], routes) == names
    assert said(route_status(routes["r0"], around(routes=routes), NOON))["Accepted"] == ("False", "RouteTooDeep")


def test_two_ways_to_one_route_are_no_cycle() -> None:
    routes = {one.metadata.name: one for one in (chained("b", "d"), chained("c", "d"), chained("d"))}
    assert cycle(chained("a", "b", "c"), routes) is None


SHARED = {"access": {"visibility": "Shared", "allowedProjects": ["team-a"]}}


def shared(made: ModelDeployment, granted: frozenset[str] | None) -> tuple[str, str]:
    models = shared_models([made], {"theirs": "team-b", "default": "team-a"})
    status = route_status(route("chat", to({"model": "team-b/llama"})), around(models=models, granted=granted), NOON)
    return said(status)["ResolvedRefs"]


def test_a_model_of_another_project_needs_its_offer_and_a_grant() -> None:
    offered, kept = ready("llama", namespace="theirs", **SHARED), ready("llama", namespace="theirs")
    grant = frozenset({"team-b/llama"})
    assert shared(offered, grant) == ("True", "ResolvedRefs")
    assert shared(offered, frozenset()) == ("False", "RefNotPermitted")
    assert shared(kept, grant) == ("False", "RefNotPermitted")
    assert shared(offered, None) == ("True", "ResolvedRefs"), "grants that cannot be read refuse nothing"


def test_a_model_that_is_not_offered_looks_like_one_that_is_not_there() -> None:
    kept, none = ready("llama", namespace="theirs"), ready("other", namespace="theirs")
    grant = frozenset({"team-b/llama"})
    assert shared(kept, grant) == shared(none, grant)


def test_a_model_of_the_own_project_is_called_by_its_full_name_without_an_offer() -> None:
    models = shared_models([ready("llama", namespace="batch")], {"batch": "team-a"})
    own = route("chat", to({"model": "team-a/llama"}))
    assert is_ready(own, around(models=models)) == "True"
    assert said(route_status(own, around(), NOON))["ResolvedRefs"] == ("False", "BackendNotFound")


def test_backends_of_one_rule_speak_one_protocol() -> None:
    spoken = {"default/a": "OpenAI", "default/b": "OpenInference"}
    with_fallback = route("chat", to(A, {"deployment": "missing"}, fallbacks=[WHILE_NOT_READY]))
    mixed = route_status(with_fallback, around(ready("a"), ready("b"), protocols=spoken), NOON)
    assert said(mixed)["ResolvedRefs"] == said(mixed)["Ready"] == ("False", "UnsupportedProtocol")
    assert "deployment/a speaks OpenAI, deployment/b speaks OpenInference" in message(mixed, "ResolvedRefs")
    piped = route("chat", {"name": "all", "pipeline": [{"name": "one", **A}, {"name": "two", **B}]})
    status = route_status(piped, around(ready("a"), ready("b"), protocols=spoken), NOON)
    assert said(status)["ResolvedRefs"][0] == "True"


def test_a_quiet_pass_changes_nothing() -> None:
    wanted, near = route("chat", to(A, B)), around(ready("a"))
    before = route_status(wanted, near, NOON, url="http://gateway")
    again = wanted.model_copy(update={"status": before})
    assert route_status(again, near, NOON + timedelta(hours=1)) == before
