"""Artifacts in a bucket of a real S3-compatible server: pushed, checked, fetched, and what its failures do."""

import hashlib
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import obstore
import pytest
from support.controlplane import ControlPlane, sqlite_controlplane
from support.object_server import ObjectServer
from support.pushing import new_model, new_version, onnx_model, push, safetensors_file, triton_repository

PART = 8 << 20


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectServer]:
    """The store."""
    with ObjectServer(tmp_path_factory.mktemp("s3")) as running:
        yield running


@pytest.fixture(scope="module")
def plane(server: ObjectServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """A control plane that keeps artifacts there, and sends engines there."""
    with sqlite_controlplane(tmp_path_factory.mktemp("cp"), **server.environment(direct=True)) as running:
        yield running


@pytest.fixture
def admin(plane: ControlPlane) -> Iterator[httpx.Client]:
    """The administrator's client."""
    with plane.client() as client:
        yield client


def a_model(admin: httpx.Client) -> str:
    return new_model(admin, "default", f"m-{secrets.token_hex(4)}")


def key(content: bytes) -> str:
    sha256 = hashlib.sha256(content).hexdigest()
    return f"here/blobs/sha256/{sha256[:2]}/{sha256}"


def stored(server: ObjectServer, content: bytes) -> bytes:
    return bytes(obstore.get(server.store(), key(content)).bytes())


def put_parts(admin: httpx.Client, version: str, path: str, content: bytes) -> list[httpx.Response]:
    parts = f"{version}/parts/{path}"
    offsets = range(0, len(content), PART)
    return [admin.put(parts, params={"offset": at}, content=content[at : at + PART]) for at in offsets]


def test_a_pushed_version_lies_in_the_bucket_under_its_digests_and_nothing_stays_here(
    server: ObjectServer, plane: ControlPlane, admin: httpx.Client
) -> None:
    content = safetensors_file({"w": [(17 << 20) // 4]})  # three parts, sent on to the store in parts as well
    version = new_version(admin, a_model(admin), {"model.safetensors": content, "config.json": b"{}"}, "Safetensors")
    answers = put_parts(admin, version, "model.safetensors", content) + put_parts(admin, version, "config.json", b"{}")
    assert {answer.status_code for answer in answers} == {204}
    assert admin.post(f"{version}:finalize").json()["state"] == "READY"
    assert stored(server, content) == content
    left = [path for name in ("blobs/sha256", "uploads") for path in (plane.data_dir / name).rglob("*")]
    assert left == []


def test_content_that_the_project_has_is_not_sent_again_and_is_brought_for_the_check(admin: httpx.Client) -> None:
    files = triton_repository()
    model = a_model(admin)
    assert push(admin, model, files, "TritonRepository")["state"] == "READY"
    again = new_version(admin, model, files, "TritonRepository")
    assert all(file["received"] for file in admin.get(again).json()["files"])
    assert admin.post(f"{again}:finalize").json()["state"] == "READY"


def test_content_changed_in_the_bucket_fails_a_later_version(server: ObjectServer, admin: httpx.Client) -> None:
    files = {"model.onnx": onnx_model(4242)}
    model = a_model(admin)
    assert push(admin, model, files)["state"] == "READY"
    obstore.put(server.store(), key(files["model.onnx"]), files["model.onnx"][:-1] + b"\0")
    later = new_version(admin, model, files)
    done = admin.post(f"{later}:finalize").json()
    assert (done["state"], "was changed" in done["reason"]) == ("FAILED", True)


def test_an_engine_fetches_straight_from_the_store_and_others_through_the_control_plane(
    server: ObjectServer, plane: ControlPlane, admin: httpx.Client, tmp_path: Path
) -> None:
    content = onnx_model(777)
    version = push(admin, a_model(admin), {"deep folder/model é.onnx": content})
    file = f"/internal/v1/artifacts/{version['id']}/files/deep folder/model é.onnx"
    with plane.client("registry") as registry:
        part = registry.get(file, headers={"Range": "bytes=3-9"})
        assert (part.status_code, part.content) == (206, content[3:10])
        assert part.headers["Content-Range"] == f"bytes 3-9/{len(content)}"
        assert registry.get(file).content == content
        assert registry.get(file, headers={"Range": f"bytes={len(content)}-"}).status_code == 416
        sent_on = registry.get(file, params={"direct": True})
        assert sent_on.status_code == 307
        assert sent_on.headers["location"].startswith(server.url)
    environment = {
        "PATH": os.environ["PATH"],
        "MIZZEN_MODEL_URI": f"mizzen://{version['id']}",
        "MIZZEN_MODEL_DIGEST": version["digest"],
        "MIZZEN_MODEL_DIR": str(tmp_path / "model"),
        "MIZZEN_REGISTRY_URL": plane.url,
        "MIZZEN_REGISTRY_TOKEN_FILE": str(plane.secrets_dir / "registry"),
        "MIZZEN_TERMINATION_LOG": str(tmp_path / "last-words"),
    }
    before = server.log.count("GET")
    done = subprocess.run(
        [sys.executable, "-m", "mizzen_engines.fetch"], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "model/deep folder/model é.onnx").read_bytes() == content
    assert server.log.count("GET") > before, server.log


def test_a_store_that_is_away_loses_nothing_and_is_told(server: ObjectServer, admin: httpx.Client) -> None:
    content = safetensors_file({"w": [9001]})
    version = new_version(admin, a_model(admin), {"model.safetensors": content}, "Safetensors")
    server.stop()
    try:
        (refused,) = put_parts(admin, version, "model.safetensors", content)
        assert (refused.status_code, refused.json()["code"]) == (503, "store_away")
        assert refused.headers["Retry-After"] == "5"
        state = admin.get(f"{version}/parts/model.safetensors").json()
        assert (state["received"], state["ranges"]) == (False, [{"first": 0, "end": len(content)}])
        assert admin.post(f"{version}:finalize").json()["code"] == "store_away"
    finally:
        server.start()
    assert admin.post(f"{version}:finalize").json()["state"] == "READY"
    assert stored(server, content) == content


def test_a_credential_that_the_store_refuses_is_told_with_the_remedy(server: ObjectServer, tmp_path: Path) -> None:
    environment = server.environment()
    wrong = tmp_path / "wrong"
    wrong.mkdir()
    (wrong / "access_key_id").write_text("nobody")
    (wrong / "secret_access_key").write_text("nothing")
    with (
        sqlite_controlplane(tmp_path / "cp", **environment | {"MIZZEN_ARTIFACTS_SECRETS_DIR": str(wrong)}) as plane,
        plane.client() as admin,
    ):
        version = new_version(admin, a_model(admin), {"model.onnx": b"x"})
        (refused,) = put_parts(admin, version, "model.onnx", b"x")
        assert (refused.status_code, refused.json()["code"]) == (503, "store_refused")
        assert "MIZZEN_ARTIFACTS_SECRETS_DIR" in refused.json()["detail"]
        assert "nobody" not in refused.text
