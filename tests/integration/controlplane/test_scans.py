"""A push is scanned: what is found quarantines the version, until somebody who may releases it with a reason."""

import io
import zipfile
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from support.controlplane import ControlPlane
from support.hostile_files import MADE_UP_TOKEN
from support.pushing import announced, new_model, onnx_model, push, triton_repository

ONNX = {"model.onnx": onnx_model()}
WITH_TOKEN = {**ONNX, "notes.md": f"token: {MADE_UP_TOKEN}\n".encode()}


def resolve(controlplane: ControlPlane, project: str, version: int = 1) -> httpx.Response:
    with controlplane.client("runner") as runner:
        asked = {"namespace": project, "model": "m", "version": version}
        return runner.get("/internal/v1/models:resolve", params=asked)


@pytest.fixture
def quarantined(admin: httpx.Client, project: str) -> str:
    """URL of a quarantined version."""
    model = new_model(admin, project)
    version = push(admin, model, WITH_TOKEN)
    assert version["state"] == "QUARANTINED", version
    assert "notes.md" in version["reason"]
    return f"{model}/versions/1"


def test_a_clean_version_says_so(admin: httpx.Client, project: str) -> None:
    model = new_model(admin, project)
    assert push(admin, model, ONNX)["state"] == "READY"
    assert admin.get(f"{model}/versions/1/scan").json()["verdict"] == "clean"


def test_a_quarantined_version_is_neither_aliased_nor_resolved_nor_fetched(
    controlplane: ControlPlane, admin: httpx.Client, project: str, quarantined: str
) -> None:
    (finding,) = admin.get(f"{quarantined}/scan").json()["findings"]
    assert (finding["file"], finding["rule"], finding["severity"]) == ("notes.md", "secret", "high")
    assert MADE_UP_TOKEN not in admin.get(f"{quarantined}/scan").text
    refused = admin.put(f"{quarantined.rsplit('/versions', 1)[0]}/aliases/champion", json={"version": 1})
    assert (refused.status_code, refused.json()["code"]) == (409, "version_quarantined")
    answer = resolve(controlplane, project)
    assert (answer.status_code, answer.json()["code"]) == (409, "version_quarantined")
    assert "releases it with a reason" in answer.json()["detail"]
    identity = admin.get(quarantined).json()["id"]
    with controlplane.client("registry") as registry:
        assert registry.get(f"/internal/v1/artifacts/{identity}").json()["code"] == "version_quarantined"
        assert registry.get(f"/internal/v1/artifacts/{identity}/files/notes.md").status_code == 409


def test_a_release_with_a_reason_lets_it_be_used_and_is_audited(
    controlplane: ControlPlane, admin: httpx.Client, project: str, quarantined: str
) -> None:
    assert admin.post(f"{quarantined}:release", json={}).status_code == 422
    released = admin.post(f"{quarantined}:release", json={"reason": "the token is made up"})
    assert released.status_code == 201, released.text
    assert released.json()["digest"] == admin.get(quarantined).json()["digest"]
    assert resolve(controlplane, project).status_code == 200
    again = admin.post(f"{quarantined}:scan").json()
    assert again["verdict"] == "released", "what was known then is answered for"
    identity = admin.get(quarantined).json()["id"]
    events = admin.get("/api/v1/audit-events", params={"filter": f"resource = {identity}"}).json()["items"]
    assert "versions.release" in {event["action"] for event in events}
    assert admin.post(f"{quarantined}:release", json={"reason": "x"}).json()["code"] == "version_not_quarantined"


def test_a_release_ends_when_it_said(
    controlplane: ControlPlane, admin: httpx.Client, project: str, quarantined: str
) -> None:
    past = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    refused = admin.post(f"{quarantined}:release", json={"reason": "x", "expires_at": past})
    assert refused.json()["errors"][0]["pointer"] == "/expires_at"
    soon = datetime.now(UTC) + timedelta(milliseconds=700)
    released = admin.post(f"{quarantined}:release", json={"reason": "x", "expires_at": soon.isoformat()})
    assert released.status_code == 201, released.text
    while datetime.now(UTC) < soon:  # the promise is a moment, so it is waited for
        resolve(controlplane, project)
    assert resolve(controlplane, project).json()["code"] == "version_quarantined"
    assert admin.get(quarantined).json()["state"] == "QUARANTINED"


def test_a_release_does_not_answer_for_what_is_found_later(
    controlplane: ControlPlane, admin: httpx.Client, quarantined: str
) -> None:
    admin.post(f"{quarantined}:release", json={"reason": "made up"}).raise_for_status()
    taken = admin.post(f"{quarantined}:quarantine", json={"reason": "it answers nonsense"})
    assert taken.json()["state"] == "QUARANTINED"
    assert "it answers nonsense" in taken.json()["reason"]
    assert admin.post(f"{quarantined}:scan").json()["verdict"] == "quarantined", "the release was taken back"


def test_code_is_quarantined_once_the_project_allows_it_no_longer(
    controlplane: ControlPlane, admin: httpx.Client
) -> None:
    project = controlplane.new_project(allow_code=True)
    model = new_model(admin, project)
    files = {**triton_repository(backend="python"), "1/model.py": b"x = 1\n"}
    assert push(admin, model, files, "TritonRepository")["state"] == "READY"
    admin.patch(f"/api/v1/projects/{project}", json={"allow_code": False}).raise_for_status()
    assert admin.post(f"{model}/versions/1:scan").json()["verdict"] == "quarantined"
    rules = {one["rule"] for one in admin.get(f"{model}/versions/1/scan").json()["findings"]}
    assert rules == {"program", "triton-code"}
    admin.patch(f"/api/v1/projects/{project}", json={"allow_code": True}).raise_for_status()
    assert admin.post(f"{model}/versions/1:scan").json()["verdict"] == "clean"
    assert admin.get(f"{model}/versions/1").json()["state"] == "READY"


def test_a_policy_says_which_formats_and_from_which_finding_on(admin: httpx.Client, project: str) -> None:
    policy = f"/api/v1/projects/{project}/model-policy"
    default = admin.get(policy)
    assert (default.json()["formats"], default.json()["quarantine_from"]) == (None, "high")
    body = {"formats": ["Safetensors", "ONNX"], "quarantine_from": "critical"}
    written = admin.put(policy, json=body, headers={"If-Match": default.headers["ETag"]})
    assert written.status_code == 200, written.text
    assert admin.put(policy, json=body, headers={"If-Match": default.headers["ETag"]}).status_code == 412
    model = new_model(admin, project)
    refused = admin.post(f"{model}/versions", json={"format": "GGUF", "files": announced({"m.gguf": b"x"})})
    assert (refused.status_code, refused.json()["code"]) == (422, "format_not_allowed")
    assert push(admin, model, WITH_TOKEN)["state"] == "READY", "a finding that is high is below critical"


def test_a_bomb_in_a_push_is_found_and_not_unpacked(admin: httpx.Client, project: str) -> None:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros", bytes(30 << 20))
    version = push(admin, new_model(admin, project), {**ONNX, "extra.zip": held.getvalue()})
    assert (version["state"], "archive-bomb" in version["reason"]) == ("QUARANTINED", True)
