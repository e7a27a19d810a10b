"""Does the store of objects behave like the Kubernetes API? So does the Kubernetes API.

One suite for every store: a test file imports all of it, and its conftest.py has `controlplane` and `project`.
"""

import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from support.controlplane import ControlPlane
from support.feed_lines import FeedLines

OBJECTS = "/internal/v1/objects"


@pytest.fixture
def runner(controlplane: ControlPlane) -> Iterator[httpx.Client]:
    with controlplane.client("runner") as client:
        yield client


@pytest.fixture
def path(project: str) -> str:
    return f"{OBJECTS}/ModelDeployment/{project}/m-{secrets.token_hex(3)}"


def _manifest(**spec: Any) -> dict[str, Any]:
    return {"spec": {"engine": {"type": "Simulated"}, "model": {"uri": "hf://a/b@c"}} | spec}


def _put(client: httpx.Client, path: str, body: dict[str, Any]) -> httpx.Response:
    return client.put(path, params={"field_manager": "mizzen-runner"}, json=body)


def test_generation_rises_with_the_spec_alone_and_an_unchanged_write_writes_nothing(
    runner: httpx.Client, path: str
) -> None:
    created = _put(runner, path, _manifest()).json()
    first = _put(runner, path, _manifest()).json()  # an API server stores a status' defaults at the second write
    assert first["metadata"]["generation"] == created["metadata"]["generation"]
    again = _put(runner, path, _manifest()).json()
    assert again == first
    labelled = _put(runner, path, _manifest() | {"metadata": {"labels": {"team": "a"}}}).json()
    scaled = _put(runner, path, _manifest(replicas=2)).json()
    observed = runner.put(path + "/status", json={"uid": first["metadata"]["uid"], "status": {"replicas": 2}}).json()
    generations = [one["metadata"]["generation"] for one in (first, labelled, scaled, observed)]
    assert generations == [1, 1, 2, 2]
    versions = [int(one["metadata"]["resourceVersion"]) for one in (first, labelled, scaled, observed)]
    assert versions == sorted(set(versions))


def test_a_status_for_another_uid_is_refused_and_an_unchanged_one_writes_nothing(
    runner: httpx.Client, path: str
) -> None:
    made = _put(runner, path, _manifest()).json()
    refused = runner.put(path + "/status", json={"uid": "other", "status": {}})
    assert (refused.status_code, refused.json()["code"]) == (409, "uid_mismatch")
    body = {"uid": made["metadata"]["uid"], "status": {"replicas": 1}}
    assert runner.put(path + "/status", json=body).json() == runner.put(path + "/status", json=body).json()


def test_a_write_made_for_an_older_version_or_a_deleted_object_is_refused(runner: httpx.Client, path: str) -> None:
    made = _put(runner, path, _manifest()).json()
    _put(runner, path, _manifest(replicas=2))
    stale = _put(runner, path, made)
    assert (stale.status_code, stale.json()["code"]) == (409, "stale_resource_version")
    assert runner.delete(path, params={"uid": "other"}).status_code == 409
    assert runner.delete(path, params={"uid": made["metadata"]["uid"]}).status_code == 204
    assert runner.delete(path).status_code == 204
    gone = _put(runner, path, made)
    assert (gone.status_code, gone.json()["code"]) == (409, "uid_mismatch")


def test_a_body_that_is_no_such_object_is_refused_with_its_field(runner: httpx.Client, path: str) -> None:
    refused = _put(runner, path, _manifest(replica=3))
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["pointer"] == "/spec/replica"
    assert "replicas" in refused.json()["detail"]


def test_a_runtime_has_no_namespace_and_a_deployment_has_one(runner: httpx.Client) -> None:
    assert runner.get(f"{OBJECTS}/ServingRuntime/default/triton").status_code == 422
    assert runner.get(f"{OBJECTS}/ModelDeployment/_/m").status_code == 422
    assert runner.get(f"{OBJECTS}/Pod/default/m").json()["code"] == "unknown_kind"


def test_the_gateway_reads_objects_and_may_not_write_them(controlplane: ControlPlane, path: str) -> None:
    with controlplane.client("gateway") as gateway:
        assert gateway.get(f"{OBJECTS}/ModelDeployment").status_code == 200
        assert _put(gateway, path, _manifest()).status_code == 403
    with controlplane.client("admin") as admin:
        assert admin.get(f"{OBJECTS}/ModelDeployment").status_code == 403


def test_a_watch_from_a_list_tells_every_later_change_in_order(
    runner: httpx.Client, controlplane: ControlPlane, path: str
) -> None:
    _put(runner, path, _manifest())
    after = runner.get(f"{OBJECTS}/ModelDeployment").json()["resource_version"]
    with FeedLines(
        controlplane, "runner", f"{OBJECTS}:watch", kinds="ModelDeployment,EndpointSet", after=after
    ) as feed:
        made = _put(runner, path, _manifest(replicas=2)).json()
        runner.put(path + "/status", json={"uid": made["metadata"]["uid"], "status": {"replicas": 2}})
        runner.delete(path)
        seen = [feed.wait_for(lambda line: _is(line, made["metadata"]["uid"])) for _ in range(3)]
        heartbeat = feed.wait_for(lambda line: line["type"] == "HEARTBEAT")
    assert [line["type"] for line in seen] == ["MODIFIED", "MODIFIED", "DELETED"]
    assert seen[1]["object"]["status"] == {"replicas": 2}
    assert int(heartbeat["resource_version"]) >= int(seen[2]["resource_version"])


def test_a_watch_tells_nothing_of_other_kinds(runner: httpx.Client, controlplane: ControlPlane, path: str) -> None:
    after = runner.get(f"{OBJECTS}/ServingRuntime").json()["resource_version"]
    with FeedLines(controlplane, "runner", f"{OBJECTS}:watch", kinds="ServingRuntime", after=after) as feed:
        _put(runner, path, _manifest())
        line = feed.wait_for(lambda line: True)
    assert line["type"] == "HEARTBEAT"


def test_writers_at_once_lose_nothing_and_the_log_has_no_gap(
    runner: httpx.Client, controlplane: ControlPlane, project: str
) -> None:
    after = int(runner.get(f"{OBJECTS}/ModelDeployment").json()["resource_version"])
    paths = [f"{OBJECTS}/ModelDeployment/{project}/many-{number}" for number in range(24)]
    with FeedLines(controlplane, "runner", f"{OBJECTS}:watch", kinds="ModelDeployment", after=after) as feed:
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda path: _put(runner, path, _manifest()).status_code, paths))
        seen = [feed.wait_for(lambda line: line["type"] == "ADDED") for _ in paths]
    assert answers == [200] * len(paths)
    versions = [int(line["resource_version"]) for line in seen]
    assert versions == sorted(versions)
    assert {line["object"]["metadata"]["name"] for line in seen} == {path.rpartition("/")[2] for path in paths}


def _is(line: dict[str, Any], uid: str) -> bool:
    return bool(line["object"]) and line["object"]["metadata"]["uid"] == uid
