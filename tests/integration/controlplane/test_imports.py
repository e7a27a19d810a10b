"""Versions are fetched from elsewhere: once, whole, from where they were said to be, and nowhere else."""

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest
from mizzen_controlplane.kit.clock import utc_now
from mizzen_controlplane.kit.database import unit_of_work
from mizzen_controlplane.operations.models import Operation
from support.controlplane import ControlPlane
from support.file_origin import FileOrigin, file_origin
from support.importing import begun, ended, imported
from support.plane_in_process import plane_of_process
from support.pushing import onnx_model

MODEL = onnx_model()


@pytest.fixture
async def admin(controlplane: ControlPlane) -> AsyncIterator[httpx.AsyncClient]:
    async with controlplane.async_client() as client:
        yield client


@pytest.fixture
async def origin() -> AsyncIterator[FileOrigin]:
    async with file_origin() as made:
        yield made


async def test_a_file_of_a_web_server_becomes_a_version_that_says_where_it_came_from(
    admin: httpx.AsyncClient, project: str, origin: FileOrigin
) -> None:
    origin.files["/a/model.onnx"] = MODEL
    origin.redirects["/latest/model.onnx"] = origin.url("/a/model.onnx")
    done = await imported(admin, project, origin.url("/a/model.onnx"), metadata={"accuracy": 0.9})
    assert (done["state"], done["result"]["state"], done["progress"]["done_bytes"]) == (
        "SUCCEEDED",
        "READY",
        len(MODEL),
    )
    path = f"/api/v1/projects/{project}/models/m/versions/1"
    version = (await admin.get(path)).json()
    assert (version["metadata"], version["created_by"]) == ({"accuracy": 0.9}, "admin")
    assert version["lineage"]["origin"] == {"source": origin.url("/a/model.onnx"), "revision": version["digest"]}
    forged = {"lineage": {"origin": {"source": "https://else.test/", "revision": "1"}}}
    assert (await admin.patch(path, json=forged)).status_code == 422
    again = await imported(admin, project, origin.url("/latest/model.onnx"))
    assert again["result"]["version"] == 2
    audited = (await admin.get("/api/v1/audit-events", params={"filter": f"resource = {version['id']}"})).json()
    assert {event["action"] for event in audited["items"]} >= {"versions.create", "versions.finalize"}


async def test_an_origin_that_leads_to_a_private_address_is_followed_nowhere(
    admin: httpx.AsyncClient, project: str, origin: FileOrigin
) -> None:
    async with file_origin("127.0.0.1", files={"/model.onnx": MODEL}) as inside:
        origin.redirects["/model.onnx"] = inside.url("/model.onnx")
        done = await imported(admin, project, origin.url("/model.onnx"))
        assert (done["state"], inside.asked) == ("FAILED", [])
    assert "MIZZEN_EGRESS_TRUSTED" in done["reason"]


async def test_an_origin_that_lies_about_the_length_is_not_believed(
    admin: httpx.AsyncClient, project: str, origin: FileOrigin
) -> None:
    origin.files["/model.onnx"], origin.lies["/model.onnx"] = MODEL, len(MODEL) + 100
    done = await imported(admin, project, origin.url("/model.onnx"))
    assert (done["state"], done["code"]) == ("FAILED", "origin_broken")
    assert (await admin.get(f"/api/v1/projects/{project}/models/m")).json()["latest_version"] == 0


async def test_another_digest_than_was_promised_ends_it(
    admin: httpx.AsyncClient, project: str, origin: FileOrigin
) -> None:
    origin.files["/model.onnx"] = MODEL
    done = await imported(admin, project, origin.url("/model.onnx"), sha256={"model.onnx": "0" * 64})
    assert (done["state"], done["code"]) == ("FAILED", "origin_digest_mismatch")


async def test_a_file_that_changes_while_it_is_fetched_is_never_put_together(
    admin: httpx.AsyncClient, project: str, origin: FileOrigin
) -> None:
    origin.files["/model.onnx"], origin.stops["/model.onnx"] = MODEL, 20
    answer = await begun(admin, project, origin.url("/model.onnx"))
    await origin.stopped.wait()
    origin.files["/model.onnx"] = onnx_model()[:-1] + b"x"
    origin.let_go.set()
    done = await ended(admin, project, answer)
    assert (done["state"], done["code"]) == ("FAILED", "origin_changed")


@pytest.mark.parametrize(
    ("source", "fields", "code"),
    [("ftp://a/b", {}, "source_malformed"), ("https://u:p@a.test/m.onnx", {}, "source_malformed"),
     ("https://a.test/m.onnx?X-Amz-Signature=1", {}, "source_malformed"),
     ("https://a.test/../m.onnx", {}, "source_malformed"),
     ("https://a.test/d/", {}, "files_needed"), ("https://a.test/d/", {"files": ["*.onnx"]}, "files_needed")],
)  # fmt: skip
async def test_what_cannot_be_fetched_is_refused_at_once(
    admin: httpx.AsyncClient, project: str, source: str, fields: dict[str, Any], code: str
) -> None:
    refused = await begun(admin, project, source, **fields)
    assert (refused.status_code, refused.json()["code"]) == (422, code)


async def test_names_that_lead_out_of_a_version_are_refused(
    admin: httpx.AsyncClient, project: str, origin: FileOrigin
) -> None:
    done = await imported(admin, project, origin.url("/d/"), files=["model.onnx", "../../etc/passwd"])
    assert (done["state"], done["code"], origin.asked) == ("FAILED", "file_name_refused", [])


async def test_a_cancelled_import_leaves_nothing(
    controlplane: ControlPlane, admin: httpx.AsyncClient, project: str, origin: FileOrigin
) -> None:
    origin.files["/model.onnx"], origin.stops["/model.onnx"] = MODEL, 20
    answer = await begun(admin, project, origin.url("/model.onnx"))
    await origin.stopped.wait()
    await admin.post(f"/api/v1/projects/{project}/operations/{answer.json()['id']}:cancel")
    done = await ended(admin, project, answer)
    assert done["state"] == "CANCELLED"
    assert not (controlplane.data_dir / "imports" / done["id"]).exists()
    assert (await admin.get(f"/api/v1/projects/{project}/models/m")).json()["latest_version"] == 0


async def test_after_a_kill_the_import_goes_on_and_fetches_nothing_twice(
    new_controlplane: Callable[[str], ControlPlane], origin: FileOrigin
) -> None:
    plane_killed = new_controlplane("sqlite")
    plane_killed.environment = {"MIZZEN_EGRESS_TRUSTED": "127.0.0.2"}
    plane_killed.start()
    weights = os.urandom(3 << 20)
    origin.files.update({"/d/model.onnx": MODEL, "/d/weights.bin": weights})
    origin.stops["/d/weights.bin"] = 2 << 20
    project = plane_killed.new_project()
    async with plane_killed.async_client() as admin:
        answer = await begun(admin, project, origin.url("/d/"), files=["model.onnx", "weights.bin"])
        part = plane_killed.data_dir / "imports" / answer.json()["id"]
        part /= hashlib.sha256(b"weights.bin").hexdigest() + ".part"
        async with asyncio.timeout(30):
            while not part.exists() or part.stat().st_size < 1 << 20:  # noqa: ASYNC110 - another process writes it
                await asyncio.sleep(0.02)
        plane_killed.kill()
        here = part.stat().st_size
        async with plane_of_process(plane_killed) as plane, unit_of_work(plane.database) as session:
            # As if the lease of the dead had run out.
            (await session.get_one(Operation, answer.json()["id"])).held_until = utc_now() - timedelta(seconds=1)
        plane_killed.start()
        done = await ended(admin, project, answer)
        plane_killed.stop()
        assert (done["state"], done["attempts"], done["result"]["version"]) == ("SUCCEEDED", 2, 1), done
    assert done["result"]["size_bytes"] == len(MODEL) + len(weights)
    assert (origin.times("/d/model.onnx"), origin.times("/d/weights.bin")) == (1, 2)
    assert origin.asked[-1][1]["range"] == f"bytes={here}-"
