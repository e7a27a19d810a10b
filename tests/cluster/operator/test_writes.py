"""How often is written? Counted in the API server's own log: children + 1 for a new object, nothing for a quiet one."""

from collections import Counter
from collections.abc import Iterator

import pytest
from support.cluster.cluster import Cluster, start
from support.cluster.objects import Object, wait_until
from support.model_objects import children, looked_at, model
from support.running_operator import RunningOperator, operator

APART = ("events", "leases", "tokenreviews")
CHANGING = ("create", "update", "patch", "delete")


@pytest.fixture(scope="module")
def audited() -> Iterator[Cluster]:
    """A bare API server that logs each request; nobody but the operator and the test writes."""
    with start(audit=True) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def working(audited: Cluster) -> Iterator[RunningOperator]:
    """An operator that looks at everything each second."""
    with operator(audited, resync_seconds=1) as running:
        yield running


def writes(cluster: Cluster) -> list[Object]:
    """The operator's finished writes, in order."""
    return [
        one
        for one in cluster.audit_events()
        if one["verb"] in CHANGING
        and one["stage"] == "ResponseComplete"
        and one["objectRef"]["resource"] not in APART
        and one["userAgent"].startswith("mizzen")
    ]


def about(write: Object) -> str:
    subresource = write["objectRef"].get("subresource", "")
    return f"{write['verb']} {write['objectRef']['resource']}{'/' if subresource else ''}{subresource}"


def passes(running: RunningOperator) -> float:
    return running.metric("mizzen_operator_pass_seconds_count", outcome="ok")


def wait_for_passes(running: RunningOperator, more: int) -> None:
    enough = passes(running) + more
    wait_until(lambda: passes(running) >= enough, 60, lambda: f"{passes(running)} passes of {enough}")


def test_a_create_costs_its_children_and_one_status_and_a_quiet_look_nothing(
    audited: Cluster, working: RunningOperator
) -> None:
    before = len(writes(audited))
    audited.objects.create(model("counted"))
    audited.objects.wait("ModelDeployment", "counted", looked_at)
    wait_for_passes(working, 5)
    done = writes(audited)[before:]
    assert len(done) == len(children(audited.objects, "counted")) + 1, Counter(map(about, done))
    assert about(done[0]) == "create controllerrevisions"
    assert about(done[-2]) == "create deployments"
    assert about(done[-1]) == "patch modeldeployments/status"


def test_a_restart_with_many_objects_writes_nothing(audited: Cluster, working: RunningOperator) -> None:
    names = [f"many-{number}" for number in range(20)]
    for name in names:
        audited.objects.create(model(name))
    for name in names:
        audited.objects.wait("ModelDeployment", name, looked_at)
    wait_for_passes(working, len(names))
    before = len(writes(audited))
    working.process.restart()
    working.wait_ready()
    wait_for_passes(working, 2 * len(names))
    assert [about(one) for one in writes(audited)[before:]] == []


def test_a_scaled_deployment_is_one_update_and_one_status(audited: Cluster, working: RunningOperator) -> None:
    audited.objects.create(model("scaled"))
    audited.objects.wait("ModelDeployment", "scaled", looked_at)
    wait_for_passes(working, 3)
    before = len(writes(audited))
    audited.objects.merge("ModelDeployment", "scaled", {"spec": {"replicas": 3}})
    audited.objects.wait("ModelDeployment", "scaled", looked_at)
    wait_for_passes(working, 3)
    assert [about(one) for one in writes(audited)[before:]] == ["patch deployments", "patch modeldeployments/status"]


def test_what_is_wanted_no_longer_is_taken_out_of_a_child(audited: Cluster, working: RunningOperator) -> None:
    objects = audited.objects
    objects.create(model("shrunk", replicas=2, rollout={"minAvailable": 1}))
    objects.wait("PodDisruptionBudget", "shrunk", lambda one: one["spec"].get("minAvailable") == 1)
    objects.merge("ModelDeployment", "shrunk", {"spec": {"rollout": {"minAvailable": None}}})
    found = objects.wait("PodDisruptionBudget", "shrunk", lambda one: one["spec"].get("maxUnavailable") == 1)
    assert "minAvailable" not in found["spec"]
    wait_for_passes(working, 3)


def test_a_broken_one_holds_up_nobody(audited: Cluster, working: RunningOperator) -> None:
    broken = model("broken", placement={"tolerations": [{"operator": "Perhaps"}]})
    audited.objects.create(broken)
    names = [f"beside-{number}" for number in range(30)]
    for name in names:
        audited.objects.create(model(name))
    for name in names:
        audited.objects.wait("ModelDeployment", name, looked_at, 30)
        assert any(one["kind"] == "Deployment" for one in children(audited.objects, name))
    assert audited.objects.wait("ModelDeployment", "broken", looked_at)


def test_metrics_tell_of_passes_writes_and_watches(working: RunningOperator) -> None:
    text = working.get("/metrics").text
    for name in ("pass_seconds_bucket", "queue_depth", "oldest_unhandled_seconds", "watch_restarts_total", "leading"):
        assert f"mizzen_operator_{name}" in text, name
    assert working.metric("mizzen_operator_writes_total", verb="create", kind="Deployment", outcome="ok") > 0
    assert working.get("/healthz").text == "ok"


def test_each_log_line_of_a_pass_names_its_object_and_generation(working: RunningOperator) -> None:
    lines = [one for one in working.logs() if one.get("event") == "child written"]
    assert lines
    assert all({"name", "namespace", "generation"} <= set(one) for one in lines)
