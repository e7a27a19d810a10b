"""Versions are imported from a bucket of a real S3-compatible store: through the way out, with a stored key or none."""

from collections.abc import AsyncIterator, Iterator

import httpx
import obstore
import pytest
from support.controlplane import ControlPlane, sqlite_controlplane
from support.file_origin import file_origin
from support.importing import begun, imported
from support.object_server import ACCESS, BUCKET, SECRET, ObjectServer
from support.pushing import onnx_model, safetensors_file

CREDENTIALS = "/api/v1/projects/default/import-credentials"
MODEL = onnx_model()
WEIGHTS = safetensors_file({"w": [(17 << 20) // 4]})


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectServer]:
    """The store, with a model of two files, a marker of a folder, and another model beside."""
    with ObjectServer(tmp_path_factory.mktemp("s3")) as running:
        for key, content in {"a b/v1/model.onnx": MODEL, "a b/v1/deep/weights.bin": WEIGHTS, "a b/v10": b"x"}.items():
            obstore.put(running.store(), key, content)
        yield running


@pytest.fixture(scope="module")
def plane(server: ObjectServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """A control plane that trusts it, on a machine that has an identity of its own."""
    trusted = f"{server.url.removeprefix('http://')},127.0.0.2"
    own = {"AWS_ACCESS_KEY_ID": ACCESS, "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_SESSION_TOKEN": "of-the-machine"}
    with sqlite_controlplane(tmp_path_factory.mktemp("cp"), MIZZEN_EGRESS_TRUSTED=trusted, **own) as running:
        yield running


@pytest.fixture
async def admin(plane: ControlPlane) -> AsyncIterator[httpx.AsyncClient]:
    """The administrator's client; the project has keys for the store."""
    async with plane.async_client() as client:
        yield client


def source(server: ObjectServer, prefix: str, bucket: str = BUCKET) -> str:
    return f"s3://{bucket}/{prefix}?endpoint={server.url}"


async def stored(admin: httpx.AsyncClient, host: str, name: str, secret: str = SECRET) -> None:
    body = {"name": name, "host": host, "kind": "access_key", "username": ACCESS, "secret": secret}
    made = await admin.post(CREDENTIALS, json=body)
    assert made.status_code in (201, 409), made.text


async def test_the_objects_below_a_prefix_become_a_version(server: ObjectServer, admin: httpx.AsyncClient) -> None:
    await stored(admin, server.url, "keys")
    done = await imported(admin, "default", source(server, "a%20b/v1"), credential="keys")
    assert done["state"] == "SUCCEEDED", done["reason"]
    files = (await admin.get(f"/api/v1/projects/default/models/m/versions/{done['result']['version']}")).json()["files"]
    assert {file["path"]: file["size"] for file in files} == {
        "model.onnx": len(MODEL), "deep/weights.bin": len(WEIGHTS),
    }  # fmt: skip
    one = await imported(admin, "default", source(server, "a%20b/v1/model.onnx"), credential="keys")
    assert (one["state"], one["result"]["size_bytes"]) == ("SUCCEEDED", len(MODEL)), one["reason"]


async def test_without_a_stored_key_not_even_the_machines_own_is_used(
    server: ObjectServer, admin: httpx.AsyncClient
) -> None:
    done = await imported(admin, "default", source(server, "a%20b/v1"))
    assert (done["state"], done["code"]) == ("FAILED", "origin_denied")
    assert "--access-key-id" in done["reason"]


async def test_a_key_that_the_store_refuses_and_what_it_does_not_have_are_told_apart(
    server: ObjectServer, admin: httpx.AsyncClient
) -> None:
    await stored(admin, server.url, "keys")
    await stored(admin, server.url, "wrong", "another-secret")
    refused = await imported(admin, "default", source(server, "a%20b/v1"), credential="wrong")
    assert (refused["code"], SECRET in refused["reason"]) == ("origin_denied", False)
    for missing in (source(server, "nothing"), source(server, "x", bucket="no-such-bucket")):
        done = await imported(admin, "default", missing, credential="keys")
        assert (done["state"], done["code"]) == ("FAILED", "origin_not_found"), done["reason"]


async def test_a_store_goes_out_by_the_one_way_and_its_redirects_are_shown_nothing(
    server: ObjectServer, admin: httpx.AsyncClient
) -> None:
    inside = await imported(admin, "default", "s3://models/x?endpoint=https://127.0.0.3:9")
    assert (inside["state"], "MIZZEN_EGRESS_TRUSTED" in inside["reason"]) == ("FAILED", True)
    async with file_origin() as store, file_origin() as elsewhere:
        asked = f"/{BUCKET}?list-type=2&prefix=x%2F"
        store.redirects[asked] = elsewhere.url("/stolen")
        await stored(admin, store.url(""), "of-the-store")
        body = {"credential": "of-the-store"}
        await imported(admin, "default", f"s3://{BUCKET}/x?endpoint={store.url('')}", **body)
        assert "AWS4-HMAC-SHA256" in store.asked[0][1]["authorization"], store.asked
        shown = [headers for _, headers in store.asked + elsewhere.asked]
        assert not [headers for headers in shown if SECRET in str(headers) or "x-amz-security-token" in headers]
        assert not [headers for _, headers in elsewhere.asked if "authorization" in headers], elsewhere.asked


async def test_a_pair_of_keys_is_for_buckets_alone(server: ObjectServer, admin: httpx.AsyncClient) -> None:
    await stored(admin, server.url, "keys")
    refused = await begun(admin, "default", f"{server.url}/x.onnx", credential="keys")
    assert (refused.status_code, refused.json()["code"]) == (422, "credential_of_another_kind")
