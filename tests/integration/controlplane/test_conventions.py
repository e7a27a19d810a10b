"""What holds for every route: who may call, ETag and If-Match, Idempotency-Key, pages, problems."""

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from mizzen_controlplane.domains import DOMAINS
from mizzen_controlplane.kit.auth import PUBLIC_PATHS
from support.controlplane import ControlPlane
from support.plain_http import NOBODY

ROUTES = sorted(
    (method, str(route.path))  # type: ignore[attr-defined]  # all are GuardedRoute
    for domain in DOMAINS
    for route in domain.router.routes
    for method in route.methods  # type: ignore[attr-defined]  # the same
    if route.path not in PUBLIC_PATHS  # type: ignore[attr-defined]  # the same
)


SIGN_IN = {
    "/auth/password": 405,
    "/auth/providers/{provider}/start": 404,
    "/auth/providers/{provider}/callback": 422,
    "/auth/providers/{provider}/exchange": 405,
}
"""Public ones, with what a GET without any words is told where no provider is known."""


@pytest.mark.parametrize(
    "authorization", ["", "Bearer", "Bearer mzt_admin_" + "x" * 43, "Basic YTpi", "Bearer mzk_a_b"]
)
def test_no_route_answers_without_a_subject(controlplane: ControlPlane, authorization: str) -> None:
    headers = {"Authorization": authorization} if authorization else {}
    with httpx.Client(base_url=controlplane.url, trust_env=False, verify=NOBODY, headers=headers) as client:
        # Which token was wrong is found out before the route is known: one walk over all of them tells.
        for method, path in ROUTES[:: 20 if authorization else 1]:
            url = path.replace("{path:path}", "x").replace("{", "").replace("}", "")
            answer = client.request(method, url)
            assert answer.status_code == 401, (method, path, answer.text)


def test_the_public_routes_are_those_on_the_list(controlplane: ControlPlane) -> None:
    with httpx.Client(base_url=controlplane.url, trust_env=False, verify=NOBODY) as client:
        for path in PUBLIC_PATHS:
            assert client.get(path).status_code == SIGN_IN.get(path, 200), path
        assert client.get("/openapi.json").status_code == 404
        assert client.get("/docs").status_code == 404


@pytest.mark.parametrize("program", ["gateway", "runner", "registry"])
@pytest.mark.parametrize("database_kind", ["sqlite"])  # each refusal is a write, and no refusal depends on the database
def test_a_program_opens_nothing_that_is_for_people(controlplane: ControlPlane, program: str) -> None:
    with controlplane.client(program) as client:
        for method, path in ROUTES:
            if path.startswith("/api/"):
                url = path.replace("{path:path}", "x").replace("{", "").replace("}", "")
                assert client.request(method, url).status_code == 403, (method, path)


def test_a_refused_attempt_is_in_the_audit_trail(controlplane: ControlPlane, admin: httpx.Client) -> None:
    with controlplane.client("gateway") as client:
        refused = client.post("/api/v1/projects", json={"name": "x"})
    request_id = refused.json()["request_id"]
    events = admin.get("/api/v1/audit-events", params={"filter": f"request_id = {request_id}"}).json()["items"]
    assert [(event["actor"], event["outcome"]) for event in events] == [("gateway", "denied")]


def test_a_change_made_for_a_state_that_has_passed_is_refused(admin: httpx.Client, project: str) -> None:
    url = f"/api/v1/projects/{project}"
    etag = admin.get(url).headers["ETag"]
    assert admin.patch(url, json={"labels": {"a": "1"}}, headers={"If-Match": etag}).status_code == 200
    stale = admin.patch(url, json={"labels": {"a": "2"}}, headers={"If-Match": etag})
    assert (stale.status_code, stale.json()["code"]) == (412, "precondition_failed")
    assert admin.get(url).json()["labels"] == {"a": "1"}


def test_the_same_idempotency_key_and_body_get_the_same_answer(admin: httpx.Client, project: str) -> None:
    keys = f"/api/v1/projects/{project}/keys"
    first, second = (admin.post(keys, json={"name": "app"}, headers={"Idempotency-Key": "once"}) for _ in range(2))
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json() == second.json()
    assert first.json()["secret"].startswith("mzk_")
    assert second.headers["Idempotency-Replayed"] == "true"
    assert len(admin.get(keys).json()["items"]) == 1


def test_an_idempotency_key_with_another_body_is_refused(admin: httpx.Client, project: str) -> None:
    keys = f"/api/v1/projects/{project}/keys"
    headers = {"Idempotency-Key": f"other-{project}"}
    admin.post(keys, json={"name": "app"}, headers=headers)
    refused = admin.post(keys, json={"name": "app2"}, headers=headers)
    assert (refused.status_code, refused.json()["code"]) == (422, "idempotency_key_reused")


def test_a_refusal_does_not_use_up_the_idempotency_key(admin: httpx.Client, project: str) -> None:
    keys = f"/api/v1/projects/{project}/keys"
    headers = {"Idempotency-Key": f"again-{project}"}
    body = {"name": "app"}
    admin.post(keys, json=body)
    assert admin.post(keys, json=body, headers=headers).status_code == 409
    assert admin.post(keys, json=body, headers=headers).json()["code"] == "name_taken"


def test_of_many_at_once_with_one_idempotency_key_one_writes(
    controlplane: ControlPlane, admin: httpx.Client, project: str
) -> None:
    keys = f"/api/v1/projects/{project}/keys"
    headers = {"Idempotency-Key": f"race-{project}"}
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: admin.post(keys, json={"name": "app"}, headers=headers), range(8)))
    assert {answer.status_code for answer in answers} <= {201, 409}
    made = {answer.json()["secret"] for answer in answers if answer.status_code == 201}
    assert len(made) == 1
    assert all(a.json()["code"] == "idempotency_in_progress" for a in answers if a.status_code == 409)
    assert len(admin.get(keys).json()["items"]) == 1


def test_pages_walk_over_everything_once(admin: httpx.Client, project: str) -> None:
    keys = f"/api/v1/projects/{project}/keys"
    for number in range(7):
        admin.post(keys, json={"name": f"k{number}"})
    for order in ("name desc", "created_at asc"):
        seen, token = [], ""
        while True:
            page = admin.get(keys, params={"page_size": 3, "page_token": token, "order_by": order}).json()
            seen += [item["name"] for item in page["items"]]
            token = page["next_page_token"]
            if not token:
                break
        wanted = [f"k{number}" for number in range(7)]
        assert seen == (wanted[::-1] if order == "name desc" else wanted)


@pytest.mark.parametrize(
    ("asked", "pointer"),
    [
        ({"page_size": "501"}, "query:page_size"),
        ({"filter": "digest = x"}, "query:filter"),
        ({"filter": "name ~ x"}, "query:filter"),
        ({"filter": "created_at > yesterday"}, "query:filter"),
        ({"order_by": "name sideways"}, "query:order_by"),
    ],
)
def test_a_wrong_page_question_names_the_parameter(
    admin: httpx.Client, project: str, asked: dict[str, str], pointer: str
) -> None:
    refused = admin.get(f"/api/v1/projects/{project}/keys", params=asked)
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["pointer"] == pointer


def test_a_page_token_of_another_list_is_refused(controlplane: ControlPlane, admin: httpx.Client) -> None:
    one, other = controlplane.new_project(), controlplane.new_project()
    for name in ("a", "b"):
        admin.post(f"/api/v1/projects/{one}/keys", json={"name": name})
    token = admin.get(f"/api/v1/projects/{one}/keys", params={"page_size": 1}).json()["next_page_token"]
    for project, text in ((other, token), (one, token[:-2] + "AA"), (one, "nonsense")):
        refused = admin.get(f"/api/v1/projects/{project}/keys", params={"page_size": 1, "page_token": text})
        assert (refused.status_code, refused.json()["code"]) == (422, "invalid_page_token")


def test_a_foreign_id_is_not_found(controlplane: ControlPlane, admin: httpx.Client, project: str) -> None:
    other = controlplane.new_project()
    key = admin.post(f"/api/v1/projects/{other}/keys", json={"name": "app"}).json()["id"]
    assert admin.get(f"/api/v1/projects/{project}/keys/{key}").status_code == 404
    assert admin.get("/api/v1/projects/prj_nowhere").json()["code"] == "project_not_found"


def test_a_problem_names_field_and_request(admin: httpx.Client) -> None:
    refused = admin.post("/api/v1/projects", json={"name": "Not A Name", "colour": "red"})
    assert refused.headers["Content-Type"] == "application/problem+json"
    assert {error["pointer"] for error in refused.json()["errors"]} == {"/name", "/colour"}
    assert refused.json()["request_id"] == refused.headers["X-Request-Id"]
    assert admin.post("/api/v1/projects", content=b"{", headers={"Content-Type": "application/json"}).status_code == 400


def test_a_body_over_the_limit_is_refused_with_and_without_a_length(admin: httpx.Client) -> None:
    big = json.dumps({"name": "x", "labels": {"a": "b" * (9 << 20)}}).encode()
    headers = {"Content-Type": "application/json"}
    for content in (big, iter([big[: 5 << 20], big[5 << 20 :]])):
        refused = admin.post("/api/v1/projects", content=content, headers=headers)
        assert (refused.status_code, refused.json()["code"]) == (413, "body_too_large")


def test_the_audit_chain_is_whole_after_writes_at_once(controlplane: ControlPlane, admin: httpx.Client) -> None:
    async def write() -> list[int]:
        async with controlplane.async_client() as client:
            made = await asyncio.gather(
                *(client.post("/api/v1/projects/default/keys", json={"name": f"c{n}"}) for n in range(20))
            )
        return [answer.status_code for answer in made]

    assert set(asyncio.run(write())) <= {201, 409}
    report = admin.get("/api/v1/audit-events:verify").json()
    assert report["whole"] is True
    assert report["events"] >= 20
