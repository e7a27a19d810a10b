"""Are the projects of the database and the Project objects of the cluster the same ones?"""

import secrets
from typing import Any

import httpx
import pytest
from support.cluster.cluster import Cluster
from support.cluster.objects import Objects, wait_until
from support.controlplane import ControlPlane
from support.kind_objects import declare
from support.model_objects import model


@pytest.fixture
def everything(bare_cluster: Cluster) -> Objects:
    """Objects as the cluster's administrator sees them."""
    return bare_cluster.objects


@pytest.fixture
def name() -> str:
    """Of a project that is not there yet."""
    return f"team-{secrets.token_hex(4)}"


def project_of(admin: httpx.Client, name: str) -> dict[str, Any]:
    found: dict[str, Any] = admin.get(f"/api/v1/projects/{name}").json()
    return found


def test_a_project_object_becomes_a_project_with_the_namespace_that_it_has(
    admin: httpx.Client, everything: Objects, name: str
) -> None:
    declare(everything, name, (f"{name}-x", "Claimed"), (f"{name}-y", "Bound"))
    wait_until(
        lambda: project_of(admin, name).get("namespace") == f"{name}-y", 20, lambda: str(project_of(admin, name))
    )
    assert admin.post(f"/api/v1/projects/{name}/keys", json={"name": "k"}).status_code == 201
    assert admin.put(f"/api/v1/projects/{name}/deployments/m", json=model("m")).status_code == 201
    assert everything.get("ModelDeployment", "m", f"{name}-y") is not None


def test_what_a_project_object_says_is_followed(admin: httpx.Client, everything: Objects, name: str) -> None:
    declare(everything, name, (name, "Bound"))
    wait_until(lambda: project_of(admin, name).get("allow_code") is False, 20, "no project")
    declare(everything, name, (f"{name}-2", "Bound"), modelCode="Allowed")
    wanted = (f"{name}-2", True)
    wait_until(
        lambda: (project_of(admin, name)["namespace"], project_of(admin, name)["allow_code"]) == wanted,
        20,
        lambda: str(project_of(admin, name)),
    )
    trail = admin.get("/api/v1/audit-events", params={"filter": f'resource="{project_of(admin, name)["id"]}"'}).json()
    assert {event["actor"] for event in trail["items"]} == {"cluster"}


def test_the_api_leaves_alone_the_project_that_people_declare(
    admin: httpx.Client, everything: Objects, name: str
) -> None:
    declare(everything, name, (name, "Bound"))
    path = f"/api/v1/projects/{name}"

    def refused() -> bool:
        wait_until(lambda: project_of(admin, name).get("allow_code") is False, 20, "no project")
        answer = admin.patch(path, json={"allow_code": True})
        told = answer.status_code == 409 and answer.json()["code"] == "managed_by_project_object"
        return told and "spec.modelCode" in answer.json()["detail"]

    wait_until(refused, 20, lambda: admin.get(path).text)
    assert admin.patch(path, json={"labels": {"team": "a"}}).status_code == 200, "no object says them"
    everything.delete("Project", name)
    wait_until(
        lambda: admin.patch(path, json={"allow_code": True}).status_code == 200, 20, lambda: admin.get(path).text
    )


def test_a_project_without_a_namespace_of_its_own_waits_for_the_operator(
    admin: httpx.Client, everything: Objects, name: str
) -> None:
    declare(everything, name, (name, "Pending"))
    declare(everything, f"{name}-later", (f"{name}-later", "Bound"))
    wait_until(lambda: "id" in project_of(admin, f"{name}-later"), 20, "no project")
    assert admin.get(f"/api/v1/projects/{name}").status_code == 404


def test_a_project_that_is_made_here_gets_an_object_which_follows_it(
    admin: httpx.Client, everything: Objects, name: str
) -> None:
    admin.post("/api/v1/projects", json={"name": name})
    made = everything.wait("Project", name, lambda _: True)
    assert made["spec"]["namespaces"] == [name]
    changed = admin.patch(f"/api/v1/projects/{name}", json={"allow_code": True})
    assert changed.status_code == 200, changed.text
    everything.wait("Project", name, lambda one: one["spec"]["modelCode"] == "Allowed")


def test_a_namespace_that_is_there_gets_no_project_object(
    admin: httpx.Client, everything: Objects, controlplane: ControlPlane, name: str
) -> None:
    controlplane.new_project()
    admin.post("/api/v1/projects", json={"name": name})
    everything.wait("Project", name, lambda _: True)  # so every project was looked at
    assert everything.get("Project", "default") is None
