"""From a route's public name to one of its deployments: by weight among those with a ready endpoint, in one project."""

import asyncio
from collections import Counter
from dataclasses import replace
from random import Random
from typing import Any

import orjson
import pytest
from mizzen_gateway.engine.pool import EnginePool
from mizzen_gateway.protocols.openai.models import get_model, list_models
from mizzen_gateway.routing.deployment import DeploymentFacts, EndpointFacts, EndpointSetFacts
from mizzen_gateway.routing.load import LoadBook
from mizzen_gateway.routing.route import Cause, Fallback, HeaderTest, Ref, RouteFacts, RuleFacts
from mizzen_gateway.routing.table import RouteTable
from mizzen_gateway.routing.target import Target
from mizzen_gateway.routing.way import Way
from mizzen_gateway.stages import Caller, Refusal

PROJECTS = {"a": "ns-a", "b": "ns-b"}
SEED = 7
CREATED = "2026-01-01T00:00:00+00:00"


def caller(project: str = "a", models: frozenset[str] | None = None, grants: frozenset[str] = frozenset()) -> Caller:
    return Caller("org", f"prj_{project}", project, PROJECTS[project], "key_x", models, grants)


def add(made: RouteTable, name: str, *served: str, ready: bool = True, **facts: Any) -> None:
    key = ("ns-a", name)
    made.put_deployment(DeploymentFacts(key, CREATED, served or (name,), project="a", **facts))
    endpoint = EndpointFacts(f"{name}-0", "r1", "127.0.0.1", 1, ready)
    made.put_endpoints(EndpointSetFacts(key, "OpenAI", "Simulated", name, (endpoint,), (("r1", 100),)))


def table(*deployments: str) -> RouteTable:
    print("seed", SEED)
    made = RouteTable(LoadBook(), PROJECTS.get, chance=Random(SEED))
    for name in deployments:
        add(made, name)
    return made


def to(*backends: tuple[str, int], fallbacks: tuple[str, ...] = (), **facts: Any) -> RuleFacts:
    """A rule; fallbacks are for backends that are not ready."""
    refs = tuple((Ref("deployment", name), weight) for name, weight in backends)
    spare = tuple(Fallback(Ref("deployment", name), frozenset({Cause.NOT_READY})) for name in fallbacks)
    return RuleFacts("all", refs, spare, **facts)


def route(
    *backends: tuple[str, int], name: str = "chat", project: str = "a", created_at: str = "", **rule: Any
) -> RouteFacts:
    return RouteFacts(("ns-a", f"route-{name}"), project, name, (to(*backends, **rule),), created_at)


def found(made: RouteTable, model: str = "chat", who: Caller | None = None) -> str:
    target = made.find(who or caller(), model)
    return target.facts.key[1] if isinstance(target, Target) else target.code


def spread(made: RouteTable, count: int = 1000) -> Counter[str]:
    return Counter(found(made) for _ in range(count))


async def test_requests_are_shared_by_weight() -> None:
    made = table("one", "two")
    made.put_route(route(("one", 3), ("two", 1)))
    shares = spread(made)
    assert set(shares) == {"one", "two"}
    assert 680 <= shares["one"] <= 820  # five standard deviations around 750


async def test_a_deployment_without_a_ready_endpoint_gets_nothing_while_another_has_one() -> None:
    made = table("one", "two")
    made.put_route(route(("one", 3), ("two", 1), ("missing", 100)))
    add(made, "one", ready=False)
    assert spread(made, 50) == {"two": 50}
    target = made.target(("ns-a", "two"))
    endpoint = target.choose(asyncio.get_running_loop().time())
    assert endpoint is not None
    add(made, "one")
    endpoint.broke(asyncio.get_running_loop().time())
    assert spread(made, 50) == {"one": 50}, "an ejected endpoint is none"


async def test_fallbacks_answer_in_order_while_no_backend_has_an_endpoint() -> None:
    made = table("first", "second")
    add(made, "one", ready=False)
    made.put_route(route(("one", 1), fallbacks=("gone", "first", "second")))
    assert spread(made, 20) == {"first": 20}
    add(made, "first", ready=False)
    assert spread(made, 20) == {"second": 20}
    add(made, "one")
    assert spread(made, 20) == {"one": 20}


async def test_a_request_waits_for_a_backend_that_may_start_rather_than_for_one_that_is_stopped() -> None:
    made = table()
    add(made, "stopped", ready=False, running=False)
    add(made, "wakes", ready=False, replicas_wanted=0, wakes=True)
    made.put_route(route(("stopped", 100), ("wakes", 1)))
    assert spread(made, 50) == {"wakes": 50}
    made.drop_deployment(("ns-a", "wakes"))
    assert spread(made, 5) == {"stopped": 5}, "its own refusal says why"


async def test_a_route_whose_deployments_are_gone_is_not_ready_and_says_so() -> None:
    made = table()
    made.put_route(route(("one", 1)))
    refusal = made.find(caller(), "chat")
    assert isinstance(refusal, Refusal)
    assert (refusal.status, refusal.code) == (503, "model_not_ready")
    assert "none of its route's deployments is there" in refusal.message
    assert refusal.headers == (("retry-after", "10"),)


async def test_a_backend_that_was_removed_gets_nothing_and_a_route_that_was_removed_is_unknown() -> None:
    made = table("one", "two")
    made.put_route(route(("one", 1), ("two", 1)))
    assert set(spread(made, 100)) == {"one", "two"}
    made.put_route(route(("two", 1)))
    assert spread(made, 20) == {"two": 20}
    made.put_route(replace(route(("two", 1)), name="other"))
    assert (found(made), found(made, "other")) == ("model_not_found", "two")
    made.drop_route(("ns-a", "route-chat"))
    assert (found(made), found(made, "other")) == ("model_not_found", "model_not_found")


@pytest.mark.parametrize("model", ["chat", "a/chat"])
async def test_a_route_is_its_own_projects_alone(model: str) -> None:
    made = table("one")
    made.put_route(route(("one", 1)))
    assert found(made, model) == "one"
    stranger = caller("b", grants=frozenset({"a/chat", "a/one"}))
    assert found(made, model, stranger) == "model_not_found"
    assert list(made.visible(stranger)) == []


async def test_a_route_never_leads_to_a_deployment_that_has_left_its_project() -> None:
    made = table("one", "two")
    made.put_route(route(("one", 1), ("two", 1)))
    made.put_deployment(DeploymentFacts(("ns-a", "two"), "1", ("two",), project="b"))
    assert spread(made, 20) == {"one": 20}


async def test_a_route_has_its_name_before_a_backend_that_is_called_so_and_gives_it_back() -> None:
    made = table("two")
    add(made, "chat", "chat", "talk", shared_with=frozenset({"b"}))
    made.put_route(route(("two", 1)))
    assert (found(made), found(made, "talk"), found(made, "a/chat")) == ("two", "chat", "two")
    guest = caller("b", grants=frozenset({"a/chat"}))
    assert found(made, "a/chat", guest) == "chat", "what is shared is the deployment"
    made.drop_route(("ns-a", "route-chat"))
    assert (found(made), found(made, "a/chat")) == ("chat", "chat")


async def test_the_older_of_two_routes_of_one_name_has_it() -> None:
    made = table("one", "two")
    made.put_route(RouteFacts(("ns-a", "young"), "a", "chat", (to(("two", 1)),), created_at="2"))
    made.put_route(RouteFacts(("ns-a", "old"), "a", "chat", (to(("one", 1)),), created_at="1"))
    assert found(made) == "one"
    made.drop_route(("ns-a", "old"))
    assert found(made) == "two"


async def test_a_key_that_is_confined_to_models_needs_the_public_name() -> None:
    made = table("one")
    made.put_route(route(("one", 1)))
    assert found(made, who=caller(models=frozenset({"one"}))) == "model_not_allowed"
    confined = caller(models=frozenset({"chat"}))
    assert (found(made, who=confined), found(made, "one", confined)) == ("one", "model_not_allowed")
    assert [name for name, _ in made.visible(confined)] == ["chat"]


async def test_a_key_that_is_confined_to_routes_calls_no_deployment_under_its_own_name() -> None:
    made = table("one", "two")
    made.put_route(route(("one", 1)))
    confined = replace(caller(models=frozenset()), routes=frozenset({"chat"}))
    assert (found(made, who=confined), found(made, "one", confined)) == ("one", "model_not_allowed")
    assert [name for name, _ in made.visible(confined)] == ["chat"]
    both = replace(caller(models=frozenset({"two"})), routes=frozenset({"chat"}))
    assert (found(made, who=both), found(made, "two", both)) == ("one", "two")
    two_alone = replace(caller(models=frozenset()), routes=frozenset({"two"}))
    assert found(made, "two", two_alone) == "model_not_allowed"


async def test_models_are_listed_with_the_routes_public_name() -> None:
    made = table("one")
    made.put_route(route(("one", 1), created_at="2026-01-01T00:00:00+00:00"))
    pool = EnginePool()
    listed = orjson.loads(await list_models(made, caller(), pool))["data"]
    assert {one["id"] for one in listed} == {"chat", "one"}
    entry = next(one for one in listed if one["id"] == "chat")
    assert (entry["object"], entry["created"], entry["owned_by"]) == ("model", 1767225600, "ns-a")
    assert (entry["ready"], entry["endpoints"]) == (True, None)
    one = await get_model(made, caller(), "chat", pool)
    assert isinstance(one, bytes)
    assert orjson.loads(one) == entry
    pool.close()


def by_rules(*rules: RuleFacts, name: str = "chat") -> RouteFacts:
    return RouteFacts(("ns-a", name), "a", name, rules)


def way(made: RouteTable, headers: dict[bytes, bytes] | None = None, who: Caller | None = None) -> Way:
    found = made.way(who or caller(), "chat", headers or {})
    assert isinstance(found, Way), found
    return found


def first(made: RouteTable, headers: dict[bytes, bytes] | None = None, who: Caller | None = None) -> str:
    return way(made, headers, who).first.target.facts.key[1]


GOLD = HeaderTest(b"x-tier", "Exact", b"gold")


async def test_the_first_rule_whose_headers_match_takes_the_request() -> None:
    made = table("one", "two", "three")
    beta = HeaderTest(b"x-app", "Prefix", b"beta-")
    rules = (
        to(("one", 1), matches=((GOLD, HeaderTest(b"x-app", "Present")), (beta,))),
        to(("two", 1), matches=((GOLD,),)),
        to(("three", 1)),
    )
    made.put_route(by_rules(*rules))
    assert first(made, {b"x-tier": b"gold", b"x-app": b""}) == "one"
    assert first(made, {b"x-app": b"beta-7"}) == "one"
    assert first(made, {b"x-tier": b"gold"}) == "two"
    assert first(made, {b"x-tier": b"golden"}) == "three"


async def test_a_request_that_no_rule_takes_is_told_so_and_a_stranger_is_not() -> None:
    made = table("one")
    made.put_route(by_rules(to(("one", 1), matches=((GOLD,),))))
    refusal = made.way(caller(), "chat", {})
    assert isinstance(refusal, Refusal)
    assert (refusal.status, "none of its route's rules matches" in refusal.message) == (404, True)
    other = made.way(caller("b"), "chat", {})
    assert isinstance(other, Refusal)
    assert "does not exist" in other.message


@pytest.mark.parametrize("by", [b"", b"x-user"])
async def test_who_is_sticky_stays_with_a_backend_and_the_shares_are_the_weights(by: bytes) -> None:
    made = table("one", "two")
    made.put_route(by_rules(to(("one", 3), ("two", 1), sticky=by)))

    def homes() -> list[str]:
        if by:
            return [first(made, {by: f"u{number}".encode()}) for number in range(1000)]
        keys = [replace(caller(), key_id=f"key_{number}") for number in range(1000)]
        return [first(made, who=who) for who in keys]

    before = homes()
    assert before == homes()
    assert 680 <= before.count("one") <= 820
    add(made, "one", ready=False)
    assert set(homes()) == {"two"}
    add(made, "one")
    assert homes() == before, "they come back"


async def test_a_backend_more_takes_sticky_callers_only_to_itself() -> None:
    made = table("one", "two", "three")
    headers = [{b"x-user": f"u{number}".encode()} for number in range(500)]
    made.put_route(by_rules(to(("one", 1), ("two", 1), sticky=b"x-user")))
    before = [first(made, one) for one in headers]
    made.put_route(by_rules(to(("one", 1), ("two", 1), ("three", 1), sticky=b"x-user")))
    after = [first(made, one) for one in headers]
    assert {new for old, new in zip(before, after, strict=True) if old != new} == {"three"}


async def test_a_fallback_answers_only_for_its_causes_and_each_deployment_is_asked_once() -> None:
    made = table("one", "two", "three", "four")
    fallbacks = (
        Fallback(Ref("deployment", "two"), frozenset({Cause.OVERLOADED})),
        Fallback(Ref("deployment", "one")),
        Fallback(Ref("deployment", "three"), frozenset({Cause.FAILED})),
        Fallback(Ref("deployment", "four")),
    )
    made.put_route(by_rules(replace(to(("one", 1)), fallbacks=fallbacks)))

    def chain(*causes: Cause) -> list[str]:
        going, names = way(made), []
        leg = going.first
        for cause in causes:
            going.been.add(leg.target.facts.key)
            following = going.after(leg, cause, asyncio.get_running_loop().time())
            if following is None:
                return [*names, "-"]
            leg = following
            names.append(leg.target.facts.key[1])
        return names

    assert chain(Cause.OVERLOADED, Cause.FAILED, Cause.FAILED, Cause.FAILED) == ["two", "three", "four", "-"]
    assert chain(Cause.TIMED_OUT, Cause.TIMED_OUT) == ["four", "-"]


async def test_a_route_leads_to_another_route_by_its_rules_and_fallbacks() -> None:
    made = table("one", "two", "spare")
    inner = to(("one", 1), fallbacks=("two",), idle_seconds=7.0)
    made.put_route(by_rules(inner, name="inner"))
    outer = RuleFacts("all", ((Ref("route", "inner"), 1),), (Fallback(Ref("deployment", "spare")),))
    made.put_route(by_rules(outer))
    assert first(made) == "one"
    assert way(made).first.rule.idle_seconds == 7.0
    add(made, "one", ready=False)
    going = way(made)
    assert going.first.target.facts.key[1] == "two"
    going.been.add(("ns-a", "two"))
    following = going.after(going.first, Cause.FAILED, asyncio.get_running_loop().time())
    assert following is not None
    assert following.target.facts.key[1] == "spare", "the outer route's, as the inner one's are tried"


async def test_a_chain_of_routes_that_comes_back_ends() -> None:
    made = table("one")
    made.put_route(by_rules(RuleFacts("all", ((Ref("route", "chat"), 1),))))
    assert isinstance(made.way(caller(), "chat", {}), Refusal)


async def test_a_route_leads_to_another_projects_model_only_where_it_is_offered_and_granted() -> None:
    made = table()
    made.put_deployment(DeploymentFacts(("ns-b", "llama"), "1", ("llama",), frozenset({"a"}), project="b"))
    made.put_route(by_rules(RuleFacts("all", ((Ref("model", "b/llama"), 1),))))
    assert found(made) == "model_not_ready", "not granted"
    assert found(made, who=caller(grants=frozenset({"b/llama"}))) == "llama"
    made.put_deployment(DeploymentFacts(("ns-b", "llama"), "1", ("llama",), project="b"))
    assert found(made, who=caller(grants=frozenset({"b/llama"}))) == "model_not_ready", "offered no more"


async def test_copies_go_to_mirrors_by_their_share() -> None:
    made = table("one", "two", "three")
    mirrors = ((Ref("deployment", "two"), 100), (Ref("deployment", "three"), 20), (Ref("deployment", "gone"), 100))
    made.put_route(by_rules(to(("one", 1), mirrors=mirrors)))
    copied = Counter(leg.target.facts.key[1] for _ in range(1000) for leg in way(made).copies())
    assert copied["two"] == 1000
    assert 140 <= copied["three"] <= 260
    assert set(copied) == {"two", "three"}
