"""Versions: pushed resumably, checked by content, READY and immutable, or FAILED with a reason."""

import hashlib
import pickle
from pathlib import Path

import httpx
import pytest
from support.controlplane import ControlPlane
from support.pushing import (
    announced,
    gguf_file,
    new_model,
    new_version,
    onnx_model,
    push,
    safetensors_file,
    triton_repository,
    upload,
)

ONNX = {"model.onnx": onnx_model()}


def test_a_pushed_onnx_version_is_ready_with_its_signature(admin: httpx.Client, project: str) -> None:
    model = new_model(admin, project)
    version = push(admin, model, ONNX, metadata={"accuracy": 0.85})
    assert version["state"] == "READY", version["reason"]
    assert version["signature"]["inputs"] == [{"name": "x", "datatype": "FP32", "shape": [4]}]
    assert version["signature"]["batched"] is True
    assert version["metadata"] == {"accuracy": 0.85}
    assert push(admin, model, {"model.onnx": onnx_model(5)})["version"] == 2


def test_an_upload_goes_on_where_it_stopped(admin: httpx.Client, project: str) -> None:
    content = ONNX["model.onnx"]
    version = new_version(admin, new_model(admin, project), ONNX)
    assert upload(admin, version, "model.onnx", content[:10]).headers["Upload-Offset"] == "10"
    assert admin.head(f"{version}/files/model.onnx").headers["Upload-Offset"] == "10"
    assert upload(admin, version, "model.onnx", content[10:], 10).status_code == 204
    assert admin.post(f"{version}:finalize").json()["state"] == "READY"


def test_a_wrong_offset_names_the_right_one(admin: httpx.Client, project: str) -> None:
    version = new_version(admin, new_model(admin, project), ONNX)
    upload(admin, version, "model.onnx", ONNX["model.onnx"][:10])
    refused = upload(admin, version, "model.onnx", b"x", 4)
    assert (refused.status_code, refused.json()["code"]) == (409, "wrong_offset")
    assert refused.headers["Upload-Offset"] == "10"


def test_a_tampered_upload_is_dropped_and_can_be_repeated(admin: httpx.Client, project: str) -> None:
    version = new_version(admin, new_model(admin, project), ONNX)
    flipped = bytearray(ONNX["model.onnx"])
    flipped[20] ^= 1
    refused = upload(admin, version, "model.onnx", bytes(flipped))
    assert (refused.status_code, refused.json()["code"]) == (422, "digest_mismatch")
    assert admin.head(f"{version}/files/model.onnx").headers["Upload-Offset"] == "0"
    assert upload(admin, version, "model.onnx", ONNX["model.onnx"]).status_code == 204


def test_a_truncated_upload_cannot_be_finalized(admin: httpx.Client, project: str) -> None:
    version = new_version(admin, new_model(admin, project), ONNX)
    upload(admin, version, "model.onnx", ONNX["model.onnx"][:-1])
    refused = admin.post(f"{version}:finalize")
    assert (refused.status_code, refused.json()["code"]) == (409, "upload_incomplete")
    assert refused.json()["errors"][0]["pointer"] == "file:model.onnx"
    assert admin.get(version).json()["state"] == "PENDING"


def test_more_bytes_than_announced_are_refused(admin: httpx.Client, project: str) -> None:
    version = new_version(admin, new_model(admin, project), ONNX)
    refused = upload(admin, version, "model.onnx", ONNX["model.onnx"] + b"x")
    assert (refused.status_code, refused.json()["code"]) == (413, "file_too_long")


def _blob(controlplane: ControlPlane, content: bytes) -> Path:
    sha256 = hashlib.sha256(content).hexdigest()
    return controlplane.data_dir / "blobs" / "sha256" / sha256[:2] / sha256


def test_content_changed_on_the_disk_fails_the_version(
    controlplane: ControlPlane, admin: httpx.Client, project: str
) -> None:
    files = {"model.onnx": onnx_model(77)}
    version = new_version(admin, new_model(admin, project), files)
    upload(admin, version, "model.onnx", files["model.onnx"])
    blob = _blob(controlplane, files["model.onnx"])
    blob.chmod(0o600)
    blob.write_bytes(files["model.onnx"][:-1] + b"\0")
    done = admin.post(f"{version}:finalize").json()
    assert (done["state"], "changed on the disk" in done["reason"]) == ("FAILED", True)


@pytest.mark.parametrize(
    ("format_name", "files", "reason"),
    [
        ("ONNX", {"model.onnx": b"not a graph"}, "model.onnx is not"),
        ("ONNX", {"weights.bin": b"abc"}, "exactly one file that ends in .onnx"),
        ("ONNX", {**ONNX, "vocabulary.dat": pickle.dumps({"a": [1, 2, 3]})}, "vocabulary.dat is a pickle"),
        ("Safetensors", {"model.safetensors": b"\x05\0\0\0\0\0\0\0hello"}, "header is not valid JSON"),
        ("Safetensors", {"model.safetensors": safetensors_file({"w": [2, 3]})[:-1]}, "describes 24 bytes"),
        ("GGUF", {"model.gguf": b"GGML" + bytes(20)}, "does not begin with GGUF"),
        ("GGUF", {"model.gguf": gguf_file({"general.architecture": "llama"}, {"w": [4]})[:-9]}, "truncated"),
        ("TritonRepository", {"1/model.onnx": ONNX["model.onnx"]}, "exactly one config.pbtxt"),
        ("TritonRepository", triton_repository(backend="python"), "python backend"),
        ("TritonRepository", {**triton_repository(), "1/model.py": b"x = 1\n"}, "1/model.py is a program"),
        ("TritonRepository", {**triton_repository(), "1/op.bin": b"\x7fELF\x02\x01"}, "a shared object"),
    ],
)
def test_an_artifact_that_is_not_what_its_format_says_fails_with_a_reason(
    admin: httpx.Client, project: str, format_name: str, files: dict[str, bytes], reason: str
) -> None:
    version = push(admin, new_model(admin, project), files, format_name)
    assert version["state"] == "FAILED"
    assert reason in version["reason"]


def test_content_of_a_failed_version_is_removed_unless_another_version_uses_it(
    controlplane: ControlPlane, admin: httpx.Client, project: str
) -> None:
    shared, alone = f"shared by {project}".encode(), f"alone in {project}".encode()
    other = new_version(admin, new_model(admin, controlplane.new_project()), {"notes.txt": shared})
    upload(admin, other, "notes.txt", shared)
    failed = push(admin, new_model(admin, project), {"notes.txt": shared, "weights.bin": alone})
    assert failed["state"] == "FAILED"
    kept, removed = (_blob(controlplane, content) for content in (shared, alone))
    assert kept.exists()
    assert not removed.exists()
    assert admin.post(f"{other}:finalize").json()["state"] == "FAILED"
    assert not kept.exists()


def test_what_a_failed_version_was_made_of_can_be_pushed_again(admin: httpx.Client, project: str) -> None:
    model = new_model(admin, project)
    files = {"model.onnx": onnx_model(81)}
    assert push(admin, model, {**files, "second.onnx": onnx_model(82)})["state"] == "FAILED"
    assert push(admin, model, files)["state"] == "READY"


@pytest.mark.parametrize("path", [".mizzen-complete.json", ".mizzen-parts/model.onnx", ".mizzen"])
def test_a_path_that_the_fetch_keeps_its_books_under_is_refused(admin: httpx.Client, project: str, path: str) -> None:
    body = {"format": "ONNX", "files": announced({path: b"{}"})}
    refused = admin.post(f"{new_model(admin, project)}/versions", json=body)
    assert refused.status_code == 422
    (error,) = refused.json()["errors"]
    assert error["pointer"] == "/files/0/path"
    assert "rename it" in error["detail"]


@pytest.mark.parametrize(
    ("format_name", "files"),
    [
        ("Safetensors", {"model.safetensors": safetensors_file({"w": [2, 3]}), "config.json": b"{}"}),
        ("GGUF", {"model.gguf": gguf_file({"general.architecture": "llama", "llama.context_length": 8}, {"w": [4]})}),
        ("TritonRepository", triton_repository()),
    ],
)
def test_each_format_is_accepted(admin: httpx.Client, project: str, format_name: str, files: dict[str, bytes]) -> None:
    version = push(admin, new_model(admin, project), files, format_name)
    assert version["state"] == "READY", version["reason"]


def test_code_is_accepted_where_the_project_allows_it(controlplane: ControlPlane, admin: httpx.Client) -> None:
    project = controlplane.new_project(allow_code=True)
    files = {**triton_repository(backend="python"), "1/model.py": b"x = 1\n"}
    assert push(admin, new_model(admin, project), files, "TritonRepository")["state"] == "READY"


def test_a_version_is_immutable_once_ready(admin: httpx.Client, project: str) -> None:
    model = new_model(admin, project)
    push(admin, model, ONNX)
    refused = upload(admin, f"{model}/versions/1", "model.onnx", b"x")
    assert (refused.status_code, refused.json()["code"]) == (409, "file_complete")
    again = admin.post(f"{model}/versions/1:finalize")
    assert again.json()["state"] == "READY"
    changed = admin.patch(f"{model}/versions/1", json={"metadata": {"note": "good"}})
    assert changed.json()["metadata"] == {"note": "good"}
    assert admin.patch(f"{model}/versions/1", json={"digest": "sha256:0"}).status_code == 422


def test_known_content_needs_no_upload_in_its_project_but_does_in_another(
    controlplane: ControlPlane, admin: httpx.Client, project: str
) -> None:
    model = new_model(admin, project)
    push(admin, model, ONNX)
    again = admin.post(f"{model}/versions", json={"format": "ONNX", "files": announced(ONNX)})
    assert again.json()["files"][0]["received"] is True
    foreign = new_model(admin, controlplane.new_project())
    other = admin.post(f"{foreign}/versions", json={"format": "ONNX", "files": announced(ONNX)})
    assert other.json()["files"][0]["received"] is False


@pytest.mark.parametrize("path", ["../up", "/root", "a//b", "a/./b", "a\\b", "a\x00b"])
def test_a_path_that_leads_elsewhere_is_refused(admin: httpx.Client, project: str, path: str) -> None:
    model = new_model(admin, project)
    refused = admin.post(f"{model}/versions", json={"format": "ONNX", "files": announced({path: b"x"})})
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["pointer"] == "/files/0/path"


def test_comparing_says_what_a_caller_would_notice(admin: httpx.Client, project: str) -> None:
    model = new_model(admin, project)
    push(admin, model, ONNX, metadata={"accuracy": 0.8})
    push(admin, model, {"model.onnx": onnx_model(5, output="z")}, metadata={"accuracy": 0.9})
    compared = admin.get(f"{model}:compare", params={"from": 1, "to": 2}).json()
    assert compared["compatible"] is False
    breaking = [difference["field"] for difference in compared["differences"] if difference["breaking"]]
    assert breaking == ["signature.inputs.x.shape", "signature.outputs.y"]
    assert "metadata.accuracy" in [difference["field"] for difference in compared["differences"]]


def test_artifacts_are_for_the_registry_and_honour_ranges(
    controlplane: ControlPlane, admin: httpx.Client, project: str
) -> None:
    version = push(admin, new_model(admin, project), ONNX)
    with controlplane.client("runner") as runner, controlplane.client("registry") as registry:
        asked = {"namespace": project, "model": "m", "version": 1}
        resolved = runner.get("/internal/v1/models:resolve", params=asked).json()
        assert (resolved["version_id"], resolved["digest"]) == (version["id"], version["digest"])
        manifest = registry.get(f"/internal/v1/artifacts/{version['id']}").json()
        assert manifest["files"] == announced(ONNX)
        file = f"/internal/v1/artifacts/{version['id']}/files/model.onnx"
        part = registry.get(file, headers={"Range": "bytes=3-9"})
        assert (part.status_code, part.content) == (206, ONNX["model.onnx"][3:10])
        assert part.headers["ETag"] == f'"{manifest["files"][0]["sha256"]}"'
        assert runner.get(file).status_code == 403
        assert admin.get(file).status_code == 403


@pytest.mark.parametrize(
    ("asked", "status", "code"),
    [
        ({"model": "none", "version": 1}, 404, "model_not_found"),
        ({"model": "m", "version": 9}, 404, "version_not_found"),
        ({"model": "m", "alias": "none"}, 404, "alias_not_found"),
        ({"model": "m", "version": 2}, 409, "version_not_ready"),
        ({"model": "m", "version": 3}, 409, "version_failed"),
        ({"model": "m", "version": 4}, 409, "version_archived"),
        ({"model": "m"}, 422, "invalid"),
    ],
)
def test_resolving_says_what_is_missing(
    controlplane: ControlPlane, admin: httpx.Client, project: str, asked: dict[str, str], status: int, code: str
) -> None:
    model = new_model(admin, project)
    push(admin, model, ONNX)
    new_version(admin, model, {"model.onnx": onnx_model(9)})
    push(admin, model, {"model.onnx": b"text"})
    push(admin, model, {"model.onnx": onnx_model(8)})
    admin.post(f"{model}/versions/4:archive").raise_for_status()
    with controlplane.client("runner") as runner:
        answer = runner.get("/internal/v1/models:resolve", params={"namespace": project, **asked})
    assert (answer.status_code, answer.json()["code"]) == (status, code)
