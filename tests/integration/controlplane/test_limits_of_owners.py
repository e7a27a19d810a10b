"""All keys that one person or service account has made in a project count together, between project and key."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from support.controlplane import ControlPlane
from support.persons import SignedInPerson, bind, new_person
from support.spending import Spending, new_spending


@pytest.fixture
def spending(controlplane: ControlPlane) -> Spending:
    return new_spending(controlplane)


@pytest.fixture
def person(controlplane: ControlPlane, admin: httpx.Client, spending: Spending) -> Iterator[SignedInPerson]:
    """Who may make keys in the project."""
    made = new_person(controlplane)
    bind(admin, made.principal, "developer", spending.project)
    with made.client:
        yield made


def key_of(person: SignedInPerson, spending: Spending, name: str) -> str:
    made = person.client.post(f"/api/v1/projects/{spending.project}/keys", json={"name": name})
    assert made.status_code == 201, made.text
    return str(made.json()["id"])


def limit(spending: Spending, **fields: Any) -> httpx.Response:
    body = {"name": "of-owner", "metric": "requests", "amount": 3, "window_seconds": 3600, **fields}
    return spending.admin("POST", "/limits", json=body)


def test_a_limit_of_a_person_reaches_gateways_with_the_persons_keys_and_is_explained_by_its_level(
    spending: Spending, person: SignedInPerson, controlplane: ControlPlane
) -> None:
    keys = [key_of(person, spending, name) for name in ("one", "two")]
    other = str(spending.admin("POST", "/keys", json={"name": "other"}).json()["id"])
    made = limit(spending, owner=person.principal)
    assert made.status_code == 201, made.text
    whose = f"{spending.project_id}/{person.principal.removeprefix('person:')}"
    assert (made.json()["scope"], made.json()["scope_id"]) == ("owner", whose)
    with controlplane.client("gateway") as gateway:
        told = gateway.get("/internal/v1/access/snapshot").json()
    assert [one["name"] for one in told["owner_limits"] if one["scope_id"] == whose] == ["of-owner"]
    assert whose not in {one["scope_id"] for one in (*told["limits"], *told["further_limits"])}
    owners = {one["id"]: one["owner"] for one in told["keys"]}
    assert [owners[one] for one in (*keys, other)] == [whose, whose, ""]
    began = datetime.now(UTC) - timedelta(seconds=1)
    spending.send(*(spending.event(key_id=key, started_at=began, budget_ids=[]) for key in (*keys, keys[0], other)))
    explained = spending.admin("GET", "/limits:explain", params={"model": "sentiment", "key": "two"}).json()
    [found] = [one for one in explained["applying"] if one["name"] == "of-owner"]
    assert (found["scope"], found["used"], found["refuses"]) == ("owner", "3", True)
    assert explained["refused_by"] == "of-owner"
    without = spending.admin("GET", "/limits:explain", params={"model": "sentiment", "key": "other"}).json()
    assert "of-owner" not in {one["name"] for one in without["applying"]}
    proposed = {"name": "p", "metric": "requests", "amount": 1, "window_seconds": 3600, "owner": person.principal}
    tried = spending.admin("POST", "/limits:simulate", json={"limits": [proposed], "days": 1})
    assert (tried.json()["requests"], tried.json()["refused"]) == (4, 2), tried.text


def test_the_feed_tells_a_new_key_of_a_counted_owner_with_its_owner(
    spending: Spending, person: SignedInPerson, controlplane: ControlPlane
) -> None:
    budget = {"name": "of-owner", "amount": "1.00", "owner": person.principal}
    made = spending.admin("POST", "/budgets", json=budget)
    assert (made.status_code, made.json().get("scope")) == (201, "owner"), made.text
    with controlplane.client("gateway") as gateway:
        version = gateway.get("/internal/v1/access/snapshot").json()["version"]
        key = key_of(person, spending, "late")
        asked = {"after": version, "deltas": "true"}
        with gateway.stream("GET", "/internal/v1/access/watch", params=asked) as lines:
            line = next(one for one in lines.iter_lines() if key in one)
    assert f'"owner":"{made.json()["scope_id"]}"' in line


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"owner": "person:per_none"}, "/owner"),
        ({"owner": "service-account:none"}, "/owner"),
        ({"owner": "program:admin"}, "/owner"),
        ({"scope": "owner"}, "/owner"),
        ({"scope": "key", "owner": "person:per_none"}, "/owner"),
        ({"key": "app", "owner": "person:per_none"}, "/owner"),
    ],
)
def test_an_owner_that_could_never_match_is_refused(spending: Spending, fields: dict[str, Any], pointer: str) -> None:
    refused = limit(spending, **fields)
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, pointer), refused.text


def test_a_service_account_is_named_as_people_call_it(spending: Spending) -> None:
    account = spending.admin("POST", "/service-accounts", json={"name": "ci"}).json()
    made = limit(spending, owner="service-account:ci")
    assert made.json()["scope_id"] == f"{spending.project_id}/{account['id']}"
