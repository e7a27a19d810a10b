"""What is written about models and versions: tags, cards under If-Match, lineage inside one project, results."""

import httpx
import pytest
from support.controlplane import ControlPlane
from support.pushing import new_model, new_version, onnx_model, push

ONNX = {"model.onnx": onnx_model()}


def test_tags_are_merged_and_removed_one_by_one(admin: httpx.Client, project: str) -> None:
    model = new_model(admin, project)
    version = new_version(admin, model, ONNX, tags={"team": "search", "Owner e-mail": "a@example.org"})
    for url in (model, version):
        changed = admin.patch(url, json={"tags": {"team": "vision", "Owner e-mail": None}})
        assert changed.status_code == 200, changed.text
        assert changed.json()["tags"] == {"team": "vision"}
    too_many = admin.patch(model, json={"tags": {f"t{number}": "x" for number in range(100)}})
    assert (too_many.status_code, too_many.json()["errors"][0]["pointer"]) == (422, "/tags")


@pytest.mark.parametrize("of", ["model", "version"])
def test_of_two_who_write_a_card_at_once_one_is_refused(admin: httpx.Client, project: str, of: str) -> None:
    model = new_model(admin, project)
    card = f"{model if of == 'model' else new_version(admin, model, ONNX)}/card"
    assert admin.get(card).json()["code"] == "card_not_found"
    made = admin.put(card, json={"text": "# Fraud\nGood at *cards*. 模型"})
    assert made.status_code == 201
    etag = made.headers["ETag"]
    assert admin.put(card, json={"text": "# Second"}, headers={"If-Match": etag}).status_code == 200
    late = admin.put(card, json={"text": "# Third"}, headers={"If-Match": etag})
    assert (late.status_code, late.json()["code"]) == (412, "precondition_failed")
    assert admin.get(card).json()["text"] == "# Second"
    assert admin.delete(card).status_code == 204
    assert admin.get(card).status_code == 404


@pytest.mark.parametrize(("text", "said"), [("x" * (256 * 1024 + 1), "262144"), ("a\0b", "NUL")])
def test_a_card_beyond_its_bounds_is_refused_by_field(admin: httpx.Client, project: str, text: str, said: str) -> None:
    refused = admin.put(f"{new_model(admin, project)}/card", json={"text": text})
    assert refused.status_code == 422
    (error,) = refused.json()["errors"]
    assert error["pointer"] == "/text"
    assert said in error["detail"]


def test_a_line_of_versions_is_told_from_both_ends(admin: httpx.Client, project: str) -> None:
    base = new_model(admin, project, "base")
    new_version(admin, base, ONNX)
    tuned = new_model(admin, project, "tuned")
    said = {
        "dataset": {"name": "reviews", "digest": "sha256:ab", "uri": "s3://data/reviews"},
        "code": {"repository": "https://git.example.org/train", "revision": "4f2a"},
        "training_run": {"name": "run-7"},
    }
    first = new_version(admin, tuned, ONNX, lineage={**said, "parent": {"model": "base", "version": 1}})
    second = new_version(admin, tuned, ONNX, lineage={"parent": {"model": "tuned", "version": 1}})
    line = admin.get(f"{second}/lineage").json()
    assert [(one["model"], one["version"]) for one in line["ancestors"]] == [("tuned", 1), ("base", 1)]
    assert [one["version"] for one in admin.get(f"{first}/lineage").json()["children"]] == [2]
    told = admin.get(first).json()["lineage"]
    assert (told["dataset"]["name"], told["code"]["revision"]) == ("reviews", "4f2a")
    changed = admin.patch(first, json={"lineage": {"dataset": None, "training_run": {"name": "run-8"}}})
    assert changed.json()["lineage"]["dataset"] is None
    assert changed.json()["lineage"]["training_run"]["name"] == "run-8"
    assert changed.json()["lineage"]["parent"] == {"model": "base", "version": 1}


def test_a_parent_of_another_project_is_one_that_does_not_exist(
    controlplane: ControlPlane, admin: httpx.Client, project: str
) -> None:
    foreign = admin.get(new_model(admin, controlplane.new_project(), "base")).json()["id"]
    model = new_model(admin, project)
    version = new_version(admin, model, ONNX)
    for named in ("base", foreign, "nothing"):
        refused = admin.patch(version, json={"lineage": {"parent": {"model": named, "version": 1}}})
        assert (refused.status_code, refused.json()["code"]) == (404, "parent_not_found")
    itself = admin.patch(version, json={"lineage": {"parent": {"model": "m", "version": 1}}})
    assert (itself.status_code, itself.json()["errors"][0]["pointer"]) == (422, "/lineage/parent")


def test_a_password_in_a_uri_is_refused(admin: httpx.Client, project: str) -> None:
    version = new_version(admin, new_model(admin, project), ONNX)
    refused = admin.patch(version, json={"lineage": {"code": {"repository": "https://me:pw-of-me@git.example.org/x"}}})
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["pointer"] == "/lineage/code/repository"
    assert "pw-of-me" not in refused.text


def test_results_are_posted_to_a_version_and_listed_newest_first(admin: httpx.Client, project: str) -> None:
    model = new_model(admin, project)
    push(admin, model, ONNX)
    results = f"{model}/versions/1/evaluations"
    for value in (0.81, 0.93):
        posted = admin.post(results, json={"name": "accuracy", "value": value, "dataset": "held-out"})
        assert posted.status_code == 201, posted.text
    admin.post(results, json={"name": "latency p99", "value": 12, "unit": "ms"}).raise_for_status()
    listed = admin.get(results, params={"filter": "name = accuracy"}).json()["items"]
    assert [(one["value"], one["dataset"]) for one in listed] == [(0.93, "held-out"), (0.81, "held-out")]
    for value in ("NaN", "Infinity", "1e999"):
        body = f'{{"name": "x", "value": {value}}}'
        refused = admin.post(results, content=body, headers={"content-type": "application/json"})
        assert refused.status_code in (400, 422), refused.text


def test_what_is_written_leaves_an_audit_event(admin: httpx.Client, project: str) -> None:
    model = new_model(admin, project)
    card = admin.put(f"{model}/card", json={"text": "# Fraud"}).json()["id"]
    (event,) = admin.get("/api/v1/audit-events", params={"filter": f"resource = {card}"}).json()["items"]
    assert (event["action"], event["after"]["bytes"]) == ("cards.put", 7)
