"""What imports show to a host: stored sealed, told to nobody, and sent nowhere else."""

from base64 import b64encode
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from mizzen_controlplane.imports.credentials.place import place_of
from mizzen_controlplane.imports.credentials.schemas import CredentialKind
from mizzen_controlplane.imports.credentials.showing import Shown
from support.controlplane import ControlPlane
from support.file_origin import FileOrigin, file_origin
from support.importing import begun, imported
from support.pushing import onnx_model

TOKEN = "hf_a-token-that-nobody-sees-again"
MODEL = onnx_model()


@pytest.fixture
async def admin(controlplane: ControlPlane) -> AsyncIterator[httpx.AsyncClient]:
    async with controlplane.async_client() as client:
        yield client


@pytest.fixture
async def origin() -> AsyncIterator[FileOrigin]:
    """Answers only who shows the token."""
    async with file_origin(files={"/model.onnx": MODEL}) as made:
        made.answers = lambda _, headers: None if headers.get("authorization") == f"Bearer {TOKEN}" else (401, b"")
        yield made


async def stored(admin: httpx.AsyncClient, project: str, host: str, **fields: Any) -> httpx.Response:
    body = {"name": "hub", "host": host, "secret": TOKEN, **fields}
    return await admin.post(f"/api/v1/projects/{project}/import-credentials", json=body)


async def test_a_host_is_shown_what_was_stored_for_it_and_no_answer_or_record_tells_it(
    controlplane: ControlPlane, admin: httpx.AsyncClient, project: str, origin: FileOrigin
) -> None:
    denied = await imported(admin, project, origin.url("/model.onnx"))
    assert (denied["code"], "import-credentials" in denied["reason"]) == ("origin_denied", True)
    made = await stored(admin, project, f"http://{origin.host}")
    assert (made.status_code, made.json()["host"]) == (201, f"http://{origin.host}"), made.text
    done = await imported(admin, project, origin.url("/model.onnx"), credential="hub")
    assert done["state"] == "SUCCEEDED", done["reason"]
    path = f"/api/v1/projects/{project}/import-credentials"
    seen = [made.text, (await admin.get(path)).text, (await admin.get(f"{path}/hub")).text, str(done)]
    seen += [(await admin.get("/api/v1/audit-events", params={"filter": f"resource = {made.json()['id']}"})).text]
    assert "import-credentials.create" in seen[-1]
    assert not [text for text in seen if TOKEN in text]
    assert TOKEN not in controlplane.log


async def test_where_the_host_leads_elsewhere_the_other_one_is_shown_nothing(
    admin: httpx.AsyncClient, project: str, origin: FileOrigin
) -> None:
    async with file_origin("127.0.0.2", files={"/blob/model.onnx": MODEL}) as elsewhere:
        origin.redirects["/model.onnx"] = elsewhere.url("/blob/model.onnx")
        await stored(admin, project, f"http://{origin.host}")
        done = await imported(admin, project, origin.url("/model.onnx"), credential="hub")
        assert done["state"] == "SUCCEEDED", done["reason"]
        assert [headers.get("authorization") for _, headers in elsewhere.asked] == [None]
        assert origin.asked[-1][1]["authorization"] == f"Bearer {TOKEN}"
        refused = await begun(admin, project, elsewhere.url("/blob/model.onnx"), credential="hub")
        assert (refused.status_code, refused.json()["code"]) == (422, "credential_of_another_host")


async def test_a_replaced_secret_counts_and_the_host_never_changes(
    admin: httpx.AsyncClient, project: str, origin: FileOrigin
) -> None:
    path = f"/api/v1/projects/{project}/import-credentials/hub"
    await stored(admin, project, f"http://{origin.host}", secret="an-old-one")
    denied = await imported(admin, project, origin.url("/model.onnx"), credential="hub")
    assert (denied["code"], "Replace" in denied["reason"]) == ("origin_denied", True)
    assert (await admin.patch(path, json={"host": "else.test"})).status_code == 422
    changed = await admin.patch(path, json={"secret": TOKEN, "labels": {"a": "b"}})
    assert (changed.status_code, changed.json()["labels"]) == (200, {"a": "b"}), changed.text
    assert (await imported(admin, project, origin.url("/model.onnx"), credential="hub"))["state"] == "SUCCEEDED"
    assert (await admin.delete(path, headers={"If-Match": '"0"'})).status_code == 412
    assert (await admin.delete(path)).status_code == 204
    gone = await begun(admin, project, origin.url("/model.onnx"), credential="hub")
    assert (gone.status_code, gone.json()["code"]) == (404, "credential_not_found")


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [({"host": "10.0.0.1:8080"}, "/host"), ({"host": "user@a.test"}, "/host"), ({"secret": "a\nb"}, "/secret"),
     ({"kind": "basic"}, "/username"), ({"username": "u"}, "/username"), ({"host": "a.test:99999"}, "/host"),
     ({"host": "]"}, "/host")],
)  # fmt: skip
async def test_what_could_never_be_shown_is_refused_without_repeating_it(
    admin: httpx.AsyncClient, project: str, fields: dict[str, str], pointer: str
) -> None:
    refused = await stored(admin, project, **{"host": "a.test", **fields})
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, pointer), refused.text
    assert fields.get("secret", TOKEN) not in refused.text


@pytest.mark.parametrize(
    "url",
    ["http://a.test/x", "https://a.test:8443/x", "https://a.test.evil.test/x", "https://a.test@evil.test/x",
     "https://evil.test/https://a.test/", "https://evil.test\\@a.test/x", "ftp://a.test/", "https:///a.test/"],
)  # fmt: skip
def test_another_scheme_port_or_name_is_another_host(url: str) -> None:
    shown = Shown("a.test", CredentialKind.BASIC, "u", "p")
    assert shown.headers(url) == {}
    pair = b64encode(b"u:p").decode()
    assert shown.headers("https://A.test:443/x") == {"Authorization": f"Basic {pair}"}
    assert place_of("https://[2001:DB8::1]:444/") == "[2001:db8::1]:444"
