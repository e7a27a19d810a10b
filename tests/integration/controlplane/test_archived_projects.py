"""Does an archived project open nothing, lose nothing, and come back as it was?"""

from typing import Any

import httpx
from support.controlplane import ControlPlane

DEPLOYMENT = {
    "apiVersion": "mizzen.dev/v1alpha1",
    "kind": "ModelDeployment",
    "metadata": {"name": "m"},
    "spec": {"engine": {"type": "Triton"}, "model": {"versionRef": {"model": "sentiment", "version": 1}}},
}


def keys_told(controlplane: ControlPlane) -> set[str]:
    """Ids of the keys that gateways let in."""
    with controlplane.client("gateway") as gateway:
        told: dict[str, Any] = gateway.get("/internal/v1/access/snapshot").json()
    return {key["id"] for key in told["keys"]}


def test_keys_of_an_archived_project_are_refused_until_it_is_restored(
    admin: httpx.Client, project: str, controlplane: ControlPlane
) -> None:
    path = f"/api/v1/projects/{project}"
    key = admin.post(path + "/keys", json={"name": "app"}).json()["id"]
    assert key in keys_told(controlplane)
    assert [admin.delete(path).status_code for _ in range(2)] == [204, 204]
    assert key not in keys_told(controlplane)
    assert admin.get(path).json()["archived_at"] is not None
    restored = admin.post(path + ":restore")
    assert (restored.status_code, restored.json()["archived_at"]) == (200, None)
    assert key in keys_told(controlplane)
    events = admin.get("/api/v1/audit-events", params={"filter": f'resource="{restored.json()["id"]}"'}).json()["items"]
    actions = [event["action"] for event in events]
    assert (actions.count("projects.archive"), actions.count("projects.restore")) == (1, 1)


def test_an_archived_project_is_read_and_billed_but_not_changed(admin: httpx.Client, project: str) -> None:
    path = f"/api/v1/projects/{project}"
    invoices = admin.get(path + "/invoices").json()
    admin.delete(path)
    for method, url, body in (
        ("PATCH", path, {"labels": {"a": "1"}}),
        ("POST", path + "/keys", {"name": "app"}),
        ("POST", path + "/models", {"name": "m"}),
        ("PUT", path + "/deployments/m", DEPLOYMENT),
    ):
        refused = admin.request(method, url, json=body)
        assert (refused.status_code, refused.json()["code"]) == (409, "project_archived"), url
    assert admin.get(path + "/invoices").json().keys() == invoices.keys()
    assert admin.patch(path + "/billing-profile", json={}).status_code == 200
    named = {"filter": f"name={project}"}
    assert admin.get("/api/v1/projects", params=named).json()["items"] == []
    (found,) = admin.get("/api/v1/projects", params={**named, "archived": "true"}).json()["items"]
    assert found["name"] == project
    taken = admin.post("/api/v1/projects", json={"name": project})
    assert (taken.status_code, taken.json()["code"]) == (409, "name_taken")


def test_a_project_with_deployments_is_not_archived_and_told_which(admin: httpx.Client, project: str) -> None:
    path = f"/api/v1/projects/{project}"
    assert admin.put(path + "/deployments/m", json=DEPLOYMENT).status_code == 201
    refused = admin.delete(path)
    assert (refused.status_code, refused.json()["code"]) == (409, "project_in_use")
    assert "deployments: m." in refused.json()["detail"]
    assert admin.delete(path + "/deployments/m").status_code == 204
    assert admin.delete(path, headers={"If-Match": '"other"'}).status_code == 412
    assert admin.delete(path).status_code == 204
