"""The API server is away for a minute, and every watch falls silent: the operator catches up with both."""

from collections.abc import Iterator

import pytest
from support.cluster.cluster import Cluster, start
from support.cluster.credentials import ADMIN
from support.cluster.fault_proxy import FaultProxy
from support.cluster.faults import Fault, Rule, is_watch
from support.cluster.nodes import Behaviour, Nodes
from support.cluster.objects import Objects, wait_until
from support.cluster.shared import fresh_namespace
from support.model_objects import model
from support.running_operator import RunningOperator, operator
from support.troubles import before_absence, outlive_absence, rolled_out, unhurt, whole

AWAY_SECONDS = 60.0
MOST = 180
"""Of one kind of request in that time: the lease is asked for most, each second, and a cut request is tried twice."""
SILENCE = 180.0
"""A reflector takes a watch for dead a minute after the last word."""


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with start(nodes=[Nodes(1, accelerators=0)], behaviours=[Behaviour(ready_after=0.2)]) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def proxy(cluster: Cluster) -> Iterator[FaultProxy]:
    with FaultProxy(cluster) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def running(cluster: Cluster, proxy: FaultProxy) -> Iterator[RunningOperator]:
    with operator(cluster, cluster.kubeconfig_of(ADMIN, server=proxy.server)) as running:
        yield running


@pytest.fixture
def objects(cluster: Cluster, running: RunningOperator) -> Objects:
    assert running.process.runs
    return fresh_namespace(cluster)


def test_a_server_that_is_away_for_a_minute_in_mid_rollout_is_caught_up_with(
    objects: Objects, proxy: FaultProxy, running: RunningOperator
) -> None:
    before_absence(objects)
    asked = outlive_absence(objects, proxy, running, AWAY_SECONDS)
    print(f"asked in {asked.seconds:.0f} s: {asked.counts}")
    assert asked.most()[1] <= MOST, asked.counts


def test_every_watch_falls_silent_at_once_and_nothing_is_missed_for_good(
    objects: Objects, proxy: FaultProxy, running: RunningOperator
) -> None:
    objects.create(model("watched", replicas=2))
    rolled_out(objects, "watched")
    open_watches = len({each.resource for each in proxy.requests if each.verb == "watch"})
    silence = Rule(Fault.SILENCE, is_watch(), times=open_watches)
    with unhurt(running), proxy.rule(silence):
        proxy.cut_connections()
        wait_until(lambda: silence.taken == open_watches, 60, lambda: f"{silence.taken} of {open_watches} are silent")
        objects.delete("Service", "watched")
        objects.create(model("unheard"))
        whole(objects, "unheard", SILENCE)
        objects.wait("Service", "watched", lambda one: True, SILENCE)
