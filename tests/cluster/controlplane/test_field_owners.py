"""Who owns which field of a deployment, when people use the REST API, `kubectl`, an autoscaler and Git side by side?"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from support.cluster.cluster import Cluster
from support.cluster.objects import Objects, RefusedError
from support.controlplane import ControlPlane, sqlite_controlplane
from support.gateway_of_cluster import NAMESPACE
from support.model_objects import model


@pytest.fixture
def path(project: str) -> str:
    """Deployments of the test's project."""
    return f"/api/v1/projects/{project}/deployments"


def in_namespace(document: dict[str, Any], objects: Objects) -> dict[str, Any]:
    return {**document, "metadata": {**document["metadata"], "namespace": objects.namespace}}


def test_what_people_apply_is_in_the_name_of_their_field_manager(
    admin: httpx.Client, path: str, objects: Objects
) -> None:
    admin.put(path + "/m", json=model("m", replicas=2), params={"field_manager": "mizzen-cli"})
    with pytest.raises(RefusedError) as refused:
        objects.apply(in_namespace(model("m", replicas=3), objects), manager="kubectl")
    assert (refused.value.status, '"mizzen-cli"' in refused.value.message) == (409, True)


def test_a_field_that_a_manifest_no_longer_names_goes(admin: httpx.Client, path: str, objects: Objects) -> None:
    admin.put(path + "/m", json=model("m", aliases=["one"], rollout={"mode": "Paused"}))
    admin.put(path + "/m", json=model("m"))
    found = objects.get("ModelDeployment", "m")
    assert found is not None
    assert (found["spec"].get("aliases"), found["spec"]["rollout"].get("mode")) == ([], "Active")


def test_replicas_that_an_autoscaler_set_outlive_an_apply_that_does_not_name_them(
    admin: httpx.Client, path: str, objects: Objects
) -> None:
    admin.put(path + "/m", json=model("m"))
    objects.merge("ModelDeployment", "m", {"spec": {"replicas": 5}}, subresource="scale")
    applied = admin.put(path + "/m", json=model("m", aliases=["new"])).json()
    assert applied["manifest"]["spec"]["replicas"] == 5
    assert applied["manifest"]["spec"]["aliases"] == ["new"]


def test_a_verb_owns_what_it_changes_and_leaves_all_else_to_its_owner(
    admin: httpx.Client, path: str, objects: Objects
) -> None:
    objects.apply(in_namespace(model("m", replicas=1, aliases=["a"]), objects), manager="kubectl")
    assert admin.post(path + "/m:scale", json={"replicas": 4}).status_code == 200
    found = objects.get("ModelDeployment", "m")
    assert found is not None
    owned = {
        entry["manager"]: entry["fieldsV1"]["f:spec"]
        for entry in found["metadata"]["managedFields"]
        if "f:spec" in entry.get("fieldsV1", {})
    }
    assert owned["mizzen-api"] == {"f:replicas": {}}
    assert "f:aliases" in owned["kubectl"]


def test_a_verb_can_take_a_field_away_that_another_set(admin: httpx.Client, path: str, objects: Objects) -> None:
    made = model("m", "Triton")
    made["spec"]["model"] = {"versionRef": {"model": "sentiment", "alias": "champion"}}
    objects.apply(in_namespace(made, objects), manager="kubectl")
    back = admin.post(path + "/m:rollback", json={"version": 3})
    assert back.status_code == 200, back.text
    assert back.json()["manifest"]["spec"]["model"]["versionRef"] == {"model": "sentiment", "version": 3}


@pytest.fixture
def followed(tmp_path: Path, objects: Objects) -> Path:
    """A person's manifest, which follows an alias."""
    made = model("m", "Triton")
    made["spec"]["model"] = {"versionRef": {"model": "sentiment", "alias": "champion"}}
    (tmp_path / "m.yaml").write_text(yaml.safe_dump(in_namespace(made, objects)))
    return tmp_path / "m.yaml"


def reference_of(objects: Objects) -> dict[str, Any]:
    found = objects.get("ModelDeployment", "m")
    assert found is not None
    return dict(found["spec"]["model"]["versionRef"])


@pytest.mark.parametrize("how", [(), ("--server-side", "--force-conflicts")], ids=["client-side", "server-side"])
def test_after_a_rollback_kubectl_applies_the_manifest_as_before(
    admin: httpx.Client, path: str, objects: Objects, bare_cluster: Cluster, followed: Path, how: tuple[str, ...]
) -> None:
    bare_cluster.kubectl("apply", *how, "-f", str(followed))
    assert admin.post(path + "/m:rollback", json={"version": 3}).status_code == 200
    assert reference_of(objects) == {"model": "sentiment", "version": 3}
    bare_cluster.kubectl("apply", *how, "-f", str(followed))
    assert reference_of(objects) == {"model": "sentiment", "alias": "champion"}


def test_after_a_rollback_a_server_side_apply_is_told_whose_the_version_is(
    admin: httpx.Client, path: str, objects: Objects, followed: Path
) -> None:
    document = yaml.safe_load(followed.read_text())
    objects.apply(document, manager="kubectl")
    admin.post(path + "/m:rollback", json={"version": 3})
    with pytest.raises(RefusedError, match=r'"mizzen-api".*spec\.model\.versionRef'):
        objects.apply(document, manager="kubectl")


def test_after_a_rollback_a_manifest_applies_through_the_rest_api_as_before(
    admin: httpx.Client, path: str, objects: Objects, followed: Path
) -> None:
    document, how = yaml.safe_load(followed.read_text()), {"field_manager": "mizzen-cli"}
    admin.put(path + "/m", json=document, params=how)
    assert admin.post(path + "/m:rollback", json={"version": 3}).status_code == 200
    applied = admin.put(path + "/m", json=document, params=how)
    assert applied.status_code == 200, applied.text
    assert reference_of(objects) == {"model": "sentiment", "alias": "champion"}


def test_what_git_owns_is_refused_with_its_owner_and_the_patch_to_commit(
    admin: httpx.Client, path: str, objects: Objects
) -> None:
    objects.apply(in_namespace(model("m", replicas=1), objects), manager="argocd-controller")
    objects.merge("ModelDeployment", "m", {"metadata": {"labels": {"touched": "by-hand"}}})
    refused = admin.post(path + "/m:scale", json={"replicas": 4})
    assert (refused.status_code, refused.json()["code"]) == (409, "owned_by_git")
    assert refused.json()["field_manager"] == "argocd-controller"
    assert refused.json()["patch"] == {"spec": {"replicas": 4}}
    applied = admin.put(path + "/m", json=model("m", replicas=7))
    assert applied.json()["patch"]["spec"]["replicas"] == 7
    found = objects.get("ModelDeployment", "m")
    assert found is not None
    assert found["spec"]["replicas"] == 1


def test_changes_at_once_are_all_there(admin: httpx.Client, path: str, objects: Objects) -> None:
    admin.put(path + "/m", json=model("m"))

    def label(number: int) -> int:
        patch = {"metadata": {"labels": {f"l{number}": "x"}}}
        return admin.patch(path + "/m", json=patch).status_code

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(label, range(16))) == [200] * 16
    found = objects.get("ModelDeployment", "m")
    assert found is not None
    assert set(found["metadata"]["labels"]) == {f"l{number}" for number in range(16)}


def test_a_status_that_is_written_all_the_time_refuses_nobody(
    admin: httpx.Client, path: str, objects: Objects, write_status: Any
) -> None:
    admin.put(path + "/m", json=model("m"))
    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(lambda: [write_status("m", {"observedGeneration": number}) for number in range(40)])
        codes = [admin.post(path + "/m:scale", json={"replicas": number}).status_code for number in range(12)]
        writing.result()
    assert codes == [200] * 12


def test_the_namespace_of_another_project_is_not_written_to(
    admin: httpx.Client, path: str, objects: Objects, project: str
) -> None:
    objects.merge("Namespace", project, {"metadata": {"labels": {"mizzen.dev/project": "others"}}})
    refused = admin.put(path + "/m", json=model("m"))
    assert (refused.status_code, refused.json()["code"]) == (409, "namespace_of_another_project")
    assert objects.get("ModelDeployment", "m") is None


def test_a_namespace_that_is_not_there_is_said_to_be_missing(admin: httpx.Client, controlplane: ControlPlane) -> None:
    name = controlplane.new_project()
    refused = admin.put(f"/api/v1/projects/{name}/deployments/m", json=model("m"))
    assert (refused.status_code, refused.json()["code"]) == (409, "namespace_missing")


def test_what_only_the_api_server_refuses_is_told_in_its_words(admin: httpx.Client, path: str) -> None:
    refused = admin.put(path + "/m", json=model("m") | {"metadata": {"name": "m", "labels": {"a b": "c"}}})
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_object")
    assert "a b" in refused.json()["detail"]


def test_events_of_the_cluster_are_the_events_of_a_deployment(
    admin: httpx.Client, path: str, objects: Objects, project: str
) -> None:
    made = admin.put(path + "/m", json=model("m")).json()["manifest"]["metadata"]
    admin.put(path + "/other", json=model("other"))
    for number, name, reason in ((1, "m", "RolloutStarted"), (2, "m", "Ready"), (3, "other", "Ready")):
        objects.call(
            "POST", f"/apis/events.k8s.io/v1/namespaces/{project}/events", json=event(number, name, reason, made)
        )
    events = admin.get(path + "/m/events").json()["items"]
    assert [(one["reason"], one["message"], one["count"]) for one in events] == [
        ("Ready", "it says so", 1),
        ("RolloutStarted", "it says so", 1),
    ]
    assert events[0]["time"].startswith("2026-03-01T12:00:02")


def event(second: int, name: str, reason: str, of: dict[str, Any]) -> dict[str, Any]:
    """As the operator writes it."""
    return {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"name": f"{name}.{second}", "namespace": of["namespace"]},
        "eventTime": f"2026-03-01T12:00:0{second}.000000Z",
        "reportingController": "mizzen.dev/operator",
        "reportingInstance": "test",
        "action": "Reconcile",
        "reason": reason,
        "note": "it says so",
        "type": "Normal",
        "regarding": {"kind": "ModelDeployment", "name": name, "namespace": of["namespace"], "uid": of["uid"]},
    }


@pytest.fixture
def cut_off(bare_cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """A control plane whose API server does not answer."""
    kubeconfig = bare_cluster.kubeconfig_of("admin", server="https://127.0.0.1:9")
    with sqlite_controlplane(
        tmp_path_factory.mktemp("cut"), MIZZEN_STORE="kubernetes", KUBECONFIG=str(kubeconfig)
    ) as plane:
        yield plane


def test_while_the_api_server_is_away_deployments_answer_503_and_all_else_works(cut_off: ControlPlane) -> None:
    with cut_off.client() as client:
        answer = client.get("/api/v1/projects/default/deployments")
        assert (answer.status_code, answer.json()["code"]) == (503, "api_server_unavailable")
        assert answer.headers["retry-after"]
        assert client.put("/api/v1/projects/default/deployments/m", json=model("m")).status_code == 503
        assert client.post("/api/v1/projects/default/keys", json={"name": "k"}).status_code == 201


def test_the_platforms_own_namespace_is_no_projects(admin: httpx.Client) -> None:
    admin.post("/api/v1/projects", json={"name": NAMESPACE})
    refused = admin.put(f"/api/v1/projects/{NAMESPACE}/deployments/m", json=model("m"))
    assert (refused.status_code, refused.json()["code"]) == (409, "reserved_namespace")
