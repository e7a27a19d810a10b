"""How tests push a model version: announce, upload, finalize. And the smallest artifacts of each format."""

import hashlib
import json
import struct
from collections.abc import Mapping
from typing import Any

import httpx
import onnx
from onnx import TensorProto, helper


def announced(files: Mapping[str, bytes]) -> list[dict[str, Any]]:
    """The files of a version as they are announced."""
    return [
        {"path": path, "size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        for path, content in files.items()
    ]


def models_url(project: str) -> str:
    """Where a project's models are."""
    return f"/api/v1/projects/{project}/models"


def new_model(client: httpx.Client, project: str, name: str = "m") -> str:
    """Make a model; returns its URL."""
    made = client.post(models_url(project), json={"name": name})
    assert made.status_code == 201, made.text
    return f"{models_url(project)}/{name}"


def new_version(
    client: httpx.Client, model: str, files: Mapping[str, bytes], format_name: str = "ONNX", **more: Any
) -> str:
    """Announce a version; returns its URL."""
    made = client.post(f"{model}/versions", json={"format": format_name, "files": announced(files), **more})
    assert made.status_code == 201, made.text
    return f"{model}/versions/{made.json()['version']}"


def upload(client: httpx.Client, version: str, path: str, content: bytes, offset: int = 0) -> httpx.Response:
    """Send bytes at an offset."""
    return client.patch(f"{version}/files/{path}", content=content, headers={"Upload-Offset": str(offset)})


def push(
    client: httpx.Client, model: str, files: Mapping[str, bytes], format_name: str = "ONNX", **more: Any
) -> dict[str, Any]:
    """Announce, upload what is wanted, finalize; returns the version."""
    version = new_version(client, model, files, format_name, **more)
    for file in client.get(version).json()["files"]:
        if not file["received"] and file["size"]:
            sent = upload(client, version, file["path"], files[file["path"]])
            assert sent.status_code == 204, sent.text
    done = client.post(f"{version}:finalize")
    assert done.status_code == 200, done.text
    return dict(done.json())


def onnx_model(width: int = 4, datatype: int = TensorProto.FLOAT, output: str = "y") -> bytes:
    """An identity of [batch, width]."""
    graph = helper.make_graph(
        [helper.make_node("Identity", ["x"], [output])],
        "identity",
        [helper.make_tensor_value_info("x", datatype, ["batch", width])],
        [helper.make_tensor_value_info(output, datatype, ["batch", width])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def safetensors_file(tensors: Mapping[str, list[int]]) -> bytes:
    """Zeros of F32 in the given shapes."""
    header, position = {}, 0
    for name, shape in tensors.items():
        length = 4
        for size in shape:
            length *= size
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [position, position + length]}
        position += length
    head = json.dumps(header).encode()
    return struct.pack("<Q", len(head)) + head + bytes(position)


def gguf_file(facts: Mapping[str, str | int], tensors: Mapping[str, list[int]]) -> bytes:
    """A GGUF head with texts and 32-bit numbers as facts, and no data."""
    out = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(facts))
    for key, value in facts.items():
        out += _gguf_text(key)
        if isinstance(value, str):
            out += struct.pack("<I", 8) + _gguf_text(value)
        else:
            out += struct.pack("<II", 4, value)
    for name, shape in tensors.items():
        out += _gguf_text(name) + struct.pack("<I", len(shape)) + struct.pack(f"<{len(shape)}Q", *shape)
        out += struct.pack("<IQ", 0, 0)
    return out


def _gguf_text(text: str) -> bytes:
    return struct.pack("<Q", len(text.encode())) + text.encode()


def triton_repository(backend: str = "onnxruntime", extra: str = "") -> dict[str, bytes]:
    """A repository of one model."""
    config = f"""
name: "m"  # the model
backend: "{backend}"
max_batch_size: 8
input [ {{ name: "x" data_type: TYPE_FP32 dims: [ 4 ] }} ]
output [ {{ name: "y", data_type: TYPE_STRING, dims: [ -1 ] }} ]
{extra}
"""
    return {"config.pbtxt": config.encode(), "1/model.onnx": onnx_model()}
