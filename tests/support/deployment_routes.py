"""Can people apply, change and roll back deployments over the REST API, and is what is wrong refused with a remedy?

One suite for every store: a test file imports all of it, and its conftest.py has the fixtures `admin`, `project` and
`write_status`.
"""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

WriteStatus = Callable[[str, dict[str, Any]], None]
"""Makes a status the whole status of the project's deployment of a name, as who runs it does."""


@pytest.fixture
def path(project: str) -> str:
    """Deployments of the test's project."""
    return f"/api/v1/projects/{project}/deployments"


def _manifest(name: str = "m", version: int = 1, **spec: Any) -> dict[str, Any]:
    model = {"versionRef": {"model": "sentiment", "version": version}}
    return {
        "apiVersion": "mizzen.dev/v1alpha1",
        "kind": "ModelDeployment",
        "metadata": {"name": name},
        "spec": {"engine": {"type": "Triton"}, "model": model} | spec,
    }


def test_applying_twice_changes_nothing(admin: httpx.Client, path: str, project: str) -> None:
    made = admin.put(path + "/m", json=_manifest())
    second = admin.put(path + "/m", json=_manifest())  # an API server stores a status' defaults at the second write
    again = admin.put(path + "/m", json=_manifest())
    assert (made.status_code, second.status_code, again.status_code) == (201, 200, 200)
    assert made.json()["etag"] == second.json()["etag"]
    assert second.json() == again.json()
    assert made.json()["id"].startswith("dep_")
    assert made.json()["project"] == project
    assert made.headers["etag"] == made.json()["etag"]


def test_a_dry_run_answers_what_would_be_and_leaves_no_trace(admin: httpx.Client, path: str, project: str) -> None:
    dry = {"dry_run": "true"}
    assert admin.put(path + "/m", json=_manifest(), params=dry).status_code == 201
    assert admin.get(path + "/m").status_code == 404
    admin.put(path + "/m", json=_manifest())
    before = admin.get(path + "/m").json()
    tried = admin.put(path + "/m", json=_manifest(version=2, replicas=3), params=dry)
    assert tried.json()["manifest"]["spec"]["model"]["versionRef"]["version"] == 2
    assert admin.patch(path + "/m", json={"spec": {"replicas": 5}}, params=dry).json()["etag"] != before["etag"]
    assert admin.post(path + "/m:scale", json={"replicas": 4}, params=dry).json()["manifest"]["spec"]["replicas"] == 4
    assert admin.post(path, json=_manifest("new"), params=dry).json()["name"] == "new"
    assert admin.delete(path + "/m", params=dry).status_code == 204
    assert admin.get(path + "/m").json()["etag"] == before["etag"]
    events = admin.get(f"/api/v1/projects/{project}/audit-events", params={"page_size": 100}).json()["items"]
    assert [event["action"] for event in events if event["resource_name"] in ("m", "new")] == ["deployments.create"]


def test_why_a_deployment_does_not_answer_is_told_with_the_remedy(
    admin: httpx.Client, path: str, write_status: WriteStatus
) -> None:
    admin.put(path + "/m", json=_manifest())
    since = {"lastTransitionTime": "2026-03-01T12:00:00Z", "observedGeneration": 1, "status": "False"}
    said = [
        {"type": kind, "reason": "Unschedulable", "message": "No room.", **since}
        for kind in ("Ready", "CapacityAvailable")
    ]
    write_status("m", {"observedGeneration": 1, "conditions": said})
    answer = admin.get(path + "/m/why").json()
    assert (answer["ready"], answer["answer"], answer["observed"]) == ("False", "No room.", True)
    assert [(one["condition"], bool(one["remedy"])) for one in answer["causes"]] == [("CapacityAvailable", True)]
    assert admin.get(path + "/none/why").status_code == 404


def test_a_dry_run_is_refused_as_the_write_would_be(admin: httpx.Client, path: str) -> None:
    dry = {"dry_run": "true"}
    admin.put(path + "/m", json=_manifest())
    assert admin.put(path + "/m", json=_manifest(engin={}), params=dry).status_code == 422
    assert admin.post(path, json=_manifest(), params=dry).json()["code"] == "name_taken"
    late = admin.patch(path + "/m", json={"spec": {}}, params=dry, headers={"If-Match": '"older"'})
    assert late.status_code == 412
    assert admin.delete(path + "/none", params=dry).status_code == 404


def test_a_dry_run_with_an_idempotency_key_is_answered_again(admin: httpx.Client, path: str) -> None:
    again = {"headers": {"Idempotency-Key": "dry"}, "params": {"dry_run": "true"}, "json": _manifest("twice")}
    first = admin.post(path, **again)
    assert (first.status_code, admin.post(path, **again).json()) == (201, first.json())
    assert admin.get(path + "/twice").status_code == 404


def test_a_manifest_as_it_was_got_can_be_applied_again(admin: httpx.Client, path: str) -> None:
    admin.put(path + "/m", json=_manifest())
    manifest = admin.get(path + "/m").json()["manifest"]
    admin.post(path + "/m:scale", json={"replicas": 2})
    manifest["spec"]["replicas"] = 3
    applied = admin.put(path + "/m", json=manifest)
    assert applied.json()["manifest"]["spec"]["replicas"] == 3


def test_a_change_made_for_an_older_state_is_refused_but_a_status_makes_none_older(
    admin: httpx.Client, path: str, write_status: WriteStatus
) -> None:
    made = admin.put(path + "/m", json=_manifest()).json()
    write_status("m", {"observedGeneration": 1})
    patch = {"spec": {"replicas": 2}}
    assert admin.patch(path + "/m", json=patch, headers={"If-Match": made["etag"]}).status_code == 200
    late = admin.patch(path + "/m", json={"spec": {"replicas": 3}}, headers={"If-Match": made["etag"]})
    assert late.status_code == 412
    assert admin.delete(path + "/m", headers={"If-Match": made["etag"]}).status_code == 412


def test_a_namespace_of_another_project_is_refused(admin: httpx.Client, path: str) -> None:
    manifest = _manifest()
    manifest["metadata"]["namespace"] = "default"
    refused = admin.put(path + "/m", json=manifest)
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["pointer"] == "/metadata/namespace"


@pytest.mark.parametrize(
    ("change", "pointer", "said"),
    [
        ({"engin": {}}, "/spec/engin", "engine"),
        ({"replicas": "two"}, "/spec/replicas", "number"),
        ({"model": {"uri": "hf://a/b", "versionRef": {"model": "m", "version": 1}}}, "/spec/model", "one"),
    ],
)
def test_a_wrong_field_is_refused_with_pointer_and_remedy(
    admin: httpx.Client, path: str, change: dict[str, Any], pointer: str, said: str
) -> None:
    refused = admin.put(path + "/m", json=_manifest(**change))
    assert refused.status_code == 422
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.json()["errors"][0]["pointer"].startswith(pointer)
    assert said in refused.json()["errors"][0]["detail"]
    assert admin.get(path + "/m").status_code == 404


def test_what_cannot_be_changed_is_refused(admin: httpx.Client, path: str) -> None:
    admin.put(path + "/m", json=_manifest())
    refused = admin.patch(path + "/m", json={"spec": {"engine": {"type": "Simulated"}}})
    assert (refused.status_code, refused.json()["code"]) == (422, "immutable_field")
    assert admin.patch(path + "/m", json={"status": {"replicas": 9}}).status_code == 422


def test_a_taken_name_is_refused_by_post(admin: httpx.Client, path: str) -> None:
    assert admin.post(path, json=_manifest()).status_code == 201
    assert admin.post(path, json=_manifest()).json()["code"] == "name_taken"
    assert admin.post(path, json={"spec": {}}).json()["code"] == "name_missing"


def test_rollback_pins_the_version_that_served_before(
    admin: httpx.Client, path: str, write_status: WriteStatus
) -> None:
    made = admin.put(path + "/m", json=_manifest(version=2)).json()
    status = {
        "resolvedModel": {"version": 2},
        "revisions": [
            {"name": "m-b", "hash": "b", "state": "Serving", "modelVersion": 2, "createdAt": "2026-03-02T00:00:00Z"},
            {"name": "m-a", "hash": "a", "state": "Retired", "modelVersion": 1, "createdAt": "2026-03-01T00:00:00Z"},
        ],
    }
    write_status("m", status)
    back = admin.post(path + "/m:rollback", json={})
    assert back.json()["manifest"]["spec"]["model"]["versionRef"] == {"model": "sentiment", "version": 1}
    events = admin.get("/api/v1/audit-events", params={"filter": f'resource="{made["id"]}"'}).json()["items"]
    assert {event["action"] for event in events} == {"deployments.create", "deployments.rollback"}
    assert {event["actor"] for event in events} == {"admin"}


def test_verbs_write_what_they_say(admin: httpx.Client, path: str) -> None:
    admin.put(path + "/m", json=_manifest())
    assert admin.post(path + "/m:scale", json={"replicas": 4}).json()["manifest"]["spec"]["replicas"] == 4
    assert admin.post(path + "/m:pause").json()["manifest"]["spec"]["rollout"]["mode"] == "Paused"
    assert admin.post(path + "/m:resume").json()["manifest"]["spec"]["rollout"]["mode"] == "Active"
    restarted = admin.post(path + "/m:restart").json()["manifest"]["metadata"]
    assert "mizzen.dev/restarted-at" in restarted["annotations"]
    assert admin.post(path + "/m:promote").json()["code"] == "nothing_to_promote"
    assert admin.post(path + "/absent:pause").status_code == 404


def test_what_git_owns_is_read_only_and_answered_with_the_patch(admin: httpx.Client, path: str) -> None:
    admin.put(path + "/m", json=_manifest(), params={"field_manager": "argocd-controller"})
    for refused in (
        admin.post(path + "/m:scale", json={"replicas": 4}),
        admin.patch(path + "/m", json={"spec": {"replicas": 4}}),
    ):
        assert (refused.status_code, refused.json()["code"]) == (409, "owned_by_git")
        assert refused.json()["field_manager"] == "argocd-controller"
        assert refused.json()["patch"] == {"spec": {"replicas": 4}}
    assert admin.put(path + "/m", json=_manifest(replicas=2)).status_code == 409
    assert admin.delete(path + "/m").status_code == 409
    by_owner = admin.put(path + "/m", json=_manifest(replicas=2), params={"field_manager": "argocd-controller"})
    assert by_owner.status_code == 200


def test_a_list_comes_in_pages_by_name(admin: httpx.Client, path: str) -> None:
    for name in ("c", "a", "b"):
        admin.put(f"{path}/{name}", json=_manifest(name))
    first = admin.get(path, params={"page_size": 2}).json()
    second = admin.get(path, params={"page_size": 2, "page_token": first["next_page_token"]}).json()
    assert [[item["name"] for item in page["items"]] for page in (first, second)] == [["a", "b"], ["c"]]
    assert second["next_page_token"] == ""
    assert admin.get(path, params={"page_token": "forged"}).status_code == 422
