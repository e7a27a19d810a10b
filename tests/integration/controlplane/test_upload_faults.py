"""Uploads that meet a kill or a full disk: nothing that was received is lost, and they go on from there."""

import resource
import secrets
import shutil
import socket
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from support.controlplane import ControlPlane
from support.pushing import new_model, new_version, onnx_model, safetensors_file, upload


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def plane(request: pytest.FixtureRequest, new_controlplane: Callable[[str], ControlPlane]) -> Iterator[ControlPlane]:
    """One for all of these, which may be killed, and lets an upload go that sends nothing for a second."""
    found = new_controlplane(str(request.param))
    found.environment = {"MIZZEN_UPLOAD_STALL_SECONDS": "1"}
    with found:
        yield found


def a_model(admin: httpx.Client) -> str:
    return new_model(admin, "default", f"m-{secrets.token_hex(4)}")


PART = 8 << 20


def put_part(admin: httpx.Client, version: str, offset: int, content: bytes) -> httpx.Response:
    sent = content[offset : offset + PART]
    return admin.put(f"{version}/parts/model.safetensors", params={"offset": offset}, content=sent)


def ranges(admin: httpx.Client, version: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = admin.get(f"{version}/parts/model.safetensors").json()["ranges"]
    return found


def test_a_kill_in_the_midst_of_an_upload_loses_nothing_that_was_received(plane: ControlPlane) -> None:
    content = onnx_model(4000)
    files = {"model.onnx": content}
    in_parts = safetensors_file({"w": [(2 << 20) + 3]})  # two parts
    with plane.client() as admin:
        version = new_version(admin, a_model(admin), files)
        assert upload(admin, version, "model.onnx", content[:40]).status_code == 204
        parted = new_version(admin, a_model(admin), {"model.safetensors": in_parts}, "Safetensors")
        assert put_part(admin, parted, PART, in_parts).status_code == 204

        def dying() -> Iterator[bytes]:
            yield content[40:50]
            with socket.create_connection(("127.0.0.1", plane.port), timeout=30) as caller:
                head = f"PUT {parted}/parts/model.safetensors?offset=0 HTTP/1.1\r\nHost: x\r\n"
                head += f"Authorization: Bearer {plane.tokens['admin']}\r\nContent-Length: {PART}\r\n\r\n"
                caller.sendall(head.encode() + in_parts[: PART - 9])
                plane.kill()
            yield content[50:]

        with pytest.raises(httpx.TransportError):
            admin.patch(f"{version}/files/model.onnx", content=dying(), headers={"Upload-Offset": "40"})
    plane.start()
    with plane.client() as admin:
        offset = int(admin.head(f"{version}/files/model.onnx").headers["Upload-Offset"])
        assert 40 <= offset < len(content)
        assert upload(admin, version, "model.onnx", content[offset:], offset).status_code == 204
        assert admin.post(f"{version}:finalize").json()["state"] == "READY"
        assert ranges(admin, parted) == [{"first": PART, "end": len(in_parts)}]
        assert put_part(admin, parted, 0, in_parts).status_code == 204
        assert admin.post(f"{parted}:finalize").json()["state"] == "READY"


@pytest.mark.parametrize("moved", [False, True])
def test_what_a_kill_between_the_last_byte_and_its_note_leaves_is_made_good_when_it_is_finalized(
    plane: ControlPlane, moved: bool
) -> None:
    """What such a kill leaves is laid out by hand: all bytes here, or moved to their place already."""
    content = safetensors_file({"w": [77 + moved]})
    with plane.client() as admin:
        version = new_version(admin, a_model(admin), {"model.safetensors": content}, "Safetensors")
        found = admin.get(version).json()
        sha256 = found["files"][0]["sha256"]
        blob = plane.data_dir / "blobs/sha256" / sha256[:2] / sha256
        short = iter([b"x"])  # refused; its journal stays
        refused = admin.put(f"{version}/parts/model.safetensors", params={"offset": 0}, content=short)
        assert refused.json()["code"] == "wrong_part_length"
        (journal,) = (plane.data_dir / "uploads" / found["id"]).glob("*.ranges")
        journal.with_suffix(".part").write_bytes(content)
        journal.write_text(f"0 {len(content)}\n")
        if moved:
            blob.parent.mkdir(exist_ok=True)
            shutil.move(journal.with_suffix(".part"), blob)
        assert admin.post(f"{version}:finalize").json()["state"] == "READY"
        assert blob.read_bytes() == content


def test_a_full_disk_answers_507_and_the_upload_goes_on_when_there_is_space(plane: ControlPlane) -> None:
    content = safetensors_file({"w": [3 << 20]})
    files = {"model.safetensors": content}
    assert plane.process is not None
    pid = plane.process.pid
    with plane.client() as admin:
        version = new_version(admin, a_model(admin), files, "Safetensors")
        _soft, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (8 << 20, hard))  # the kernel refuses more, as a full disk does
        refused_upload = upload(admin, version, "model.safetensors", content)
        assert (refused_upload.status_code, refused_upload.json()["code"]) == (507, "disk_full")
        assert "go on with the upload" in refused_upload.json()["detail"]
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (hard, hard))
        offset = int(admin.head(f"{version}/files/model.safetensors").headers["Upload-Offset"])
        assert 0 < offset <= 8 << 20
        assert upload(admin, version, "model.safetensors", content[offset:], offset).status_code == 204
        assert admin.post(f"{version}:finalize").json()["state"] == "READY"


def test_an_upload_that_stalls_is_let_go_and_goes_on_from_what_came(plane: ControlPlane) -> None:
    content = onnx_model(4001)
    with plane.client() as admin:
        version = new_version(admin, a_model(admin), {"model.onnx": content})
        with socket.create_connection(("127.0.0.1", plane.port), timeout=30) as caller:
            head = f"PATCH {version}/files/model.onnx HTTP/1.1\r\nHost: x\r\nUpload-Offset: 0\r\n"
            head += f"Authorization: Bearer {plane.tokens['admin']}\r\nContent-Length: {len(content)}\r\n\r\n"
            caller.sendall(head.encode() + content[:40])
            answer = b"".join(iter(lambda: caller.recv(4096), b""))  # ends where the server closes
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert b"MIZZEN_UPLOAD_STALL_SECONDS" in answer
        assert admin.head(f"{version}/files/model.onnx").headers["Upload-Offset"] == "40"
        assert upload(admin, version, "model.onnx", content[40:], 40).status_code == 204
        assert admin.post(f"{version}:finalize").json()["state"] == "READY"
