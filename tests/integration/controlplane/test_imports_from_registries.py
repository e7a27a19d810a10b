"""Artifacts of an OCI registry: each layer a file, held to its digest, and not fetched where its content is here."""

import hashlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from support.controlplane import ControlPlane
from support.file_origin import FileOrigin, file_origin
from support.importing import begun, imported
from support.pushing import onnx_model

MODEL, CONFIG = onnx_model(), b"{}"
TITLE = "org.opencontainers.image.title"
Layer = dict[str, Any]


def digest(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


def layer(content: bytes, **annotations: str) -> Layer:
    kind = "application/vnd.oci.image.layer.v1.tar"  # what `oras push` calls a file whose kind nobody tells
    return {"mediaType": kind, "digest": digest(content), "size": len(content), "annotations": annotations}


@dataclass
class Registry:
    """A registry that gives tokens to those who show `user:password`, and its store of blobs beside it."""

    server: FileOrigin
    blobs: FileOrigin
    manifest: bytes = b""
    tokens: list[str] = field(default_factory=list)

    @property
    def source(self) -> str:
        return f"oci+http://{self.server.host}/house/prices:v1"

    def push(self, *layers: Layer, **more: Any) -> None:
        self.manifest = json.dumps({"schemaVersion": 2, "layers": layers, **more}).encode()

    def answer(self, path: str, headers: dict[str, str]) -> tuple[int, bytes, dict[str, str]] | None:
        shown = headers.get("authorization", "")
        if path.startswith("/token?"):
            self.tokens.append(f"{path} {shown}")
            return (200, b'{"token": "a-token"}', {}) if shown == "Basic dTpw" else (401, b"", {})
        if shown != "Bearer a-token":
            realm = f'Bearer realm="{self.server.url("/token")}",service="house"'
            return 401, b"", {"WWW-Authenticate": realm}
        if path.startswith("/v2/house/prices/manifests/"):
            return 200, self.manifest, {"Docker-Content-Digest": digest(self.manifest)}
        return None


@pytest.fixture
async def admin(controlplane: ControlPlane) -> AsyncIterator[httpx.AsyncClient]:
    async with controlplane.async_client() as client:
        yield client


@pytest.fixture
async def registry(admin: httpx.AsyncClient, project: str) -> AsyncIterator[Registry]:
    async with file_origin() as server, file_origin() as blobs:
        made = Registry(server, blobs)
        server.answers = made.answer
        for content in (MODEL, CONFIG):
            blobs.files[f"/{digest(content)}"] = content
            server.redirects[f"/v2/house/prices/blobs/{digest(content)}"] = blobs.url(f"/{digest(content)}")
        body = {"name": "r", "host": server.url(""), "kind": "basic", "username": "u", "secret": "p"}
        assert (await admin.post(f"/api/v1/projects/{project}/import-credentials", json=body)).status_code == 201
        yield made


async def test_layers_that_are_files_become_a_version_and_content_that_is_here_is_not_fetched_again(
    admin: httpx.AsyncClient, project: str, registry: Registry
) -> None:
    registry.push(layer(MODEL, **{TITLE: "model.onnx"}), layer(CONFIG, **{TITLE: "deep/config.json"}))
    done = await imported(admin, project, registry.source, credential="r")
    assert done["state"] == "SUCCEEDED", done["reason"]
    version = (await admin.get(f"/api/v1/projects/{project}/models/m/versions/1")).json()
    assert {file["path"] for file in version["files"]} == {"model.onnx", "deep/config.json"}
    assert version["lineage"]["origin"]["revision"] == digest(registry.manifest)
    assert "scope=repository:house/prices:pull" in registry.tokens[0]
    assert not [headers for _, headers in registry.blobs.asked if "authorization" in headers]
    asked = len(registry.blobs.asked)
    again = await imported(admin, project, registry.source, credential="r", files=["*.onnx"])
    assert (again["state"], again["result"]["size_bytes"]) == ("SUCCEEDED", len(MODEL)), again["reason"]
    assert len(registry.blobs.asked) == asked
    registry.blobs.files["/model.onnx"] = MODEL
    told = await imported(
        admin, project, registry.blobs.url("/model.onnx"), sha256={"model.onnx": digest(MODEL).removeprefix("sha256:")}
    )
    assert told["state"] == "SUCCEEDED", told["reason"]
    assert len(registry.blobs.asked) == asked + 1, "what the caller alone says of a digest proves no origin"


async def test_a_manifest_or_blob_that_arrives_changed_is_refused(
    admin: httpx.AsyncClient, project: str, registry: Registry
) -> None:
    registry.push(layer(MODEL, **{TITLE: "model.onnx"}))
    pinned = registry.source.replace(":v1", f"@{digest(registry.manifest)}")
    registry.manifest += b" "
    changed = await imported(admin, project, pinned, credential="r")
    assert (changed["state"], changed["code"]) == ("FAILED", "origin_digest_mismatch")
    registry.blobs.files[f"/{digest(MODEL)}"] = MODEL[:-1] + b"x"
    changed = await imported(admin, project, registry.source, credential="r")
    assert (changed["state"], changed["code"]) == ("FAILED", "origin_digest_mismatch")


async def test_what_has_no_files_as_layers_and_who_shows_nothing_is_told_why(
    admin: httpx.AsyncClient, project: str, registry: Registry
) -> None:
    registry.push(layer(MODEL))
    image = await imported(admin, project, registry.source, credential="r")
    assert (image["code"], "oras push" in image["reason"]) == ("artifact_of_archives", True)
    registry.push(manifests=[layer(MODEL)])
    assert (await imported(admin, project, registry.source, credential="r"))["code"] == "artifact_is_an_index"
    assert (await imported(admin, project, registry.source))["code"] == "origin_denied"
    refused = await begun(admin, project, "oci://a.test/UPPER:v1")
    assert (refused.status_code, refused.json()["code"]) == (422, "source_malformed")
