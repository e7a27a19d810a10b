"""Which endpoint takes a request: by traffic, by load, and not one that failed just now."""

import asyncio
from collections import Counter

import pytest
from mizzen_gateway.routing.deployment import DeploymentFacts, EndpointFacts, EndpointSetFacts
from mizzen_gateway.routing.load import LoadBook
from mizzen_gateway.routing.target import RETRY_BURST, RETRY_SHARE, Target
from mizzen_gateway.stages import Refusal
from support.until import until

KEY = ("default", "m")


def pod(name: str, revision: str = "r1", ready: bool = True, terminating: bool = False) -> EndpointFacts:
    return EndpointFacts(name, revision, "127.0.0.1", 1, ready, terminating)


def target(*pods: EndpointFacts, traffic: tuple[tuple[str, int], ...] = (("r1", 100),), **facts: object) -> Target:
    made = Target(DeploymentFacts(KEY, names=("m",), **facts), LoadBook())  # type: ignore[arg-type]  # any fact
    made.update_endpoints(EndpointSetFacts(KEY, "OpenAI", "Simulated", "m", pods, traffic))
    return made


def chosen(made: Target, now: float = 0.0, tried: frozenset[str] = frozenset()) -> str | None:
    endpoint = made.choose(now, tried)
    return None if endpoint is None else endpoint.facts.pod


def test_equal_endpoints_take_turns_and_a_busy_one_is_passed_over() -> None:
    made = target(pod("a"), pod("b"))
    assert Counter(chosen(made) for _ in range(10)) == {"a": 5, "b": 5}
    busy = made.choose(0.0)
    assert busy is not None
    busy.in_flight += 1
    assert {chosen(made) for _ in range(4)} == {"a", "b"} - {busy.facts.pod}


@pytest.mark.parametrize("percent", [0, 1, 10, 50, 90, 100])
def test_traffic_is_split_exactly(percent: int) -> None:
    traffic = (("r1", 100 - percent), ("r2", percent))
    made = target(pod("a"), pod("b", "r2"), traffic=traffic)
    counted = Counter(chosen(made) for _ in range(100))
    assert (counted["a"], counted["b"]) == (100 - percent, percent)


def test_a_revision_without_a_ready_endpoint_leaves_its_share_to_the_other() -> None:
    made = target(pod("a"), pod("b", "r2", ready=False), traffic=(("r1", 10), ("r2", 90)))
    assert {chosen(made) for _ in range(20)} == {"a"}


def test_pods_that_are_not_ready_or_going_take_nothing() -> None:
    made = target(pod("a", ready=False), pod("b", terminating=True))
    assert chosen(made) is None
    assert made.any_ready is False


def test_a_pod_that_was_tried_is_chosen_only_when_it_is_the_last() -> None:
    made = target(pod("a"), pod("b"))
    assert {chosen(made, tried=frozenset({"a"})) for _ in range(4)} == {"b"}
    assert chosen(target(pod("a")), tried=frozenset({"a"})) == "a"


def test_a_broken_endpoint_is_left_alone_twice_as_long_each_time() -> None:
    made = target(pod("a"))
    endpoint = made.choose(0.0)
    assert endpoint is not None
    now, pauses = 0.0, []
    for _ in range(9):
        endpoint.broke(now)
        assert chosen(made, now) is None
        pauses.append(endpoint.ejected_until - now)
        now = endpoint.ejected_until
        assert chosen(made, now) == "a"
    assert pauses == [0.5, 1, 2, 4, 8, 16, 30, 30, 30]
    endpoint.succeeded()
    endpoint.broke(now)
    assert endpoint.ejected_until - now == 0.5


def test_single_errors_do_not_eject_but_several_in_a_row_do() -> None:
    made = target(pod("a"))
    endpoint = made.choose(0.0)
    assert endpoint is not None
    for _ in range(4):
        endpoint.answered_with_error(0.0)
    endpoint.succeeded()
    for _ in range(4):
        endpoint.answered_with_error(0.0)
    assert chosen(made) == "a"
    endpoint.answered_with_error(0.0)
    assert chosen(made) is None


def answer_500(made: Target, name: str, *projects: str, now: float = 0.0) -> bool:
    """Whether the endpoint is ejected after it."""
    endpoint = next(one for one in made.endpoints() if one.facts.pod == name)
    for project in projects:
        made.answered_500(endpoint, project, now)
    return endpoint.ejected_until > now


def test_answers_of_500_to_several_projects_eject() -> None:
    made = target(pod("a"))
    assert not answer_500(made, "a", "one", "one", "one", "one")
    assert answer_500(made, "a", "two")


def test_answers_of_500_to_one_project_eject_no_endpoint_that_others_are_served_by() -> None:
    made = target(pod("a"))
    endpoint = made.choose(0.0)
    assert endpoint is not None
    endpoint.succeeded("two")
    assert not answer_500(made, "a", *["one"] * 50)
    assert answer_500(made, "a", "one", now=61.0), "nobody else is there any more"


def test_answers_of_500_to_the_only_project_eject_unless_others_give_them_too() -> None:
    made = target(pod("a"), pod("b"))
    assert answer_500(made, "a", *["one"] * 5)
    assert not answer_500(made, "b", *["one"] * 50), "it is the requests"
    broken = target(pod("a"), pod("b"))
    assert not answer_500(broken, "a", *["one"] * 4)
    next(iter(broken.endpoints())).succeeded("one")
    assert not answer_500(broken, "a", *["one"] * 4), "not in a row"


def answer_429(made: Target, name: str, *projects: str, now: float = 0.0) -> bool:
    """Whether the endpoint is ejected after it."""
    endpoint = next(one for one in made.endpoints() if one.facts.pod == name)
    for project in projects:
        endpoint.answered_429(project, now)
    return endpoint.ejected_until > now


def test_answers_of_429_to_one_project_eject_no_endpoint_that_others_are_served_by() -> None:
    made = target(pod("a"))
    next(iter(made.endpoints())).succeeded("two")
    assert not answer_429(made, "a", *["one"] * 50)
    assert answer_429(made, "a", "two"), "an engine that says so to everybody is left alone"


def test_answers_of_429_to_the_only_project_eject_every_endpoint_that_gives_them() -> None:
    made = target(pod("a"), pod("b"))
    assert answer_429(made, "a", *["one"] * 5)
    assert answer_429(made, "b", *["one"] * 5)


def test_answers_of_429_that_are_not_in_a_row_eject_nothing() -> None:
    made = target(pod("a"))
    for _ in range(5):
        assert not answer_429(made, "a", "one", "two", "one", "two")
        next(iter(made.endpoints())).succeeded("two")


def test_a_pod_that_becomes_ready_again_begins_with_a_clean_sheet() -> None:
    made = target(pod("a"))
    endpoint = made.choose(0.0)
    assert endpoint is not None
    endpoint.broke(0.0)
    for ready in (False, True):
        made.update_endpoints(EndpointSetFacts(KEY, "OpenAI", "", "m", (pod("a", ready=ready),), (("r1", 100),)))
    assert chosen(made) == "a"


def test_retries_are_bounded_by_a_share_of_requests() -> None:
    made = target(pod("a"))
    assert sum(made.may_retry() for _ in range(1000)) == RETRY_BURST
    for _ in range(100):
        made.note_request()
    assert sum(made.may_retry() for _ in range(1000)) in {19, 20}


async def test_parked_requests_are_counted_and_woken_by_a_change() -> None:
    made = target(park_seconds=60)
    until_time = asyncio.get_running_loop().time() + 60
    waiting = [asyncio.create_task(made.park(until_time)) for _ in range(3)]
    await until(lambda: made.parked == 3)
    assert made.book.parked.is_set()
    assert [one.parked for one in made.book.revisions()] == [3]
    made.update_endpoints(EndpointSetFacts(KEY, "OpenAI", "", "m", (pod("a"),), (("r1", 100),)))
    assert await asyncio.gather(*waiting) == [None] * 3
    assert [one.parked for one in made.book.revisions()] == [0]


async def test_the_queue_of_parked_requests_is_bounded_and_one_that_leaves_makes_room() -> None:
    made = target(park_limit=1)
    until_time = asyncio.get_running_loop().time() + 60
    first = asyncio.create_task(made.park(until_time))
    await until(lambda: made.parked == 1)
    refusal = await made.park(until_time)
    assert isinstance(refusal, Refusal)
    assert (refusal.code, refusal.status) == ("model_not_ready", 503)
    assert "coldStart.queueLimit 1" in refusal.message
    first.cancel()
    await until(lambda: made.parked == 0)


async def test_a_project_that_fills_the_queue_gives_way_to_another_until_both_have_as_many() -> None:
    made = target(park_limit=4)
    end = asyncio.get_running_loop().time() + 60
    large = [asyncio.create_task(made.park(end, "large")) for _ in range(4)]
    await until(lambda: made.parked == 4)
    small = [asyncio.create_task(made.park(end, "small")) for _ in range(2)]
    refused = await asyncio.gather(*large[2:])
    assert [one.code for one in refused if one is not None] == ["model_not_ready"] * 2
    third = await made.park(end, "small")
    assert third is not None
    assert made.parked == 4
    made.wake()
    assert await asyncio.gather(*large[:2], *small) == [None] * 4


async def test_a_parked_request_is_refused_when_its_time_is_over() -> None:
    made = target(park_seconds=0.01, start_seconds=42.0)
    end = asyncio.get_running_loop().time() + 0.01
    assert await made.park(end) is None
    refusal = await made.park(end)
    assert refusal is not None
    assert ("retry-after", "42") in refusal.headers


def test_a_hedge_goes_to_another_endpoint_of_the_revision_that_has_no_more_to_do_than_the_average() -> None:
    made = target(pod("a"), pod("b"), pod("c", "r2"), traffic=(("r1", 50), ("r2", 50)))
    a, b, c = made.endpoints()
    a.in_flight = b.in_flight = 3
    assert made.beside(a, 0.0) is b
    b.in_flight = 4
    assert made.beside(a, 0.0) is None, "it has more than its share already"
    assert made.beside(c, 0.0) is None, "the only one of its revision"
    b.in_flight = 0
    b.broke(0.0)
    assert made.beside(a, 0.0) is None, "ejected"


def test_hedges_take_from_the_budget_of_retries_and_leave_half_of_it() -> None:
    made = target(pod("a"), pod("b"))
    hedges = 0
    while made.may_hedge():
        hedges += 1
    retries = 0
    while made.may_retry():
        retries += 1
    assert (hedges, retries) == (RETRY_BURST / 2, RETRY_BURST / 2)
    for _ in range(int(RETRY_BURST / 2 / RETRY_SHARE) - 1):
        made.note_request()
    assert made.may_hedge() is False, "requests fill it up, and those that are tried again come first"
