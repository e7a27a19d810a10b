"""Do the limits and budgets of a Project object get into force, and whose are they then?"""

import secrets
from typing import Any

import httpx
import pytest
from support.cluster.cluster import Cluster
from support.cluster.objects import Objects, wait_until
from support.controlplane import ControlPlane
from support.kind_objects import declare

FAIR = {"name": "fair-use", "metric": "Requests", "amount": 600}
MONTHLY = {"name": "monthly", "amount": "2500.00"}


@pytest.fixture
def everything(bare_cluster: Cluster) -> Objects:
    """Objects as the cluster's administrator sees them."""
    return bare_cluster.objects


@pytest.fixture
def name() -> str:
    """Of a project that is not there yet."""
    return f"team-{secrets.token_hex(4)}"


def entries(admin: httpx.Client, name: str, kind: str = "limits") -> dict[str, Any]:
    found = admin.get(f"/api/v1/projects/{name}/{kind}").json()
    return {one["name"]: one for one in found.get("items", ())}


def amounts(admin: httpx.Client, name: str, kind: str = "limits") -> dict[str, Any]:
    return {entry: one["amount"] for entry, one in entries(admin, name, kind).items()}


def wait_amounts(admin: httpx.Client, name: str, wanted: dict[str, Any], kind: str = "limits") -> None:
    wait_until(lambda: amounts(admin, name, kind) == wanted, 20, lambda: str(entries(admin, name, kind)))


def snapshot(controlplane: ControlPlane) -> dict[str, Any]:
    with controlplane.client("gateway") as gateway:
        found: dict[str, Any] = gateway.get("/internal/v1/access/snapshot").json()
    return found


def test_what_a_project_object_declares_is_in_force_and_in_the_gateways_snapshot(
    admin: httpx.Client, everything: Objects, controlplane: ControlPlane, name: str
) -> None:
    tokens = {"name": "daily", "metric": "Tokens", "amount": 50_000_000, "windowSeconds": 86_400, "model": "chat"}
    declare(everything, name, (name, "Bound"), limits=[FAIR, tokens], budgets=[MONTHLY])
    wait_amounts(admin, name, {"fair-use": 600, "daily": 50_000_000})
    wait_amounts(admin, name, {"monthly": "2500.00"}, "budgets")
    project = admin.get(f"/api/v1/projects/{name}").json()["id"]
    seen = snapshot(controlplane)
    mine = [one for one in seen["limits"] if one["scope_id"] == project]
    assert {(one["metric"], one["amount"], one["window_seconds"], one["model"]) for one in mine} == {
        ("requests", 600, 60, None),
        ("tokens", 50_000_000, 86_400, "chat"),
    }
    assert [one["scope"] for one in seen["budgets"] if one["scope_id"] == project] == ["project"]


def test_what_changes_in_a_spec_changes_here_and_what_leaves_it_goes(
    admin: httpx.Client, everything: Objects, name: str
) -> None:
    other = {**FAIR, "name": "other"}
    declare(everything, name, (name, "Bound"), limits=[FAIR, other], budgets=[MONTHLY])
    wait_amounts(admin, name, {"fair-use": 600, "other": 600})
    wait_amounts(admin, name, {"monthly": "2500.00"}, "budgets")
    before = entries(admin, name, "budgets")["monthly"]["id"]
    declare(everything, name, (name, "Bound"), limits=[{**FAIR, "metric": "Tokens", "amount": 7}],
            budgets=[{**MONTHLY, "amount": "10.00"}])  # fmt: skip
    wait_amounts(admin, name, {"fair-use": 7})
    assert entries(admin, name)["fair-use"]["metric"] == "tokens"
    wait_amounts(admin, name, {"monthly": "10.00"}, "budgets")
    assert entries(admin, name, "budgets")["monthly"]["id"] == before, "it keeps what the month has spent"
    declare(everything, name, (name, "Bound"))
    wait_amounts(admin, name, {})
    wait_amounts(admin, name, {}, "budgets")


def test_a_generation_with_a_refused_entry_changes_nothing_until_it_is_right(
    admin: httpx.Client, everything: Objects, name: str
) -> None:
    declare(everything, name, (name, "Bound"), limits=[FAIR])
    wait_amounts(admin, name, {"fair-use": 600})
    of_a_key = {**FAIR, "name": "of-a-key", "key": "robot", "amount": 5}
    declare(everything, name, (name, "Bound"), limits=[{**FAIR, "amount": 1}, of_a_key])
    later = f"{name}-later"
    declare(everything, later, (later, "Bound"), limits=[FAIR])
    wait_amounts(admin, later, {"fair-use": 600})  # so both were looked at
    assert amounts(admin, name) == {"fair-use": 600}
    assert admin.post(f"/api/v1/projects/{name}/keys", json={"name": "robot"}).status_code == 201
    wait_amounts(admin, name, {"fair-use": 1, "of-a-key": 5})


def test_the_api_leaves_alone_what_a_project_object_declares(
    admin: httpx.Client, everything: Objects, name: str
) -> None:
    declare(everything, name, (name, "Bound"), limits=[FAIR], budgets=[MONTHLY])
    wait_amounts(admin, name, {"fair-use": 600})
    wait_amounts(admin, name, {"monthly": "2500.00"}, "budgets")
    for path, change in (("limits/fair-use", {"amount": 9}), ("budgets/monthly", {"amount": "9.00"})):
        for answer in (
            admin.patch(f"/api/v1/projects/{name}/{path}", json=change),
            admin.delete(f"/api/v1/projects/{name}/{path}"),
        ):
            assert (answer.status_code, answer.json()["code"]) == (409, "managed_by_project_object")
            assert "kubectl edit projects.mizzen.dev" in answer.json()["detail"]


def test_an_entry_of_the_api_stays_the_apis(admin: httpx.Client, everything: Objects, name: str) -> None:
    declare(everything, name, (name, "Bound"))
    wait_until(lambda: admin.get(f"/api/v1/projects/{name}").status_code == 200, 20, "no project")
    mine = {"name": "mine", "metric": "requests", "amount": 3}
    assert admin.post(f"/api/v1/projects/{name}/limits", json=mine).status_code == 201
    declare(everything, name, (name, "Bound"), limits=[FAIR])
    wait_amounts(admin, name, {"mine": 3, "fair-use": 600})
    declare(everything, name, (name, "Bound"), limits=[{**FAIR, "name": "mine"}])
    later = f"{name}-later"
    declare(everything, later, (later, "Bound"), limits=[FAIR])
    wait_amounts(admin, later, {"fair-use": 600})
    assert amounts(admin, name) == {"mine": 3, "fair-use": 600}, "the taken name is refused"


def test_after_its_project_object_a_limit_stays_in_force_and_is_the_apis(
    admin: httpx.Client, everything: Objects, name: str
) -> None:
    declare(everything, name, (name, "Bound"), limits=[FAIR])
    wait_amounts(admin, name, {"fair-use": 600})
    everything.delete("Project", name)
    path = f"/api/v1/projects/{name}/limits/fair-use"
    wait_until(lambda: admin.patch(path, json={"amount": 9}).status_code == 200, 20, lambda: admin.get(path).text)
    assert amounts(admin, name) == {"fair-use": 9}


def test_limits_of_a_project_that_the_api_made_are_not_taken_from_its_object(
    admin: httpx.Client, everything: Objects, name: str
) -> None:
    admin.post("/api/v1/projects", json={"name": name})
    everything.wait("Project", name, lambda _: True)
    everything.merge("Project", name, {"spec": {"limits": [FAIR]}})
    later = f"{name}-later"
    declare(everything, later, (later, "Bound"), limits=[FAIR])
    wait_amounts(admin, later, {"fair-use": 600})
    assert amounts(admin, name) == {}


def test_the_quota_of_a_project_object_is_that_of_the_api(admin: httpx.Client, everything: Objects, name: str) -> None:
    said = {"storageBytes": 500, "deployments": 3, "accelerators": [{"acceleratorClass": "h100", "count": 4}]}
    declare(everything, name, (name, "Bound"), quota=said)
    path = f"/api/v1/projects/{name}/quota"
    wait_until(lambda: admin.get(path).json().get("managed_by") == "project_object", 20, lambda: admin.get(path).text)
    quota = admin.get(path).json()
    assert (quota["storage_bytes"], quota["deployments"]) == (500, 3)
    assert quota["accelerators"] == [{"accelerator_class": "h100", "count": 4, "used": 0}]
    refused = admin.put(path, json={"deployments": 9})
    assert (refused.status_code, refused.json()["code"]) == (409, "managed_by_project_object")


def test_the_object_of_a_project_that_the_api_made_gets_its_quota_and_keeps_no_other(
    admin: httpx.Client, everything: Objects, name: str
) -> None:
    admin.post("/api/v1/projects", json={"name": name})
    everything.wait("Project", name, lambda _: True)
    path = f"/api/v1/projects/{name}/quota"
    admin.put(path, json={"deployments": 9, "accelerators": [{"accelerator_class": "l4", "count": 2}]})

    def is_the_apis(made: dict[str, Any]) -> bool:
        quota = made["spec"].get("quota") or {}
        return (quota.get("deployments"), quota.get("accelerators")) == (9, [{"acceleratorClass": "l4", "count": 2}])

    everything.wait("Project", name, is_the_apis)
    by_hand = {
        "deployments": 50,
        "accelerators": [{"acceleratorClass": "h100", "count": 8}],
        "resources": {"pods": "9"},
    }
    everything.merge("Project", name, {"spec": {"quota": by_hand}})
    everything.wait("Project", name, is_the_apis)
    assert (everything.get("Project", name) or {})["spec"]["quota"]["resources"] == {"pods": "9"}
