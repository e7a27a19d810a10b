"""What the status says: why nothing runs, what failed and with which words, what the registry means, who is away."""

from support.cluster.cluster import condition
from support.cluster.objects import Objects, wait_until
from support.model_objects import is_ready, looked_at, model, pods, says, wait_ready
from support.model_registry import ModelRegistry
from support.running_operator import RunningOperator

BEHAVES = "test.mizzen.dev/pod"


def behaving(how: str) -> dict[str, dict[str, str]]:
    return {"labels": {BEHAVES: how}}


def test_a_crashing_engine_is_told_with_its_exit_code_and_last_words(objects: Objects) -> None:
    objects.create(model("crash", podOverrides=behaving("crash")))
    deployment = objects.wait("ModelDeployment", "crash", lambda one: one.get("status", {}).get("lastFailure"))
    failure = deployment["status"]["lastFailure"]
    assert (failure["component"], failure["exitCode"]) == ("engine", 7)
    assert "another shape" in failure["message"]
    assert failure["remedy"]
    assert condition(deployment, "Ready")["status"] == "False"


def test_a_fetch_that_finds_other_bytes_says_so_by_its_own_reason(objects: Objects) -> None:
    source = {"uri": "hf://org/repo@main", "format": "ONNX"}
    objects.create(model("fetch", "Triton", podOverrides=behaving("no-fetch")) | {"spec": triton(source, "no-fetch")})
    deployment = objects.wait("ModelDeployment", "fetch", says("ModelCached", "False", "DigestMismatch"))
    assert "a.onnx differs" in condition(deployment, "ModelCached")["message"]


def triton(source: dict[str, str], how: str) -> dict[str, object]:
    return {"model": source, "engine": {"type": "Triton"}, "podOverrides": behaving(how)}


def test_a_pod_without_a_place_is_told_with_the_schedulers_words(objects: Objects) -> None:
    objects.create(model("placeless", placement={"nodeSelector": {"moon": "yes"}}))
    deployment = objects.wait("ModelDeployment", "placeless", says("CapacityAvailable", "False", "Unschedulable"))
    assert "node affinity/selector" in condition(deployment, "CapacityAvailable")["message"]
    assert deployment["status"]["unschedulableReplicas"] == 1


def test_a_claim_that_is_not_there_is_told_by_its_own_reason_with_a_remedy(objects: Objects) -> None:
    spec = {"model": {"uri": "pvc://weights/path", "format": "ONNX"}, "engine": {"type": "Triton"}}
    objects.create({**model("claimless"), "spec": spec})
    deployment = objects.wait("ModelDeployment", "claimless", says("ModelCached", "False", "ClaimNotFound"))
    told = condition(deployment, "ModelCached")["message"]
    assert told.startswith(f"There is no PersistentVolumeClaim weights in the namespace {objects.namespace}. Make it")
    assert condition(deployment, "Ready")["reason"] == "ClaimNotFound"
    assert "Make it" in deployment["status"]["lastFailure"]["remedy"]


def test_an_endpoint_picker_that_is_not_there_is_told_until_it_is(objects: Objects) -> None:
    objects.create(model("picked", routing={"policy": "External", "endpointPickerRef": "picker:9002"}))
    deployment = objects.wait("ModelDeployment", "picked", says("RouteReady", "False", "EndpointPickerNotFound"))
    told = condition(deployment, "RouteReady")["message"]
    assert told.startswith(f"There is no Service picker in the namespace {objects.namespace}")
    objects.wait("ModelDeployment", "picked", says("WorkloadAvailable", "True", "Available"))
    objects.wait("ModelDeployment", "picked", says("Ready", "False", "EndpointPickerNotFound"))
    spec = {"selector": {"app": "picker"}, "ports": [{"port": 9002}]}
    objects.create({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "picker"}, "spec": spec})
    wait_ready(objects, "picked")


def test_a_quota_that_refuses_pods_is_told_by_name(objects: Objects) -> None:
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "small"},
        "spec": {"hard": {"pods": "1"}},
    }
    objects.create(quota)
    objects.create(model("many", replicas=3))
    deployment = objects.wait("ModelDeployment", "many", says("QuotaReserved", "False", "ResourceQuotaExceeded"))
    assert "small" in condition(deployment, "QuotaReserved")["message"]


def test_a_child_that_the_server_refuses_is_told_with_its_words(objects: Objects) -> None:
    objects.create(model("refused", placement={"tolerations": [{"operator": "Perhaps"}]}))
    deployment = objects.wait("ModelDeployment", "refused", says("UpToDate", "False", "PodRefused"))
    assert "Perhaps" in condition(deployment, "UpToDate")["message"]


def test_an_alias_is_resolved_and_a_moved_one_rolls_out(objects: Objects, registry: ModelRegistry) -> None:
    name = objects.namespace
    registry.push(name, 1, alias="champion")
    objects.create(referring("alias", name, alias="champion"))
    first = wait_ready(objects, "alias")
    assert first["status"]["resolvedModel"]["version"] == 1
    registry.push(name, 2, alias="champion")
    objects.merge("ModelDeployment", "alias", {"metadata": {"annotations": {"look": "again"}}})
    second = objects.wait("ModelDeployment", "alias", lambda one: resolved(one) == 2 and is_ready(one), 60)
    assert second["status"]["resolvedModel"]["digest"] == f"sha256:{2:064x}"


def resolved(deployment: dict[str, dict[str, dict[str, int]]]) -> int | None:
    return deployment["status"].get("resolvedModel", {}).get("version")


def referring(name: str, model_name: str, **reference: object) -> dict[str, object]:
    spec = {"model": {"versionRef": {"model": model_name, **reference}}, "engine": {"type": "Triton"}}
    return {**model(name), "spec": spec}


def test_a_version_that_is_not_there_is_told_and_found_once_it_is(objects: Objects, registry: ModelRegistry) -> None:
    name = objects.namespace
    objects.create(referring("missing", name, version=7))
    objects.wait("ModelDeployment", "missing", says("ModelResolved", "False", "VersionNotFound"))
    registry.push(name, 7)
    wait_ready(objects, "missing", 60)


def test_while_the_control_plane_is_away_ready_stays_ready(
    objects: Objects, registry: ModelRegistry, running: RunningOperator
) -> None:
    name = objects.namespace
    registry.push(name, 1, alias="stable")
    objects.create(referring("away", name, alias="stable"))
    wait_ready(objects, "away")
    registry.away = True
    try:
        running.process.restart()
        running.wait_ready()
        passes = running.metric("mizzen_operator_pass_seconds_count", outcome="ok")
        objects.merge("ModelDeployment", "away", {"metadata": {"annotations": {"look": "again"}}})
        wait_until(lambda: running.metric("mizzen_operator_pass_seconds_count", outcome="ok") > passes, 20, "no pass")
        running.wait_idle()
        deployment = objects.get("ModelDeployment", "away")
        assert deployment is not None
        assert condition(deployment, "Ready")["status"] == "True"
        assert len(pods(objects, "away")) == 1
    finally:
        registry.away = False


def test_the_younger_of_two_with_one_name_is_refused_until_the_older_goes(objects: Objects) -> None:
    objects.create(model("older", servedModelName="same"))
    wait_ready(objects, "older")
    objects.create(model("younger", servedModelName="same"))
    objects.wait("ModelDeployment", "younger", says("RouteReady", "False", "NameTaken"))
    objects.delete("ModelDeployment", "older", propagationPolicy="Background")
    wait_ready(objects, "younger")


def test_stopped_is_ready_with_no_pod(objects: Objects) -> None:
    objects.create(model("stopped"))
    wait_ready(objects, "stopped")
    objects.merge("ModelDeployment", "stopped", {"spec": {"lifecycle": {"state": "Stopped"}}})
    deployment = objects.wait("ModelDeployment", "stopped", says("Ready", "True", "Stopped"))
    assert looked_at(deployment)
    wait_until(lambda: not pods(objects, "stopped"), 30, "pods are left")


def test_events_tell_each_transition_once(objects: Objects) -> None:
    objects.create(model("told"))
    wait_ready(objects, "told")
    wait_until(lambda: "Available" in reasons(objects), 20, lambda: str(reasons(objects)))
    assert len(reasons(objects)) == len(set(reasons(objects)))
    told = [one for one in objects.list("Event") if one["reason"] == "Available"]
    assert [one["reportingComponent"] for one in told] == ["mizzen.dev/operator"]


def reasons(objects: Objects) -> list[str]:
    return [one["reason"] for one in objects.list("Event") if one["involvedObject"]["kind"] == "ModelDeployment"]
