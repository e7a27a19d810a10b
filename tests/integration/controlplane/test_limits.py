"""Are rate limits kept, changed and refused as they should be?"""

from typing import Any

import httpx
import pytest
from support.controlplane import ControlPlane


@pytest.fixture
def path(project: str) -> str:
    return f"/api/v1/projects/{project}"


def _limit(**fields: Any) -> dict[str, Any]:
    return {"name": "per-minute", "metric": "requests", "amount": 60} | fields


def _snapshot(controlplane: ControlPlane) -> dict[str, Any]:
    with controlplane.client("gateway") as gateway:
        found: dict[str, Any] = gateway.get("/internal/v1/access/snapshot").json()
    return found


def test_a_limit_reaches_the_snapshot_and_leaves_it_when_it_is_off(
    admin: httpx.Client, path: str, controlplane: ControlPlane
) -> None:
    made = admin.post(path + "/limits", json=_limit(model="sentiment")).json()
    before = _snapshot(controlplane)
    shown = next(limit for limit in before["limits"] if limit["id"] == made["id"])
    assert (shown["scope"], shown["amount"], shown["window_seconds"], shown["model"]) == (
        "project",
        60,
        60,
        "sentiment",
    )
    admin.patch(path + "/limits/per-minute", json={"enforcement": "off"})
    after = _snapshot(controlplane)
    assert made["id"] not in {limit["id"] for limit in after["limits"]}
    assert after["version"] > before["version"]


def test_a_change_that_changes_nothing_makes_no_new_version_of_access(admin: httpx.Client, path: str) -> None:
    made = admin.post(path + "/limits", json=_limit()).json()
    same = admin.patch(path + "/limits/per-minute", json={"amount": 60}).json()
    assert same["etag"] == made["etag"]


def test_of_two_who_change_a_limit_at_once_one_is_refused(admin: httpx.Client, path: str) -> None:
    etag = admin.post(path + "/limits", json=_limit()).json()["etag"]
    answers = [
        admin.patch(path + "/limits/per-minute", json={"amount": amount}, headers={"If-Match": etag}).status_code
        for amount in (10, 20)
    ]
    assert answers == [200, 412]


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"amount": 0}, "/amount"),
        ({"amount": "60"}, "/amount"),
        ({"window_seconds": 0}, "/window_seconds"),
        ({"metric": "watts"}, "/metric"),
        ({"name": "Per Minute"}, "/name"),
        ({"burst": 5}, "/burst"),
        ({"scope": "organization"}, "/scope"),
        ({"scope": "key"}, "/key"),
        ({"key": "nobody"}, "/key"),
        ({"model": "no spaces"}, "/model"),
    ],
)
def test_a_wrong_limit_is_refused_with_its_field(
    admin: httpx.Client, path: str, fields: dict[str, Any], pointer: str
) -> None:
    refused = admin.post(path + "/limits", json=_limit(**fields))
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["pointer"] == pointer


def test_a_limit_that_could_never_match_is_refused(admin: httpx.Client, path: str) -> None:
    admin.post(path + "/keys", json={"name": "narrow", "models": ["digits"]})
    unmatched = admin.post(path + "/limits", json=_limit(key="narrow", model="sentiment"))
    assert "could never match" in unmatched.json()["detail"]
    assert admin.post(path + "/limits", json=_limit(key="narrow", model="digits")).status_code == 201
    admin.post(path + "/keys/narrow:revoke")
    dead = admin.post(path + "/limits", json=_limit(name="other", key="narrow"))
    assert "revoked" in dead.json()["detail"]


def test_a_taken_name_and_an_unknown_limit_are_refused(admin: httpx.Client, path: str) -> None:
    admin.post(path + "/limits", json=_limit())
    assert admin.post(path + "/limits", json=_limit()).json()["code"] == "name_taken"
    assert admin.get(path + "/limits/absent").json()["code"] == "limit_not_found"
    assert admin.delete(path + "/limits/per-minute").status_code == 204
    assert admin.delete(path + "/limits/per-minute").status_code == 404


def test_the_organization_has_limits_of_its_own(admin: httpx.Client, path: str, controlplane: ControlPlane) -> None:
    name = path.rpartition("/")[2]
    made = admin.post("/api/v1/limits", json=_limit(name=name)).json()
    snapshot = _snapshot(controlplane)
    shown = next(limit for limit in snapshot["limits"] if limit["id"] == made["id"])
    assert (shown["scope"], shown["scope_id"]) == ("organization", snapshot["organization_id"])
    assert admin.get(f"{path}/limits/{name}").status_code == 404
    assert admin.delete(f"/api/v1/limits/{name}").status_code == 204
