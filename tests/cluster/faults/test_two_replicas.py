"""Two replicas of the operator: the second follows the first, and a first that wakes up too late changes nothing."""

import time
from collections.abc import Iterator

import pytest
from support.cluster.cluster import Cluster
from support.cluster.credentials import ADMIN
from support.cluster.fault_proxy import FaultProxy
from support.cluster.faults import Asked
from support.cluster.objects import Objects, wait_until
from support.model_objects import model
from support.running_operator import RunningOperator, operator
from support.troubles import LONG, rolled_out, whole

TAKEOVER_SECONDS = 20.0


@pytest.fixture
def second_proxy(cluster: Cluster) -> Iterator[FaultProxy]:
    """Before the second: who asked what is told by the proxy that it came through."""
    with FaultProxy(cluster) as proxy:
        yield proxy


@pytest.fixture
def second(cluster: Cluster, running: RunningOperator, second_proxy: FaultProxy) -> Iterator[RunningOperator]:
    """It waits for the lease."""
    assert running.leads()
    with operator(cluster, cluster.kubeconfig_of(ADMIN, server=second_proxy.server), wait=False) as second:
        second.wait_ready(leading=False)
        yield second


def test_a_killed_leader_is_followed_within_20_seconds(
    objects: Objects, running: RunningOperator, second: RunningOperator, second_proxy: FaultProxy
) -> None:
    objects.create(model("first"))
    rolled_out(objects, "first")
    assert not second_proxy.writes
    running.process.kill()
    killed = time.monotonic()
    objects.create(model("waits"))
    whole(objects, "waits")
    assert second_proxy.writes[0].at - killed <= TAKEOVER_SECONDS
    assert second.leads()


def test_a_leader_stopped_in_mid_pass_past_its_lease_changes_nothing_when_it_wakes(
    objects: Objects, proxy: FaultProxy, running: RunningOperator, second: RunningOperator, second_proxy: FaultProxy
) -> None:
    stopped: list[Asked] = []

    def stop(each: Asked) -> None:
        """After its second write, of which it hears when it wakes; then it wants to go on with the third."""
        if not stopped and each.resource == "networkpolicies" and each.namespace == objects.namespace:
            running.process.pause()
            stopped.append(each)

    proxy.after_write(stop)
    objects.create(model("halved"))
    wait_until(lambda: stopped, LONG, running.tell)
    written = len(proxy.writes)
    wait_until(second.leads, LONG, second.tell)
    rolled_out(objects, "halved")
    assert second_proxy.writes
    running.process.resume()
    wait_until(lambda: fenced(running) or proxy.writes[written:], LONG, running.tell)
    objects.create(model("later"))
    rolled_out(objects, "later")
    assert [str(one) for one in proxy.writes[written:]] == []
    assert fenced(running), "it never tried; the test proves nothing"
    assert not running.leads()


def fenced(running: RunningOperator) -> float:
    """Writes that it wanted to make and did not."""
    return running.metric("mizzen_operator_writes_total", outcome="fenced")
