"""Watches that break or fall silent, writes that fail, a server that is away: the process goes on and ends well."""

from collections.abc import Iterator

import pytest
from support.cluster.cluster import Cluster, start
from support.cluster.credentials import ADMIN
from support.cluster.fault_proxy import FaultProxy
from support.cluster.faults import Asked, Fault, Rule, is_watch, is_write
from support.cluster.objects import Objects, wait_until
from support.cluster.shared import fresh_namespace
from support.model_objects import children, looked_at, model
from support.running_operator import RunningOperator, operator

WATCHED = is_watch("modeldeployments")


@pytest.fixture(scope="module")
def bare() -> Iterator[Cluster]:
    """An API server that nobody else writes to."""
    with start() as cluster:
        yield cluster


@pytest.fixture(scope="module")
def proxy(bare: Cluster) -> Iterator[FaultProxy]:
    """What stands between."""
    with FaultProxy(bare) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def behind(bare: Cluster, proxy: FaultProxy) -> Iterator[RunningOperator]:
    """An operator that compares every two seconds."""
    with operator(bare, bare.kubeconfig_of(ADMIN, server=proxy.server), compare_seconds=2) as running:
        yield running


@pytest.fixture
def objects(bare: Cluster, behind: RunningOperator) -> Iterator[Objects]:
    """A namespace of the test; afterwards the operator is still the same process, and well."""
    pid = behind.process.pid
    yield fresh_namespace(bare)
    behind.wait_ready()
    assert behind.process.pid == pid
    assert behind.metric("mizzen_operator_pass_seconds_count", outcome="failed") == 0


def becomes_whole(objects: Objects, name: str, seconds: float = 60.0) -> None:
    objects.wait("ModelDeployment", name, looked_at, seconds)
    assert len(children(objects, name)) == 6


def test_a_watch_that_falls_silent_is_found_out_and_begun_again(
    objects: Objects, proxy: FaultProxy, behind: RunningOperator
) -> None:
    with proxy.rule(Rule(Fault.SILENCE, WATCHED, times=1)) as rule:
        proxy.cut_connections()
        wait_until(lambda: rule.taken, 30, "no silent watch")
        objects.create(model("unheard"))
        becomes_whole(objects, "unheard")
    wait_until(
        lambda: behind.metric("mizzen_operator_watch_restarts_total", kind="modeldeployments", reason="silent") >= 1,
        30,
        behind.tell,
    )


def test_an_object_that_vanishes_while_the_watch_is_silent_is_forgotten(
    objects: Objects, proxy: FaultProxy, behind: RunningOperator
) -> None:
    objects.create(model("vanishing"))
    becomes_whole(objects, "vanishing")
    known = behind.metric("mizzen_operator_deployments")
    with proxy.rule(Rule(Fault.SILENCE, WATCHED, times=1)) as rule:
        proxy.cut_connections()
        wait_until(lambda: rule.taken, 30, "no silent watch")
        objects.delete("ModelDeployment", "vanishing")
        wait_until(lambda: behind.metric("mizzen_operator_deployments") < known, 30, behind.tell)


BROKEN = {
    "an error of the server in the stream": Rule(Fault.EVENT, WATCHED, times=2, status=500),
    "a version that is too old": Rule(Fault.EVENT, WATCHED, times=2, status=410),
    "truncated JSON": Rule(Fault.TRUNCATE, WATCHED, times=2),
    "a refused token": Rule(Fault.ANSWER, WATCHED, times=2, status=401),
    "too many requests": Rule(Fault.ANSWER, WATCHED, times=2, status=429, headers={"Retry-After": "1"}),
    "a proxy's own error": Rule(Fault.ANSWER, WATCHED, times=2, status=502),
}


@pytest.mark.parametrize("how", BROKEN)
def test_a_watch_that_breaks_is_begun_again(
    objects: Objects, proxy: FaultProxy, behind: RunningOperator, how: str
) -> None:
    assert behind.process.runs
    name = how.replace(" ", "-").lower().replace("'", "")
    with proxy.rule(BROKEN[how]) as rule:
        proxy.cut_connections()
        wait_until(lambda: rule.taken >= 1, 60, "the rule met no watch")
        objects.create(model(name))
        becomes_whole(objects, name)


def own_write(each: Asked) -> bool:
    return bool(is_write(each)) and each.user_agent.startswith("mizzen")


TROUBLE = {
    "conflicts on every second write": Rule(Fault.ANSWER, own_write, every=2, times=12, status=409),
    "throttled writes": Rule(Fault.ANSWER, own_write, every=2, times=4, status=429, headers={"Retry-After": "1"}),
    "writes whose answers are lost": Rule(Fault.TRUNCATE, own_write, every=2, times=6, bytes=10),
    "writes that end in an error": Rule(Fault.ANSWER, own_write, every=2, times=6, status=500),
}


@pytest.mark.parametrize("how", TROUBLE)
def test_writes_in_trouble_end_well(objects: Objects, proxy: FaultProxy, behind: RunningOperator, how: str) -> None:
    assert behind.process.runs
    name = how.replace(" ", "-")
    with proxy.rule(TROUBLE[how]) as rule:
        objects.create(model(name))
        becomes_whole(objects, name)
        assert rule.taken >= 1


def test_a_server_that_is_away_is_waited_for(objects: Objects, proxy: FaultProxy, behind: RunningOperator) -> None:
    objects.create(model("before"))
    becomes_whole(objects, "before")
    with proxy.away():
        objects.create(model("meanwhile"))
        wait_until(lambda: behind.metric("mizzen_operator_leading") == 0.0, 30, behind.tell)
    becomes_whole(objects, "meanwhile")
