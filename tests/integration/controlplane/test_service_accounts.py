"""Service accounts: what their tokens open, when that ends, and that they never hold more than their project gives."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from mizzen_controlplane.authorization.models import RoleBinding
from mizzen_controlplane.identity.models import Project
from mizzen_controlplane.kit.database import open_database, unit_of_work
from mizzen_controlplane.kit.ids import new_id
from mizzen_controlplane.models.scanning.findings import Findings
from mizzen_controlplane.models.scanning.tokens import scan_text
from mizzen_controlplane.service_accounts.token_secret import TOKEN_PATTERN
from sqlmodel import select
from support.controlplane import ControlPlane
from support.persons import bind, new_person


class Program:
    """A service account with a token, calling."""

    def __init__(self, plane: ControlPlane, admin: httpx.Client, project: str, name: str = "ci") -> None:
        self.path = f"/api/v1/projects/{project}/service-accounts/{name}"
        self.admin = admin
        made = admin.post(self.path.rpartition("/")[0], json={"name": name})
        assert made.status_code == 201, made.text
        self.account: dict[str, Any] = made.json()
        self.principal: str = made.json()["principal"]
        self.secret: str = self.post("/tokens", {"name": "t"})["secret"]
        self.client = httpx.Client(base_url=plane.url, trust_env=False, timeout=30, verify=plane.trusted)

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """As the administrator."""
        answer = self.admin.post(self.path + path, json=body)
        assert answer.status_code in (200, 201), answer.text
        told: dict[str, Any] = answer.json()
        return told

    def get(self, path: str, secret: str = "") -> httpx.Response:
        """As itself."""
        return self.client.get(path, headers={"Authorization": f"Bearer {secret or self.secret}"})


@pytest.fixture
def program(controlplane: ControlPlane, admin: httpx.Client, project: str) -> Iterator[Program]:
    """A service account of the project, without any role."""
    made = Program(controlplane, admin, project)
    with made.client:
        yield made


def test_a_service_account_holds_what_is_bound_to_it_and_nothing_else(
    admin: httpx.Client, project: str, program: Program
) -> None:
    path = f"/api/v1/projects/{project}"
    assert program.get(path).status_code == 404
    binding = bind(admin, program.principal, "viewer", project)
    assert program.get(path + "/models").status_code == 200
    assert program.get(path + "/service-accounts").status_code == 403
    assert program.get("/api/v1/bindings").status_code == 403
    assert [row["name"] for row in program.get("/api/v1/projects").json()["items"]] == [project]
    me = program.get("/api/v1/me").json()
    assert me["principal"] == program.principal
    assert "models:read" in me["permissions"]
    assert admin.delete(f"{path}/bindings/{binding}").status_code == 204
    assert program.get(path).status_code == 404


def test_it_can_be_bound_in_its_own_project_alone(
    admin: httpx.Client, controlplane: ControlPlane, program: Program
) -> None:
    other = f"/api/v1/projects/{controlplane.new_project()}"
    for path in ("/api/v1", other):
        refused = admin.post(path + "/bindings", json={"principal": program.principal, "role": "viewer"})
        assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/principal")
    absent = {"principal": "service-account:sva_none", "permission": "models:read"}
    foreign = {**absent, "principal": program.principal}
    answers = [admin.get(other + "/access:explain", params=asked).json() for asked in (absent, foreign)]
    told = [answer["errors"][0]["detail"].replace(program.principal, "service-account:sva_none") for answer in answers]
    assert told[0] == told[1]


async def test_a_binding_elsewhere_opens_nothing_even_where_it_is_there(
    controlplane: ControlPlane, program: Program
) -> None:
    other = controlplane.new_project()
    database = open_database(controlplane.database_url)
    async with unit_of_work(database) as work:
        project = (await work.exec(select(Project).where(Project.name == other))).one()
        for place in ("", project.id):
            work.add(
                RoleBinding(
                    id=(made := new_id("rbd")),
                    name=made,
                    organization_id=project.organization_id,
                    principal=program.principal,
                    role="org-admin",
                    effect="allow",
                    project_id=place,
                )
            )
    await database.close()
    assert program.get(f"/api/v1/projects/{other}").status_code == 404
    assert program.get("/api/v1/bindings").status_code == 403
    assert program.get("/api/v1/projects").json()["items"] == []


def test_its_access_is_explained_as_it_is_decided(admin: httpx.Client, project: str, program: Program) -> None:
    path = f"/api/v1/projects/{project}"
    asked = {"principal": program.principal, "permission": "models:read"}
    assert admin.get(path + "/access:explain", params=asked).json()["allowed"] is False
    bind(admin, program.principal, "viewer", project)
    assert admin.get(path + "/access:explain", params=asked).json()["allowed"] is True
    assert admin.patch(program.path, json={"disabled": True}).json()["disabled"] is True
    told = admin.get(path + "/access:explain", params=asked).json()
    assert (told["allowed"], "disabled" in told["because"]) == (False, True)
    refused = program.get(path)
    assert (refused.status_code, refused.json()["code"]) == (401, "account_token_refused")
    assert admin.patch(program.path, json={"disabled": False}).status_code == 200
    assert program.get(path).status_code == 200


def test_a_token_ends_when_it_expires_is_rotated_or_revoked(
    admin: httpx.Client, project: str, program: Program
) -> None:
    bind(admin, program.principal, "viewer", project)
    path, tokens = f"/api/v1/projects/{project}", program.path + "/tokens"
    first, second = program.secret, program.post("/tokens/t:rotate", {"overlap_seconds": 60})["secret"]
    assert [program.get(path, secret).status_code for secret in (first, second)] == [200, 200]
    third = program.post("/tokens/t:rotate", {})["secret"]
    assert [program.get(path, secret).status_code for secret in (first, second, third)] == [401, 401, 200]
    assert program.post("/tokens/t:revoke", {})["state"] == "REVOKED"
    assert program.get(path, third).status_code == 401
    again = admin.post(tokens + "/t:rotate")
    assert (again.status_code, again.json()["code"]) == (409, "account_token_revoked")
    past = (datetime.now(UTC) - timedelta(seconds=1)).isoformat()
    refused = admin.post(tokens, json={"name": "late", "expires_at": past})
    assert refused.json()["errors"][0]["pointer"] == "/expires_at"
    told = admin.get(tokens).json()["items"]
    assert [(one["name"], one["state"], one["last_used_at"] is not None) for one in told] == [("t", "REVOKED", True)]


def test_the_secret_is_shown_once_and_a_scanner_knows_it(
    controlplane: ControlPlane, admin: httpx.Client, project: str, program: Program
) -> None:
    assert re.fullmatch(TOKEN_PATTERN, program.secret)
    shown = [admin.get(path).text for path in (program.path, program.path + "/tokens")]
    trail = admin.get(f"/api/v1/projects/{project}/audit-events")
    assert trail.json()["items"][0]["action"] == "service-account-tokens.create"
    assert not any(program.secret[12:55] in text for text in (*shown, trail.text, controlplane.log))
    mistyped = program.secret[:-1] + ("0" if program.secret[-1] != "0" else "1")
    assert "checksum" in program.get("/api/v1/me", mistyped).json()["detail"]
    key = admin.post(f"/api/v1/projects/{project}/keys", json={"name": "k"}).json()["secret"]
    for secret in (program.secret, key):
        scan_text("a.py", f'TOKEN = "{secret}"'.encode(), found := Findings())
        assert [finding.rule for finding in found.kept] == ["secret"]


def test_nobody_gets_a_token_that_opens_more_than_they_hold(
    controlplane: ControlPlane, admin: httpx.Client, project: str, program: Program
) -> None:
    person = new_person(controlplane)
    bind(admin, person.principal, "project-admin", project)
    bind(admin, program.principal, "org-admin", project)
    with person.client as client:
        made = client.post(program.path + "/tokens", json={"name": "mine"})
        assert (made.status_code, made.json()["code"]) == (403, "more_than_you_hold")
        assert client.post(program.path + "/tokens/t:rotate").status_code == 403
        assert client.patch(program.path, json={"disabled": True}).status_code == 200
        assert client.patch(program.path, json={"disabled": False}).status_code == 403
        assert client.post(program.path + "/tokens/t:revoke").status_code == 200


def test_a_deleted_one_leaves_neither_token_nor_binding(admin: httpx.Client, project: str, program: Program) -> None:
    binding = bind(admin, program.principal, "viewer", project)
    stale = admin.delete(program.path, headers={"If-Match": '"sva_none.1"'})
    assert stale.status_code == 412
    assert admin.delete(program.path).status_code == 204
    assert program.get("/api/v1/me").status_code == 401
    assert admin.get(f"/api/v1/bindings/{binding}").status_code == 404
    refused = admin.post(
        f"/api/v1/projects/{project}/bindings", json={"principal": program.principal, "role": "viewer"}
    )
    assert refused.status_code == 422


def test_names_are_unique_and_another_projects_account_is_absent(
    controlplane: ControlPlane, admin: httpx.Client, project: str, program: Program
) -> None:
    taken = admin.post(program.path.rpartition("/")[0], json={"name": "ci"})
    assert (taken.status_code, taken.json()["code"]) == (409, "name_taken")
    foreign = f"/api/v1/projects/{controlplane.new_project()}/service-accounts/{program.account['id']}"
    for answer in (admin.get(foreign), admin.get(foreign + "/tokens"), admin.post(foreign + "/tokens/t:revoke")):
        assert (answer.status_code, answer.json()["code"]) == (404, "service_account_not_found")
