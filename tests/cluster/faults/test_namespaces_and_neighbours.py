"""Namespaces that end in mid-rollout, and two hundred deployments of which one gets no answer."""

from collections.abc import Iterator

import pytest
from support.cluster.cluster import Cluster, start
from support.cluster.credentials import ADMIN
from support.cluster.fault_proxy import FaultProxy
from support.cluster.faults import Fault, Rule
from support.cluster.objects import Objects, wait_until
from support.cluster.shared import fresh_namespace
from support.model_objects import looked_at, model, pods
from support.running_operator import RunningOperator, operator
from support.troubles import KIND, LONG, counted, marked, rolled_out, unhurt

MANY = 200


def in_mid_rollout(objects: Objects) -> None:
    """Two of three pods serve, and the new one never becomes ready."""
    objects.create(model("rolling", replicas=3, podOverrides=marked("1")))
    rolled_out(objects, "rolling")
    objects.merge(KIND, "rolling", {"spec": {"podOverrides": marked("2", "never")}})
    wait_until(lambda: len(pods(objects, "rolling")) > 3, LONG, "no new pod")


def test_a_namespace_ends_in_mid_rollout_while_the_operator_runs(
    cluster: Cluster, objects: Objects, proxy: FaultProxy, running: RunningOperator
) -> None:
    in_mid_rollout(objects)
    with unhurt(running), counted(proxy) as asked:
        objects.delete("Namespace", objects.namespace)
        objects.wait_gone("Namespace", objects.namespace, LONG)
        wait_until(lambda: running.metric("mizzen_operator_deployments") == 0, LONG, running.tell)
        running.wait_idle()
    assert asked.most()[1] <= 60, asked.counts
    # A pass that was under way when it went may meet it gone; none may begin afterwards.
    assert created(proxy, objects).count(404) <= 1, "made in a namespace that had gone"


def created(proxy: FaultProxy, objects: Objects) -> list[int]:
    return [one.status for one in proxy.writes if one.verb == "create" and one.namespace == objects.namespace]


def test_a_namespace_ends_in_mid_rollout_while_no_operator_runs(objects: Objects, running: RunningOperator) -> None:
    in_mid_rollout(objects)
    running.process.kill()
    objects.delete("Namespace", objects.namespace)
    objects.wait_gone("Namespace", objects.namespace, LONG)


@pytest.fixture(scope="module")
def bare() -> Iterator[Cluster]:
    """An API server alone: two hundred deployments need no pods."""
    with start() as cluster:
        yield cluster


def test_two_hundred_do_not_wait_for_one_that_gets_no_answer(bare: Cluster) -> None:
    stuck, others = fresh_namespace(bare), fresh_namespace(bare)
    unanswered = Rule(Fault.DROP, lambda each: each.number > 0 and each.namespace == stuck.namespace)
    with FaultProxy(bare) as proxy, proxy.rule(unanswered):
        kubeconfig = bare.kubeconfig_of(ADMIN, server=proxy.server)
        with operator(bare, kubeconfig) as running, unhurt(running):
            stuck.create(model("stuck"))
            wait_until(lambda: unanswered.taken, LONG, "it was not begun")
            for number in range(MANY):
                others.create(model(f"many-{number}"))
            wait_until(lambda: all(map(looked_at, others.list(KIND))), LONG, running.tell)
            assert len(others.list("Deployment")) == MANY
            assert not looked_at(stuck.get(KIND, "stuck") or {})
            assert unanswered.taken <= 3, "the others took longer than one unanswered write and its next tries"
