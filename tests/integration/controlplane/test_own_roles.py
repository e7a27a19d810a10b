"""Roles of the organization's own: what they open, who may make them, and when they may go."""

import secrets
from collections.abc import Iterator

import httpx
import pytest
from support.controlplane import ControlPlane
from support.persons import SignedInPerson, bind, new_person

ROLES = "/api/v1/roles"


@pytest.fixture
def person(controlplane: ControlPlane) -> Iterator[SignedInPerson]:
    """Somebody who holds nothing yet."""
    somebody = new_person(controlplane)
    with somebody.client:
        yield somebody


@pytest.fixture
def captain(admin: httpx.Client) -> str:
    """A role that sees models; its name."""
    name = f"captain-{secrets.token_hex(4)}"
    made = admin.post(ROLES, json={"name": name, "permissions": ["models:read", "projects:read"]})
    assert made.status_code == 201, made.text
    return name


def test_a_role_opens_what_it_holds_and_a_change_of_it_holds_at_once(
    admin: httpx.Client, project: str, person: SignedInPerson, captain: str
) -> None:
    bind(admin, person.principal, captain, project)
    path = f"/api/v1/projects/{project}"
    assert [person.client.get(path + end).status_code for end in ("/models", "/keys")] == [200, 403]
    stale = admin.get(f"{ROLES}/{captain}").headers["ETag"]
    more = {"permissions": ["keys:read", "projects:read"]}
    changed = admin.patch(f"{ROLES}/{captain}", json=more, headers={"If-Match": stale})
    assert changed.json()["permissions"] == ["keys:read", "projects:read"]
    assert [person.client.get(path + end).status_code for end in ("/models", "/keys")] == [403, 200]
    assert admin.patch(f"{ROLES}/{captain}", json=more, headers={"If-Match": stale}).status_code == 412
    trail = admin.get("/api/v1/audit-events", params={"filter": f"resource = {changed.json()['id']}"}).json()["items"]
    assert {event["action"] for event in trail} == {"roles.create", "roles.change"}


def test_a_role_in_use_is_not_deleted(admin: httpx.Client, project: str, person: SignedInPerson, captain: str) -> None:
    binding = bind(admin, person.principal, captain, project)
    refused = admin.delete(f"{ROLES}/{captain}")
    assert (refused.status_code, refused.json()["code"], refused.json()["bindings"]) == (409, "role_in_use", 1)
    assert admin.delete(f"/api/v1/bindings/{binding}").status_code == 204
    assert admin.delete(f"{ROLES}/{captain}").status_code == 204
    assert admin.get(f"{ROLES}/{captain}").json()["code"] == "role_not_found"
    unbound = admin.post("/api/v1/bindings", json={"principal": person.principal, "role": captain})
    assert unbound.json()["code"] == "no_such_role"


def test_nobody_makes_or_changes_a_role_beyond_what_they_hold(
    admin: httpx.Client, person: SignedInPerson, captain: str
) -> None:
    bind(admin, person.principal, "org-admin")
    beyond = {"name": f"{captain}-2", "permissions": ["models:read", "manage"]}
    refused = person.client.post(ROLES, json=beyond)
    assert (refused.status_code, refused.json()["code"]) == (403, "more_than_you_hold")
    refused = person.client.patch(f"{ROLES}/{captain}", json={"permissions": ["manage"]})
    assert refused.json()["code"] == "more_than_you_hold"
    assert admin.post(ROLES, json=beyond).status_code == 201
    assert person.client.patch(f"{ROLES}/{captain}-2", json={"description": "all"}).status_code == 200
    weaker = person.client.patch(f"{ROLES}/{captain}-2", json={"permissions": ["models:read"]})
    assert weaker.json()["code"] == "more_than_you_hold"


def test_roles_that_come_with_the_release_stay_as_they_are(admin: httpx.Client) -> None:
    assert admin.get(f"{ROLES}/viewer").json()["built_in"] is True
    assert admin.post(ROLES, json={"name": "viewer", "permissions": ["models:read"]}).json()["code"] == "name_taken"
    for answer in (admin.patch(f"{ROLES}/viewer", json={"description": "x"}), admin.delete(f"{ROLES}/viewer")):
        assert (answer.status_code, answer.json()["code"]) == (409, "role_built_in")


@pytest.mark.parametrize(
    ("permissions", "pointer"),
    [
        ([], "/permissions"),
        (["models:read", "usage:write"], "/permissions/1"),
        (["models:read", "everything"], "/permissions/1"),
    ],
)
def test_what_no_role_may_hold_is_refused_by_its_place(
    admin: httpx.Client, permissions: list[str], pointer: str
) -> None:
    refused = admin.post(ROLES, json={"name": "none", "permissions": permissions})
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, pointer)


def test_roles_are_listed_with_those_of_the_release(admin: httpx.Client, captain: str) -> None:
    names, token = [], ""
    while True:
        page = admin.get(ROLES, params={"page_size": 5, "page_token": token}).json()
        names += [role["name"] for role in page["items"]]
        if not (token := page["next_page_token"]):
            break
    assert names == sorted(names)
    assert {captain, "viewer", "platform-admin"} <= set(names)
