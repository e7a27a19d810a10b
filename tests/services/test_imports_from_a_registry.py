"""Artifacts are imported from a real OCI registry: by tag and digest, with a stored name and password."""

from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
from support.artifact_registry import PASSWORD, USER, ArtifactRegistry, artifact_registry
from support.controlplane import ControlPlane, sqlite_controlplane
from support.importing import imported
from support.pushing import onnx_model, safetensors_file

FILES = {"model.safetensors": safetensors_file({"w": [(9 << 20) // 4]}), "deep/config.json": b'{"a": 1}'}


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ArtifactRegistry]:
    """The registry."""
    with artifact_registry(tmp_path_factory.mktemp("registry")) as running:
        yield running


@pytest.fixture(scope="module")
def plane(registry: ArtifactRegistry, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """A control plane that trusts it."""
    with sqlite_controlplane(tmp_path_factory.mktemp("cp"), MIZZEN_EGRESS_TRUSTED=registry.host) as running:
        yield running


@pytest.fixture
async def admin(plane: ControlPlane) -> AsyncIterator[httpx.AsyncClient]:
    """The administrator's client."""
    async with plane.async_client() as client:
        yield client


async def test_an_artifact_is_imported_by_tag_and_by_the_digest_that_the_tag_meant(
    registry: ArtifactRegistry, admin: httpx.AsyncClient
) -> None:
    digest = registry.push("house/prices", "v1", FILES)
    body = {"name": "r", "host": f"http://{registry.host}", "kind": "basic", "username": USER, "secret": PASSWORD}
    assert (await admin.post("/api/v1/projects/default/import-credentials", json=body)).status_code == 201
    source = f"oci+http://{registry.host}/house/prices"
    by_tag = await imported(admin, "default", f"{source}:v1", credential="r")
    assert by_tag["state"] == "SUCCEEDED", by_tag["reason"]
    version = (await admin.get("/api/v1/projects/default/models/m/versions/1")).json()
    assert {file["path"]: file["size"] for file in version["files"]} == {p: len(c) for p, c in FILES.items()}
    assert version["lineage"]["origin"] == {"source": f"{source}:v1", "revision": digest}
    registry.push("house/prices", "v1", {"model.onnx": onnx_model()})
    pinned = await imported(admin, "default", f"{source}@{digest}", credential="r")
    assert pinned["result"]["digest"] == by_tag["result"]["digest"]


async def test_a_registry_that_wants_a_password_and_a_tag_that_is_not_there_are_told_apart(
    registry: ArtifactRegistry, admin: httpx.AsyncClient
) -> None:
    registry.push("house/sizes", "v1", FILES)
    source = f"oci+http://{registry.host}/house/sizes"
    assert (await imported(admin, "default", f"{source}:v1"))["code"] == "origin_denied"
    body = {"name": "s", "host": f"http://{registry.host}", "kind": "basic", "username": USER, "secret": PASSWORD}
    assert (await admin.post("/api/v1/projects/default/import-credentials", json=body)).status_code == 201
    missing = await imported(admin, "default", f"{source}:v2", credential="s")
    assert missing["code"] == "origin_not_found"
