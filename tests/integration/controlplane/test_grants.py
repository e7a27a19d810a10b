"""Are grants kept, refused and shown to gateways as they should be?"""

from typing import Any

import httpx
import pytest
from support.controlplane import ControlPlane


def _snapshot(controlplane: ControlPlane) -> dict[str, Any]:
    with controlplane.client("gateway") as gateway:
        found: dict[str, Any] = gateway.get("/internal/v1/access/snapshot").json()
    return found


def test_a_grant_reaches_the_snapshot_and_leaves_it_when_it_is_deleted(
    admin: httpx.Client, project: str, controlplane: ControlPlane
) -> None:
    owner = controlplane.new_project()
    path, model = f"/api/v1/projects/{project}/grants", f"{owner}/sentiment"
    before = _snapshot(controlplane)
    made = admin.post(path, json={"model": model})
    assert made.status_code == 201
    assert (made.json()["model"], made.json()["project"]) == (model, project)
    granted = _snapshot(controlplane)
    project_id = next(one["id"] for one in granted["projects"] if one["name"] == project)
    assert {"project_id": project_id, "model": model} in granted["grants"]
    assert [one["model"] for one in admin.get(path).json()["items"]] == [model]
    assert admin.get(f"{path}/{model}").json() == made.json()
    assert admin.delete(f"{path}/{made.json()['id']}").status_code == 204
    after = _snapshot(controlplane)
    assert {"project_id": project_id, "model": model} not in after["grants"]
    assert before["version"] < granted["version"] < after["version"]
    assert admin.get(f"{path}/{model}").json()["code"] == "grant_not_found"


def test_a_grant_is_audited_and_made_once(admin: httpx.Client, project: str, controlplane: ControlPlane) -> None:
    model = f"{controlplane.new_project()}/sentiment"
    path = f"/api/v1/projects/{project}/grants"
    made = admin.post(path, json={"model": model}).json()
    again = admin.post(path, json={"model": model})
    assert (again.status_code, again.json()["code"]) == (409, "name_taken")
    admin.delete(f"{path}/{model}")
    events = admin.get("/api/v1/audit-events", params={"filter": f'resource="{made["id"]}"'}).json()["items"]
    assert {event["action"] for event in events} >= {"grants.create", "grants.delete"}


@pytest.mark.parametrize("model", ["sentiment", "/sentiment", "nobody-at-all/sentiment", "a b/c", "own"])
def test_a_grant_that_could_never_match_is_refused_by_its_field(admin: httpx.Client, project: str, model: str) -> None:
    asked = f"{project}/sentiment" if model == "own" else model
    answer = admin.post(f"/api/v1/projects/{project}/grants", json={"model": asked})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/model"


def test_only_an_administrator_grants(project: str, controlplane: ControlPlane) -> None:
    for program in ("gateway", "runner"):
        with controlplane.client(program) as client:
            answer = client.post(f"/api/v1/projects/{project}/grants", json={"model": "other/sentiment"})
            assert answer.status_code == 403, program
