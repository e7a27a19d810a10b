"""The API server is away, busy, ill or forgetful: the operator neither ends nor asks without pause, and catches up."""

import pytest
from support.cluster.cluster import Cluster
from support.cluster.fault_proxy import FaultProxy
from support.cluster.faults import Fault, Rule
from support.cluster.objects import Objects, wait_until
from support.model_objects import model
from support.running_operator import RunningOperator
from support.troubles import (
    BEHAVES,
    KIND,
    LONG,
    before_absence,
    counted,
    knows_what_is_there,
    marked,
    outlive_absence,
    pass_time,
    pod_versions,
    rolled_out,
    unhurt,
    whole,
)

SECONDS = 12.0
MOST = 40
"""Of one kind of request in that time; without pauses it would be thousands."""
EVERYTHING = {
    "throttled": Rule(Fault.ANSWER, status=429, headers={"Retry-After": "1"}),
    "in error": Rule(Fault.ANSWER, status=500),
    "overloaded": Rule(Fault.ANSWER, status=503),
    "refusing the token": Rule(Fault.ANSWER, status=401),
    "truncating its answers": Rule(Fault.TRUNCATE, bytes=30),
    "resetting connections": Rule(Fault.CUT),
}


@pytest.mark.parametrize("how", EVERYTHING)
def test_whatever_the_server_answers_the_operator_goes_on_and_asks_with_pauses(
    objects: Objects, proxy: FaultProxy, running: RunningOperator, how: str
) -> None:
    objects.create(model("before"))
    whole(objects, "before")
    with unhurt(running), counted(proxy) as asked, proxy.rule(EVERYTHING[how]):
        proxy.cut_connections()
        objects.create(model("meanwhile"))
        objects.merge(KIND, "before", {"spec": {"replicas": 3}})
        pass_time(SECONDS)
        assert running.process.runs
    assert asked.most()[1] <= MOST, asked.counts
    whole(objects, "meanwhile")
    rolled_out(objects, "before")


def test_a_server_that_is_away_in_mid_rollout_is_caught_up_with(
    objects: Objects, proxy: FaultProxy, running: RunningOperator
) -> None:
    before_absence(objects)
    asked = outlive_absence(objects, proxy, running, SECONDS)
    assert asked.most()[1] <= MOST, asked.counts


def test_what_was_compacted_meanwhile_is_listed_anew(
    cluster: Cluster, objects: Objects, proxy: FaultProxy, running: RunningOperator
) -> None:
    objects.create(model("kept"))
    objects.create(model("gone"))
    whole(objects, "kept")
    whole(objects, "gone")
    with unhurt(running):
        with proxy.away():
            objects.create(model("meanwhile"))
            objects.delete(KIND, "gone", propagationPolicy="Background")
            objects.delete("Service", "kept")
            objects.wait_gone(KIND, "gone")
            cluster.compact()
            cluster.api_server.restart()
            cluster.wait_ready()
        whole(objects, "meanwhile")
        whole(objects, "kept")
        objects.wait("Service", "kept", lambda one: True)
        wait_until(lambda: knows_what_is_there(objects, running), LONG, running.tell)
    assert running.metric("mizzen_operator_watch_restarts_total", reason="gone") >= 1, "no watch met a 410"


def test_conflicts_on_every_second_write_slow_a_rollout_and_change_nothing_else(
    objects: Objects, proxy: FaultProxy, running: RunningOperator
) -> None:
    rule = Rule(Fault.ANSWER, lambda each: each.number > 0 and each.namespace == objects.namespace, status=409, every=2)
    with unhurt(running), proxy.rule(rule):
        objects.create(model("rolling", replicas=3, podOverrides=marked("1")))
        rolled_out(objects, "rolling")
        objects.merge(KIND, "rolling", {"spec": {"podOverrides": marked("2")}})
        rolled_out(objects, "rolling")
        assert pod_versions(objects, "rolling") == {"2"}
        assert rule.taken >= 5
    assert objects.list("ReplicaSet", labels=f"{BEHAVES}=usual")
    assert len(objects.list("ReplicaSet")) == 2
