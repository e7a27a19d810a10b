"""What becomes of limits and budgets of a Project, with the operator and the control plane at work on an API server?"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from support.cluster.cluster import Cluster, start
from support.cluster.objects import Object
from support.controlplane import ControlPlane
from support.gateway_of_cluster import NAMESPACE, make_account
from support.kind_objects import accelerator_class, project
from support.model_objects import says
from support.postgres import running_postgres
from support.running_operator import operator

EXAMPLE = Path(__file__).parents[3] / "examples/cluster/project.yaml"
SECONDS = 60.0
FAIR = {"name": "fair-use", "metric": "Requests", "amount": 600}
AUDIENCE = "mizzen-controlplane"
ACCOUNT = f"system:serviceaccount:{NAMESPACE}"


@dataclass(frozen=True)
class Installation:
    """Both programs on one API server."""

    cluster: Cluster
    plane: ControlPlane

    def wait(self, name: str, condition: str, status: str, reason: str) -> Object:
        return self.cluster.objects.wait("Project", name, says(condition, status, reason), SECONDS)

    def asked(self, path: str) -> dict[str, Any]:
        with self.plane.client() as client:
            answer: dict[str, Any] = client.get(path).raise_for_status().json()
        return answer

    def snapshot(self) -> dict[str, Any]:
        """What a gateway is told."""
        token = self.cluster.service_account_token(NAMESPACE, "gateway", audience=AUDIENCE)
        headers = {"Authorization": f"Bearer {token}"}
        found = httpx.get(f"{self.plane.url}/internal/v1/access/snapshot", headers=headers, trust_env=False, timeout=30)
        answer: dict[str, Any] = found.raise_for_status().json()
        return answer


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """A control plane on PostgreSQL and an operator, each with the rights and the token of its service account."""
    folder = tmp_path_factory.mktemp("plane")
    with start() as cluster, running_postgres() as postgres:
        kubeconfig = cluster.service_account_kubeconfig(NAMESPACE, make_account(cluster, "controlplane"))
        account = make_account(cluster, "operator")
        environment = {
            "KUBECONFIG": str(kubeconfig),
            "MIZZEN_STORE": "kubernetes",
            "MIZZEN_OPERATOR_SUBJECT": f"{ACCOUNT}:{account}",
            "MIZZEN_GATEWAY_SUBJECT": f"{ACCOUNT}:{make_account(cluster, 'gateway')}",
        }
        token = folder / "operator-token"
        token.write_text(cluster.service_account_token(NAMESPACE, account, audience=AUDIENCE))
        with (
            ControlPlane(folder, postgres.new_database(), environment=environment) as plane,
            operator(cluster, controlplane_url=plane.url, token_file=token),
        ):
            yield Installation(cluster, plane)


def condition_of(found: Object, name: str) -> Object:
    return next(one for one in found["status"]["conditions"] if one["type"] == name)


def test_the_project_of_the_example_becomes_ready_and_its_limits_reach_the_gateways(
    installation: Installation,
) -> None:
    for klass in ("h100", "l4"):
        installation.cluster.objects.create(accelerator_class(klass))
    installation.cluster.objects.apply(yaml.safe_load(EXAMPLE.read_text()))
    found = installation.wait("support", "Ready", "True", "ProjectInPlace")
    assert condition_of(found, "LimitsReady")["reason"] == "LimitsInForce"
    limits = installation.asked("/api/v1/projects/support/limits")["items"]
    assert {one["name"]: one["amount"] for one in limits} == {"fair-use": 600, "daily-tokens": 50_000_000}
    carried = installation.snapshot()
    assert {one["id"] for one in limits} <= {one["id"] for one in carried["limits"]}
    budgets = installation.asked("/api/v1/projects/support/budgets")["items"]
    assert [(one["name"], one["amount"]) for one in budgets] == [("monthly", "2500.00")]


def test_a_refused_entry_is_told_by_its_name_and_is_taken_once_it_can_be(installation: Installation) -> None:
    objects = installation.cluster.objects
    objects.create(project("refused", limits=[FAIR]))
    installation.wait("refused", "LimitsReady", "True", "LimitsInForce")
    robots = {**FAIR, "name": "robots", "key": "robot"}
    objects.merge("Project", "refused", {"spec": {"limits": [{**FAIR, "amount": 1}, robots]}})
    found = installation.wait("refused", "LimitsReady", "False", "LimitRefused")
    assert "spec.limits, entry robots: The project has no key 'robot'" in condition_of(found, "LimitsReady")["message"]
    assert condition_of(found, "Stalled")["reason"] == "LimitRefused"
    kept = installation.asked("/api/v1/projects/refused/limits")["items"]
    assert {one["name"]: one["amount"] for one in kept} == {"fair-use": 600}
    with installation.plane.client() as admin:
        admin.post("/api/v1/projects/refused/keys", json={"name": "robot"}).raise_for_status()
    installation.wait("refused", "Ready", "True", "ProjectInPlace")


def test_limits_that_leave_a_spec_are_told_to_be_gone_only_when_they_are(installation: Installation) -> None:
    objects = installation.cluster.objects
    objects.create(project("emptied", limits=[FAIR]))
    installation.wait("emptied", "LimitsReady", "True", "LimitsInForce")
    objects.merge("Project", "emptied", {"spec": {"limits": None}})
    installation.wait("emptied", "LimitsReady", "True", "NoLimits")
    assert installation.asked("/api/v1/projects/emptied/limits")["items"] == []


def test_limits_in_the_object_of_a_project_that_the_api_made_are_said_not_to_count(installation: Installation) -> None:
    with installation.plane.client() as admin:
        admin.post("/api/v1/projects", json={"name": "of-the-api"}).raise_for_status()
    objects = installation.cluster.objects
    objects.wait("Project", "of-the-api", lambda _: True)
    objects.merge("Project", "of-the-api", {"spec": {"limits": [FAIR]}})
    installation.wait("of-the-api", "LimitsReady", "False", "ManagedThroughApi")
    assert installation.asked("/api/v1/projects/of-the-api/limits")["items"] == []


def test_while_the_control_plane_is_away_what_it_said_stands_and_what_is_new_is_unknown(
    installation: Installation,
) -> None:
    objects = installation.cluster.objects
    objects.create(project("alone", limits=[FAIR]))
    installation.wait("alone", "LimitsReady", "True", "LimitsInForce")
    installation.plane.kill()
    try:
        objects.create(project("new", limits=[FAIR]))
        installation.wait("new", "LimitsReady", "Unknown", "ControlPlaneUnavailable")
        objects.merge("Namespace", "alone", {"metadata": {"labels": {"mizzen.dev/project": "x"}}})  # wakes a pass
        objects.wait("Namespace", "alone", lambda one: one["metadata"]["labels"]["mizzen.dev/project"] == "alone")
        found = objects.get("Project", "alone")
        assert found is not None
        assert condition_of(found, "LimitsReady")["reason"] == "LimitsInForce"
        objects.merge("Project", "alone", {"spec": {"limits": [{**FAIR, "amount": 5}]}})
        installation.wait("alone", "LimitsReady", "Unknown", "ControlPlaneUnavailable")
    finally:
        installation.plane.start()
    installation.wait("alone", "Ready", "True", "ProjectInPlace")
    installation.wait("new", "Ready", "True", "ProjectInPlace")
