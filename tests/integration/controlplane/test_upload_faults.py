"""Uploads that meet a kill or a full disk: nothing that was received is lost, and they go on from there."""

import resource
from collections.abc import Iterator

import httpx
import pytest
from support.controlplane import ControlPlane
from support.pushing import new_model, new_version, onnx_model, safetensors_file, upload


def test_a_kill_in_the_midst_of_an_upload_loses_nothing_that_was_received(
    stopped_controlplane: ControlPlane,
) -> None:
    content = onnx_model(4000)
    files = {"model.onnx": content}
    stopped_controlplane.start()
    with stopped_controlplane.client() as admin:
        version = new_version(admin, new_model(admin, "default"), files)
        assert upload(admin, version, "model.onnx", content[:40]).status_code == 204

        def dying() -> Iterator[bytes]:
            yield content[40:50]
            stopped_controlplane.kill()
            yield content[50:]

        with pytest.raises(httpx.TransportError):
            admin.patch(f"{version}/files/model.onnx", content=dying(), headers={"Upload-Offset": "40"})
    stopped_controlplane.start()
    with stopped_controlplane.client() as admin:
        offset = int(admin.head(f"{version}/files/model.onnx").headers["Upload-Offset"])
        assert 40 <= offset < len(content)
        assert upload(admin, version, "model.onnx", content[offset:], offset).status_code == 204
        assert admin.post(f"{version}:finalize").json()["state"] == "READY"


def test_a_full_disk_answers_507_and_the_upload_goes_on_when_there_is_space(
    stopped_controlplane: ControlPlane,
) -> None:
    content = safetensors_file({"w": [3 << 20]})
    files = {"model.safetensors": content}
    stopped_controlplane.start()
    assert stopped_controlplane.process is not None
    pid = stopped_controlplane.process.pid
    with stopped_controlplane.client() as admin:
        version = new_version(admin, new_model(admin, "default"), files, "Safetensors")
        _soft, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (8 << 20, hard))  # the kernel refuses more, as a full disk does
        refused_upload = upload(admin, version, "model.safetensors", content)
        assert (refused_upload.status_code, refused_upload.json()["code"]) == (507, "disk_full")
        assert "resume" in refused_upload.json()["detail"]
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (hard, hard))
        offset = int(admin.head(f"{version}/files/model.safetensors").headers["Upload-Offset"])
        assert 0 < offset <= 8 << 20
        assert upload(admin, version, "model.safetensors", content[offset:], offset).status_code == 204
        assert admin.post(f"{version}:finalize").json()["state"] == "READY"
