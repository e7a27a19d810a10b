"""Roles bound to people: what they open, that a denial wins, and that nobody gives more than they hold."""

from collections.abc import Iterator

import httpx
import pytest
from support.controlplane import ControlPlane
from support.persons import SignedInPerson, bind, new_person


@pytest.fixture
def person(controlplane: ControlPlane) -> Iterator[SignedInPerson]:
    """Somebody who holds nothing yet."""
    somebody = new_person(controlplane)
    with somebody.client:
        yield somebody


@pytest.fixture
def model(admin: httpx.Client, project: str) -> str:
    """A model of the project; its id."""
    made = admin.post(f"/api/v1/projects/{project}/models", json={"name": "a"})
    assert made.status_code == 201, made.text
    return str(made.json()["id"])


def test_a_binding_opens_a_project_at_once_and_its_end_shuts_it(
    admin: httpx.Client, project: str, person: SignedInPerson
) -> None:
    path = f"/api/v1/projects/{project}"
    absent, hidden = person.client.get("/api/v1/projects/p-none").json(), person.client.get(path).json()
    assert hidden["status"] == 404
    assert {**hidden, "request_id": "", "detail": ""} == {**absent, "request_id": "", "detail": ""}
    assert hidden["detail"] == absent["detail"].replace("p-none", project)
    binding = bind(admin, person.principal, "viewer", project)
    assert person.client.get(path).status_code == 200
    assert person.client.get(path + "/models").status_code == 200
    refused = person.client.post(path + "/keys", json={"name": "k"})
    assert refused.status_code == 403
    assert "keys:write" in refused.json()["detail"]
    assert "developer" in refused.json()["detail"]
    assert [row["name"] for row in person.client.get("/api/v1/projects").json()["items"]] == [project]
    assert person.client.get("/api/v1/bindings").status_code == 403
    assert admin.delete(f"{path}/bindings/{binding}").status_code == 204
    assert person.client.get(path).status_code == 404
    assert person.client.get("/api/v1/projects").json()["items"] == []


def test_a_denial_wins_over_a_role_of_the_organization(
    admin: httpx.Client, controlplane: ControlPlane, project: str, person: SignedInPerson
) -> None:
    other = controlplane.new_project()
    bind(admin, person.principal, "developer")
    bind(admin, person.principal, "developer", project, effect="deny")
    assert person.client.get(f"/api/v1/projects/{project}").status_code == 404
    assert person.client.get(f"/api/v1/projects/{other}").status_code == 200
    listed = person.client.get("/api/v1/projects", params={"page_size": 500}).json()["items"]
    assert other in [row["name"] for row in listed]
    assert project not in [row["name"] for row in listed]


def test_a_binding_to_a_model_holds_for_its_id_as_for_its_name(
    admin: httpx.Client, project: str, model: str, person: SignedInPerson
) -> None:
    path = f"/api/v1/projects/{project}/models"
    bind(admin, person.principal, "viewer", project)
    bind(admin, person.principal, "viewer", project, resource="model/a", effect="deny")
    assert [person.client.get(f"{path}/{ref}").status_code for ref in ("a", model)] == [404, 404]
    assert person.client.get(path).status_code == 200


def test_a_role_at_one_model_opens_that_alone(
    admin: httpx.Client, project: str, model: str, person: SignedInPerson
) -> None:
    path = f"/api/v1/projects/{project}/models"
    bind(admin, person.principal, "developer", project, resource="model/a")
    assert [person.client.get(f"{path}/{ref}").status_code for ref in ("a", model, "b")] == [200, 200, 404]
    assert person.client.patch(f"{path}/a", json={"description": "mine"}).status_code == 200
    assert person.client.get(path).status_code == 404


def test_nobody_gives_or_takes_away_more_than_they_hold(
    admin: httpx.Client, controlplane: ControlPlane, project: str, person: SignedInPerson
) -> None:
    bind(admin, person.principal, "project-admin", project)
    with new_person(controlplane).client as other:
        to = other.get("/api/v1/me").json()["principal"]
    path = f"/api/v1/projects/{project}/bindings"
    refused = person.client.post(path, json={"principal": to, "role": "org-admin"})
    assert (refused.status_code, refused.json()["code"]) == (403, "more_than_you_hold")
    assert person.client.post(path, json={"principal": to, "role": "developer"}).status_code == 201
    assert person.client.post("/api/v1/bindings", json={"principal": to, "role": "viewer"}).status_code == 403
    above = bind(admin, to, "org-admin", project)
    assert person.client.delete(f"{path}/{above}").status_code == 403
    bind(admin, person.principal, "viewer", project, resource="model/a", effect="deny")
    refused = person.client.post(path, json={"principal": to, "role": "viewer"})
    assert refused.json()["code"] == "more_than_you_hold"


def test_bindings_of_what_is_not_there_are_refused(admin: httpx.Client, project: str, person: SignedInPerson) -> None:
    for path in ("/api/v1/bindings", f"/api/v1/projects/{project}/bindings"):
        nobody = admin.post(path, json={"principal": "person:per_none", "role": "viewer"})
        assert (nobody.status_code, nobody.json()["errors"][0]["pointer"]) == (422, "/principal")
        nothing = admin.post(path, json={"principal": person.principal, "role": "emperor"})
        assert (nothing.status_code, nothing.json()["errors"][0]["pointer"]) == (422, "/role")
    bind(admin, person.principal, "viewer", project)
    again = admin.post(path, json={"principal": person.principal, "role": "viewer"})
    assert (again.status_code, again.json()["code"]) == (409, "bound")


def test_a_refused_attempt_at_what_one_may_not_see_is_in_the_audit_trail(
    admin: httpx.Client, project: str, person: SignedInPerson
) -> None:
    person.client.get(f"/api/v1/projects/{project}/keys")
    found = admin.get("/api/v1/audit-events", params={"filter": f"actor = {person.principal} AND outcome = denied"})
    assert [row["resource"] for row in found.json()["items"]] == [f"/api/v1/projects/{project}/keys"]


def test_an_erased_person_holds_nothing(admin: httpx.Client, project: str, person: SignedInPerson) -> None:
    binding = bind(admin, person.principal, "viewer", project)
    ident = person.principal.removeprefix("person:")
    assert admin.post(f"/api/v1/persons/{ident}:erase").json()["erased"]["bindings"] == 1
    assert admin.get(f"/api/v1/bindings/{binding}").status_code == 404


def test_access_is_explained_as_it_is_decided(admin: httpx.Client, project: str, person: SignedInPerson) -> None:
    path, asked = f"/api/v1/projects/{project}", {"permission": "models:read", "principal": person.principal}
    mine = {"permission": "models:read", "project": project}

    def told() -> tuple[bool, list[str]]:
        answer = admin.get(path + "/access:explain", params=asked).json()
        assert answer["allowed"] == person.client.get("/api/v1/me:explain", params=mine).json()["allowed"]
        assert answer["allowed"] == (person.client.get(path + "/models").status_code == 200)
        return answer["allowed"], [one["id"] for one in answer["bindings"]]

    assert told() == (False, [])
    viewer = bind(admin, person.principal, "viewer", project)
    assert told() == (True, [viewer])
    denial = bind(admin, person.principal, "viewer", effect="deny")
    assert told() == (False, [denial])
    nobody = admin.get(path + "/access:explain", params={**asked, "principal": "person:none"})
    assert (nobody.status_code, nobody.json()["errors"][0]["pointer"]) == (422, "/principal")
    assert admin.get("/api/v1/me:explain", params=mine).json()["allowed"]


def test_a_role_of_a_group_is_its_members_and_only_theirs(
    admin: httpx.Client, controlplane: ControlPlane, project: str, person: SignedInPerson
) -> None:
    path = f"/api/v1/projects/{project}"
    bind(admin, "group:Research & Tests", "viewer", project)
    member = new_person(controlplane, groups=["Research & Tests", "others"])
    with member.client:
        assert member.client.get(path).status_code == 200
    assert person.client.get(path).status_code == 404
