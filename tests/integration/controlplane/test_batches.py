"""Files and batches over HTTP, on either database, as gateways use them."""

import json
from typing import Any

import httpx
import pytest
from support.controlplane import ControlPlane
from support.gateway_of_plane import new_key
from support.until import until

CHAT = "/v1/chat/completions"


def line(number: int) -> bytes:
    document = {"custom_id": f"c{number}", "method": "POST", "url": CHAT, "body": {"model": "chat"}}
    return json.dumps(document).encode() + b"\n"


class Owner:
    """A project, as a gateway asks for it."""

    def __init__(self, plane: ControlPlane, project: str, client: httpx.Client) -> None:
        self.key_id, _ = new_key(plane, project)
        with plane.client() as admin:
            self.project_id = admin.get(f"/api/v1/projects/{project}").json()["id"]
        self._client = client

    def ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        url = f"/internal/v1/projects/{self.project_id}/{path}"
        return self._client.request(method, url, params={"key_id": self.key_id}, **options)

    def file(self, *pieces: bytes) -> str:
        made = self.ask("POST", "files", json={"filename": "x"}).json()["id"]
        for number, piece in enumerate(pieces):
            assert self.ask("PUT", f"files/{made}/pieces/{number}", content=piece).status_code == 204
        whole = self.ask("POST", f"files/{made}:complete", json={"pieces": len(pieces)})
        assert whole.status_code == 200, whole.text
        return str(made)


async def test_a_batch_comes_to_its_end_and_is_its_tenants_alone(controlplane: ControlPlane, project: str) -> None:
    with controlplane.client("gateway") as client:
        owner = Owner(controlplane, project, client)
        file = owner.file(line(1) + line(2), line(3))
        made = owner.ask("POST", "batches", json={"input_file_id": file, "endpoint": CHAT})
        assert made.status_code == 201, made.text
        batch = made.json()["id"]

        def status() -> str:
            return str(owner.ask("GET", f"batches/{batch}").json()["status"])

        await until(lambda: status() == "in_progress", 20)
        leased = client.post("/internal/v1/batches:lease", json={"holder": project}).json()
        assert leased["batch_id"] == batch
        found = client.get(f"/internal/v1/batches/{batch}/lines", params={"after": 1}).json()
        assert ([one["number"] for one in found["lines"]], found["more"]) == ([2], True)
        for numbers, go_on in (([2, 1], True), ([2, 3], False)):
            results = [{"number": one, "good": one != 3, "text": f'"answer {one}"'} for one in numbers]
            body = {"holder": project, "results": results}
            order = client.post(f"/internal/v1/batches/{batch}/results", json=body).json()
            assert order["go_on"] is go_on
        await until(lambda: status() == "completed", 20)

        ended = owner.ask("GET", f"batches/{batch}").json()
        assert ended["request_counts"] == {"total": 3, "completed": 2, "failed": 1}
        assert owner.ask("GET", f"files/{ended['output_file_id']}/content").text == '"answer 1"\n"answer 2"\n'
        assert owner.ask("GET", f"files/{ended['error_file_id']}/content").text == '"answer 3"\n'
        assert [one["id"] for one in owner.ask("GET", "batches").json()["data"]] == [batch]
        assert {one["id"] for one in owner.ask("GET", "files").json()["data"]} == {
            file, ended["output_file_id"], ended["error_file_id"]
        }  # fmt: skip

        other = Owner(controlplane, controlplane.new_project(), client)
        for path in (f"batches/{batch}", f"files/{file}", f"files/{ended['output_file_id']}/content"):
            assert other.ask("GET", path).status_code == 404
        for name in (file, ended["output_file_id"], ended["error_file_id"]):
            assert owner.ask("DELETE", f"files/{name}").status_code == 200
        assert owner.ask("GET", "files").json()["data"] == []


@pytest.mark.parametrize("program", ["admin", "runner", "registry"])
def test_content_is_reached_by_gateways_alone(controlplane: ControlPlane, program: str) -> None:
    with controlplane.client(program) as client:
        assert client.get("/internal/v1/projects/prj_x/files", params={"key_id": "key_x"}).status_code == 403
