"""`:verify` reads all content of a version again: one flipped byte is found, named, and nothing serves it any more."""

import asyncio
from typing import Any

import httpx
import pytest
from support.controlplane import ControlPlane
from support.pushing import announced, new_model, onnx_model, push
from support.until import until

FILES = {"model.onnx": onnx_model(), "notes.md": b"as they were pushed\n", "empty": b""}


def verified(admin: httpx.Client, version: str) -> dict[str, Any]:
    """Have it verified; returns the operation at its end."""
    begun = admin.post(f"{version}:verify")
    assert begun.status_code == 202, begun.text
    url = f"{version.partition('/models/')[0]}/operations/{begun.json()['id']}"

    asyncio.run(until(lambda: admin.get(url).json()["ended_at"], every=0.02))
    return dict(admin.get(url).json())


def flip_a_byte(controlplane: ControlPlane, sha256: str) -> bytes:
    """Change the last byte of content on the disk; returns what it was."""
    blob = controlplane.data_dir / "blobs" / "sha256" / sha256[:2] / sha256
    good = blob.read_bytes()
    blob.chmod(0o640)
    blob.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
    return good


@pytest.fixture
def version(admin: httpx.Client, project: str) -> str:
    """URL of a READY version."""
    files = {**FILES, "own.md": project.encode()}
    assert push(admin, new_model(admin, project), files)["state"] == "READY"
    return f"/api/v1/projects/{project}/models/m/versions/1"


def test_content_that_is_as_it_was_pushed_is_found_right(admin: httpx.Client, version: str) -> None:
    assert admin.get(version).json()["verified_at"] is None
    done = verified(admin, version)
    assert (done["state"], done["result"]["files"], done["target"]) == ("SUCCEEDED", 4, "m@1")
    assert done["progress"]["done_bytes"] == done["progress"]["total_bytes"] == done["result"]["bytes"]
    assert admin.get(version).json()["verified_at"] is not None


def test_one_flipped_byte_is_named_and_no_version_with_it_is_served_until_it_is_right_again(
    controlplane: ControlPlane, admin: httpx.Client, project: str, version: str
) -> None:
    model, own = version.partition("/versions")[0], announced({"own.md": project.encode()})[0]
    assert push(admin, model, {"model.onnx": FILES["model.onnx"], "own.md": project.encode()})["state"] == "READY"
    admin.put(f"{model}/aliases/champion", json={"version": 1}).raise_for_status()
    good = flip_a_byte(controlplane, own["sha256"])
    done = verified(admin, version)
    assert (done["state"], done["code"]) == ("FAILED", "content_damaged")
    assert "own.md was changed" in done["reason"]
    assert "notes.md" not in done["reason"]
    for number in (1, 2):  # the content is shared
        found = admin.get(f"{model}/versions/{number}").json()
        assert (found["state"], "own.md" in found["reason"]) == ("FAILED", True)
        events = admin.get("/api/v1/audit-events", params={"filter": f"resource = {found['id']}"}).json()["items"]
        assert "versions.damage" in {event["action"] for event in events}
    with controlplane.client("runner") as runner:
        asked = {"namespace": project, "model": "m", "alias": "champion"}
        assert runner.get("/internal/v1/models:resolve", params=asked).json()["code"] == "version_failed"
    again = admin.post(f"{model}/versions", json={"format": "ONNX", "files": [own]}).json()
    assert again["files"][0]["received"] is False, "damaged content is not lent to a push"
    blob = controlplane.data_dir / "blobs" / "sha256" / own["sha256"][:2] / own["sha256"]
    blob.write_bytes(good)
    assert verified(admin, version)["state"] == "SUCCEEDED"
    assert (admin.get(version).json()["state"], admin.get(version).json()["reason"]) == ("READY", "")


def test_content_that_is_gone_is_found(controlplane: ControlPlane, admin: httpx.Client, project: str) -> None:
    files = {"model.onnx": onnx_model(width=7), "gone.md": f"of {project}".encode()}
    push(admin, new_model(admin, project), files)
    sha256 = announced(files)[1]["sha256"]
    (controlplane.data_dir / "blobs" / "sha256" / sha256[:2] / sha256).unlink()
    done = verified(admin, f"/api/v1/projects/{project}/models/m/versions/1")
    assert "gone.md is gone" in done["reason"]


def test_a_version_that_is_not_whole_cannot_be_verified(admin: httpx.Client, project: str) -> None:
    model = new_model(admin, project)
    admin.post(f"{model}/versions", json={"format": "ONNX", "files": announced(FILES)}).raise_for_status()
    assert admin.post(f"{model}/versions/1:verify").json()["code"] == "version_not_ready"
