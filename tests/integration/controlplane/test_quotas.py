"""What goes beyond a project's quota is refused, with the limit, what is used, and what helps."""

import hashlib
from typing import Any

import httpx
from support.pushing import new_model, push


def version(*contents: bytes) -> dict[str, Any]:
    files = [
        {"path": f"f{at}.onnx", "size": len(one), "sha256": hashlib.sha256(one).hexdigest()}
        for at, one in enumerate(contents)
    ]
    return {"format": "ONNX", "files": files}


def test_a_version_that_does_not_fit_is_refused_and_shared_content_counts_once(
    admin: httpx.Client, project: str
) -> None:
    base = f"/api/v1/projects/{project}"
    admin.post(base + "/models", json={"name": "m"}).raise_for_status()
    admin.put(base + "/quota", json={"storage_bytes": 100}).raise_for_status()
    first = admin.post(base + "/models/m/versions", json=version(b"a" * 60))
    assert first.status_code == 201, first.text
    refused = admin.post(base + "/models/m/versions", json=version(b"a" * 60, b"b" * 41))
    assert (refused.status_code, refused.json()["code"]) == (403, "quota_exceeded")
    assert "brings 41 bytes" in refused.json()["detail"]
    assert "60 of its quota of 100 bytes" in refused.json()["detail"]
    assert admin.post(base + "/models/m/versions", json=version(b"a" * 60, b"b" * 40)).status_code == 201
    assert admin.get(base + "/quota").json()["storage_bytes_used"] == 100


def test_what_a_failed_version_was_made_of_is_gone_and_counts_no_more(admin: httpx.Client, project: str) -> None:
    model = new_model(admin, project)
    broken = b"no model at all"
    quota = f"/api/v1/projects/{project}/quota"
    admin.put(quota, json={"storage_bytes": len(broken)}).raise_for_status()
    assert push(admin, model, {"model.onnx": broken})["state"] == "FAILED"
    assert admin.get(quota).json()["storage_bytes_used"] == 0
    assert push(admin, model, {"model.onnx": broken})["state"] == "FAILED", "there is room again"


def test_a_deployment_beyond_the_quota_is_refused_and_a_change_of_one_is_not(admin: httpx.Client, project: str) -> None:
    base = f"/api/v1/projects/{project}"
    admin.put(base + "/quota", json={"deployments": 1}).raise_for_status()
    spec = {"engine": {"type": "Triton"}, "model": {"versionRef": {"model": "sentiment", "version": 1}}}
    body = {"apiVersion": "mizzen.dev/v1alpha1", "kind": "ModelDeployment", "spec": spec}

    def apply(name: str, **more: Any) -> httpx.Response:
        manifest = {**body, "metadata": {"name": name}, "spec": {**spec, **more}}
        return admin.put(f"{base}/deployments/{name}", json=manifest)

    assert apply("a").is_success
    refused = apply("b")
    assert (refused.status_code, refused.json()["code"]) == (403, "quota_exceeded")
    assert "has 1 deployments, and its quota is 1" in refused.json()["detail"]
    assert apply("a", replicas=2).is_success
    admin.put(base + "/quota", json={}).raise_for_status()
    assert apply("b").is_success
    assert admin.get(base + "/quota").json()["deployments_used"] == 2


def test_accelerators_beyond_the_quota_are_refused_at_creation_and_when_scaled_and_the_rest_goes_on(
    admin: httpx.Client, project: str
) -> None:
    base = f"/api/v1/projects/{project}"
    counts = [{"accelerator_class": "h100", "count": 3}]
    admin.put(base + "/quota", json={"accelerators": counts}).raise_for_status()
    resources = {"acceleratorClass": "h100", "acceleratorsPerPod": 1}
    spec = {"engine": {"type": "Triton"}, "model": {"versionRef": {"model": "m", "version": 1}}, "resources": resources}

    def apply(name: str, replicas: int) -> httpx.Response:
        metadata = {"name": name}
        body = {"apiVersion": "mizzen.dev/v1alpha1", "kind": "ModelDeployment", "metadata": metadata}
        return admin.put(f"{base}/deployments/{name}", json={**body, "spec": {**spec, "replicas": replicas}})

    assert apply("a", 2).is_success
    refused = apply("b", 2)
    assert (refused.status_code, refused.json()["code"]) == (403, "quota_exceeded")
    assert "asks for 2 accelerators of class h100" in refused.json()["detail"]
    assert "`mizzen quotas set`" in refused.json()["detail"]
    assert apply("b", 1).is_success
    scaled = admin.patch(f"{base}/deployments/a", json={"spec": {"replicas": 3}})
    assert (scaled.status_code, scaled.json()["code"]) == (403, "quota_exceeded")
    assert admin.patch(f"{base}/deployments/a", json={"spec": {"replicas": 1}}).is_success
    assert admin.get(base + "/quota").json()["accelerators"] == [{**counts[0], "used": 2}]


def test_a_class_that_stands_twice_is_refused_by_name(admin: httpx.Client, project: str) -> None:
    counts = [{"accelerator_class": "h100", "count": one} for one in (3, 4)]
    refused = admin.put(f"/api/v1/projects/{project}/quota", json={"accelerators": counts})
    assert refused.status_code == 422
    assert "h100 stands twice" in refused.text
