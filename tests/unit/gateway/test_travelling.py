"""A time-out of a route holds from the request on, over all tries and fallbacks; ids say what belongs together."""

from dataclasses import replace
from random import Random

import pytest
from mizzen_gateway.routing.deployment import DeploymentFacts
from mizzen_gateway.routing.load import LoadBook
from mizzen_gateway.routing.route import Ref, RouteFacts, RuleFacts
from mizzen_gateway.routing.target import Target
from mizzen_gateway.routing.way import Guide, Traveller
from mizzen_gateway.travelling import Travel

KEY = ("ns", "one")


def travel(request_seconds: float | None, began_at: float = 100.0) -> Travel:
    rule = RuleFacts("all", ((Ref("deployment", "one"), 1),), request_seconds=request_seconds)
    target = Target(DeploymentFacts(KEY, names=("one",), project="a"), LoadBook())
    guide = Guide({KEY: target}, lambda _: None, lambda *_: None, Random(1))
    route = RouteFacts(("ns", "chat"), "a", "chat", (rule,))
    way = guide.way(route, rule, Traveller({}, "key", began_at), frozenset())
    assert way is not None
    return Travel(way, way.first, began_at)


@pytest.mark.parametrize(("now", "left"), [(100.0, 30.0), (110.0, 20.0), (131.0, 0.001)])
def test_what_is_left_of_the_time_shrinks_from_try_to_try(now: float, left: float) -> None:
    assert travel(30.0).seconds_left(now) == pytest.approx(left)


@pytest.mark.parametrize(
    ("whole", "own", "left"),
    [
        (30.0, None, 5.0),
        (30.0, 2.0, 1.0),
        (30.0, 100.0, 5.0),
        (None, 2.0, 1.0),
        (0, 2.0, 1.0),
        (0, None, 0),
        (None, 0, 0),
    ],
)
def test_a_step_has_the_time_of_its_route_and_what_is_left_of_the_pipelines(
    whole: float | None, own: float | None, left: float
) -> None:
    going = travel(whole)
    going.asked = (None, None)  # type: ignore[assignment]  # what it is does not matter
    going.leg = replace(going.leg, rules=(RuleFacts("inner", (), request_seconds=own), *going.leg.rules))
    going.step_began_at = 124.0
    assert going.seconds_left(125.0) == pytest.approx(left)


@pytest.mark.parametrize("seconds", [None, 0])
def test_a_rule_without_a_time_leaves_the_deployments_own_and_zero_is_none(seconds: float | None) -> None:
    assert travel(seconds).seconds_left(1000.0) == seconds


def test_the_legs_of_a_request_have_ids_of_one_stem() -> None:
    going = travel(None)
    assert [going.mint(lambda: "req_1") for _ in range(3)] == ["req_1", "req_1.2", "req_1.3"]
