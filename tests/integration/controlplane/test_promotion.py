"""A model says what its aliases may move to; a refusal names each difference, and a forced move has a reason."""

import httpx
import pytest
from support.pushing import new_model, onnx_model, push


@pytest.fixture
def model(admin: httpx.Client, project: str) -> str:
    """Version 2 breaks callers of version 1, version 3 does not; the alias champion points at 1."""
    url = new_model(admin, project)
    for width, output in ((4, "y"), (5, "z"), (4, "y")):
        assert push(admin, url, {"model.onnx": onnx_model(width, output=output)})["state"] == "READY"
    admin.put(f"{url}/aliases/champion", json={"version": 1}).raise_for_status()
    return url


def test_a_move_that_would_break_callers_is_refused_with_each_difference(admin: httpx.Client, model: str) -> None:
    asked = admin.patch(model, json={"promotion": {"require": "compatible-signature"}})
    assert asked.json()["promotion"]["require"] == "compatible-signature"
    refused = admin.put(f"{model}/aliases/champion", json={"version": 2})
    assert (refused.status_code, refused.json()["code"]) == (409, "promotion_refused")
    named = {error["pointer"] for error in refused.json()["errors"]}
    assert named == {"signature.inputs.x.shape", "signature.outputs.y"}
    assert "[5] instead of [4]" in refused.json()["detail"]
    assert admin.put(f"{model}/aliases/champion", json={"version": 3}).status_code == 200
    assert admin.patch(model, json={"promotion": None}).json()["promotion"] is None
    assert admin.put(f"{model}/aliases/champion", json={"version": 2}).status_code == 200


def test_a_move_needs_the_result_that_the_model_asks(admin: httpx.Client, model: str) -> None:
    gate = {"evaluation": {"metric": "accuracy", "min": 0.9}}
    admin.patch(model, json={"promotion": gate}).raise_for_status()
    move = f"{model}/aliases/champion"
    assert "no result" in admin.put(move, json={"version": 3}).json()["errors"][0]["detail"]
    for value, status in ((0.89, 409), (0.9, 200)):
        admin.post(f"{model}/versions/3/evaluations", json={"name": "accuracy", "value": value}).raise_for_status()
        assert admin.put(move, json={"version": 3}).status_code == status
    never = admin.patch(model, json={"promotion": {"evaluation": {"metric": "a", "min": 2, "max": 1}}})
    assert never.status_code == 422


def test_a_forced_move_has_a_reason_that_is_audited(admin: httpx.Client, model: str) -> None:
    admin.patch(model, json={"promotion": {"require": "compatible-signature"}}).raise_for_status()
    force = f"{model}/aliases/champion:force"
    assert admin.post(force, json={"version": 2}).status_code == 422
    assert admin.post(force, json={"version": 2, "reason": " "}).status_code == 422
    moved = admin.post(force, json={"version": 2, "reason": "all callers were told"})
    assert (moved.status_code, moved.json()["version"]) == (200, 2)
    asked = {"filter": f"resource = {moved.json()['id']} AND action = aliases.put"}
    events = admin.get("/api/v1/audit-events", params=asked).json()["items"]
    assert "all callers were told" in {event["after"].get("reason") for event in events}


def test_a_comparison_names_files_results_and_the_signatures_relation(admin: httpx.Client, model: str) -> None:
    for number, value in ((1, 0.8), (2, 0.9)):
        body = {"name": "accuracy", "value": value}
        admin.post(f"{model}/versions/{number}/evaluations", json=body).raise_for_status()
    compared = admin.get(f"{model}:compare", params={"from": 1, "to": 2}).json()
    assert compared["signature"] == "breaking"
    assert {"files.model.onnx", "evaluations.accuracy"} <= {one["field"] for one in compared["differences"]}
