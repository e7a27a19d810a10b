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
from mizzen_gateway.routing.route import RouteFacts
from mizzen_gateway.routing.table import RouteTable
from mizzen_gateway.routing.target import Target
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


def route(*backends: tuple[str, int], name: str = "chat", project: str = "a", **facts: Any) -> RouteFacts:
    return RouteFacts(("ns-a", f"route-{name}"), project, name, backends, **facts)


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
    made.put_route(RouteFacts(("ns-a", "young"), "a", "chat", (("two", 1),), created_at="2"))
    made.put_route(RouteFacts(("ns-a", "old"), "a", "chat", (("one", 1),), created_at="1"))
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
