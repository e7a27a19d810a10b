"""How often is written where nothing happens? Not at all: counted in the API server's own log."""

from collections import Counter
from collections.abc import Iterator

import pytest
from support.cluster.cluster import Cluster, start
from support.cluster.objects import wait_until
from support.kind_objects import accelerator_class, project, quota, route
from support.model_objects import looked_at
from support.running_operator import RunningOperator, operator

PROJECTS, CLASSES, ROUTES = 20, 5, 20
SECONDS = 120.0


@pytest.fixture(scope="module")
def quiet() -> Iterator[Cluster]:
    """A bare API server that logs each request."""
    with start(audit=True) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def working(quiet: Cluster) -> Iterator[RunningOperator]:
    """An operator that looks at everything each second."""
    with operator(quiet, resync_seconds=1) as running:
        yield running


def writes(cluster: Cluster) -> list[str]:
    """The operator's finished writes, the lease and Events aside."""
    return [
        f"{one['verb']} {one['objectRef']['resource']} {one['objectRef'].get('name', '')}"
        for one in cluster.audit_events()
        if one["verb"] in ("create", "update", "patch", "delete")
        and one["stage"] == "ResponseComplete"
        and one["objectRef"]["resource"] not in ("leases", "tokenreviews", "events")
        and one["userAgent"].startswith("mizzen")
    ]


def events_written(cluster: Cluster) -> int:
    return sum(
        one["verb"] == "create" and one["objectRef"]["resource"] == "events" and one["stage"] == "ResponseComplete"
        for one in cluster.audit_events()
        if one.get("objectRef")
    )


def wait_for_looks(running: RunningOperator, rounds: int) -> None:
    """Return once all of them were looked at so many times more."""
    name = "mizzen_operator_pass_seconds_count"
    enough = running.metric(name, outcome="ok") + rounds * (PROJECTS + CLASSES + ROUTES)
    wait_until(lambda: running.metric(name, outcome="ok") >= enough, SECONDS, running.tell)


def test_a_quiet_cluster_sees_no_write(quiet: Cluster, working: RunningOperator) -> None:
    for number in range(CLASSES):
        quiet.objects.create(accelerator_class(f"class-{number}", nodeLabels={"kind": str(number)}))
    for number in range(CLASSES):  # a project that is seen before its class is looked at twice
        quiet.objects.wait("AcceleratorClass", f"class-{number}", looked_at, SECONDS)
    members = [{"kind": "User", "name": "ada", "role": "Edit"}]
    for number in range(PROJECTS):
        bounds = quota(f"class-{number % CLASSES}", 4) | {"resources": {"pods": "50", "requests.cpu": "1500m"}}
        quiet.objects.create(project(f"quiet-{number}", quota=bounds, members=members))
    for number in range(PROJECTS):
        quiet.objects.wait("Project", f"quiet-{number}", looked_at, SECONDS)
    for number in range(ROUTES):
        quiet.objects.create(route("chat", f"quiet-{number}", "small", "large"))
    for number in range(ROUTES):
        quiet.objects.wait("ModelRoute", "chat", looked_at, SECONDS, f"quiet-{number}")
    wait_for_looks(working, 2)
    before, told = len(writes(quiet)), events_written(quiet)
    wait_for_looks(working, 4)
    assert writes(quiet)[before:] == []
    assert events_written(quiet) == told
    counted = Counter(one.rpartition(" ")[0] for one in writes(quiet))
    assert counted["create namespaces"] == PROJECTS
    assert counted["patch projects"] == PROJECTS, counted
    assert counted["patch modelroutes"] == ROUTES, counted
    assert counted["patch acceleratorclasses"] == CLASSES, counted
    assert counted["create rolebindings"] == PROJECTS
    print(dict(counted))


def test_a_restart_writes_nothing(quiet: Cluster, working: RunningOperator) -> None:
    before, told = len(writes(quiet)), events_written(quiet)
    working.process.restart()
    working.wait_ready()
    wait_for_looks(working, 3)
    assert writes(quiet)[before:] == []
    assert events_written(quiet) == told
