"""Every route of the OpenAPI document with every role: what no role says is refused, and a foreign id is absent."""

import json
import os
import random
import re
import secrets
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from mizzen_controlplane.authorization.roles import BUILT_IN
from support.controlplane import ControlPlane
from support.persons import SignedInPerson, bind, new_person

DOCUMENT: dict[str, Any] = json.loads((Path(__file__).parents[3] / "docs/reference/openapi.json").read_text())
ROUTES = [
    (method.upper(), path, operation["x-mizzen-permission"])
    for path, item in DOCUMENT["paths"].items()
    for method, operation in item.items()
    if "x-mizzen-permission" in operation and path != "/auth/sign-out"  # which would end the walk
]
ALL_ROLES = os.environ.get("MIZZEN_ALL_ROLES") == "1"
"""As `make test-long` has it; else one that a seed draws, since each refusal is a write to the audit trail."""
LISTS_ALL = {"/api/v1/projects"}
"""GET of these answers everybody with what they may see."""


@pytest.fixture
def database_kind() -> str:
    """One is enough: what is decided does not depend on it, and the tests of bindings run on both."""
    return "sqlite"


@pytest.fixture
def people(controlplane: ControlPlane, admin: httpx.Client) -> Iterator[dict[str, SignedInPerson]]:
    """One for each role of the walk, in the whole organization; and one without any."""
    seed = int(os.environ.get("MIZZEN_SEED", str(secrets.randbits(32))))
    drawn = sorted(BUILT_IN) if ALL_ROLES else random.Random(seed).sample(sorted(BUILT_IN), 1)
    print(f"MIZZEN_SEED={seed}: {drawn}")
    made = {role: new_person(controlplane) for role in ("nobody", *drawn)}
    for role in drawn:
        bind(admin, made[role].principal, role)
    yield made
    for person in made.values():
        person.client.close()


def filled(path: str, project: str, **ids: str) -> str:
    """The path, with ids of nothing where none is given."""
    return re.sub(r"\{(\w+)\}", lambda found: {"project": project, "version": "1", **ids}.get(found[1], "none"), path)


def test_every_route_is_shut_but_to_roles_that_hold_its_permission(
    people: dict[str, SignedInPerson], project: str
) -> None:
    wrong, tried = [], 0
    for method, path, permission in ROUTES:
        for role, person in people.items():
            holds = permission == "self" or (role in BUILT_IN and permission in BUILT_IN[role].permissions)
            answer = person.client.request(method, filled(path, project))
            hidden = role == "nobody" and answer.status_code == 404 if method == "HEAD" else is_hidden(answer)
            passed = answer.status_code not in (401, 403) and not hidden
            wanted = holds or (method == "GET" and path in LISTS_ALL)
            if passed != wanted:
                wrong.append((method, path, role, answer.status_code))
            tried += 1
    print(f"routes x roles tried: {len(ROUTES)} x {len(people)} = {tried}")
    assert wrong == []


def test_a_project_that_one_may_not_see_is_absent_on_every_route(
    controlplane: ControlPlane, admin: httpx.Client, project: str
) -> None:
    foreign = controlplane.new_project()
    person, seen = new_person(controlplane), Counter[int]()
    bind(admin, person.principal, "project-admin", project)
    with person.client as client:
        for method, path, _ in ROUTES:
            if "{project}" in path:
                answer = client.request(method, filled(path, foreign))
                assert answer.status_code == 404, (method, path, answer.text)
                if method == "GET":
                    absent = client.request(method, filled(path, "p-absent")).json()
                    told = {**answer.json(), "request_id": absent["request_id"]}
                    assert {**told, "detail": told["detail"].replace(foreign, "p-absent")} == absent
                seen[answer.status_code] += 1
    print(f"routes with a foreign project: {seen.total()}")


def is_hidden(answer: httpx.Response) -> bool:
    """Whether it says that there is no such project."""
    return answer.status_code == 404 and answer.json()["code"] == "project_not_found"
