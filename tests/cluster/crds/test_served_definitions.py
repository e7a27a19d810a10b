"""What an API server makes of the definitions: defaults, columns, explanations, /scale, fields of several managers."""

from collections.abc import Iterator

import pytest
import yaml
from crdgen.definition import Kind, definition, kind_schema
from crdgen.kinds import KINDS
from crdgen.schema import Schema
from support.cluster.cluster import CRDS, Cluster, condition
from support.cluster.objects import Object, Objects, RefusedError
from support.cluster.shared import fresh_namespace
from support.refusal_tables import cases

every_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
WHEN = "2026-01-01T00:00:00Z"
READY = {
    "observedGeneration": 1,
    "readyReplicas": 1,
    "desiredReplicas": 2,
    "replicas": 1,
    "selector": "mizzen.dev/deployment=sentiment",
    "url": "http://gateway/v1",
    "resolvedModel": {"source": "sentiment/3"},
    "revisions": [
        {"name": "sentiment-abc", "hash": "abc", "replicas": 1, "ready": 1, "trafficPercent": 100, "createdAt": WHEN}
    ],
    "conditions": [
        {
            "type": "Ready",
            "status": "True",
            "reason": "Serving",
            "message": "m",
            "lastTransitionTime": WHEN,
        }
    ],
}


def deployment(name: str = "sentiment", **spec: object) -> Object:
    wanted = {"model": {"versionRef": {"model": "sentiment", "alias": "champion"}}, "engine": {"type": "Triton"}}
    metadata = {"name": name}
    return {"apiVersion": "mizzen.dev/v1alpha1", "kind": "ModelDeployment", "metadata": metadata, "spec": wanted | spec}


def within(objects: Objects, body: Object) -> Object:
    return {**body, "metadata": {**body["metadata"], "namespace": objects.namespace}}


@every_kind
def test_the_server_has_no_remark_about_a_definition(bare_cluster: Cluster, kind: Kind) -> None:
    served = bare_cluster.objects.get("CustomResourceDefinition", definition(kind)["metadata"]["name"])
    assert served
    problems = {"NonStructuralSchema", "KubernetesAPIApprovalPolicyConformant"}
    assert [each for each in served["status"]["conditions"] if each["type"] in problems] == []
    assert condition(served, "NamesAccepted")["status"] == "True"


def test_the_definitions_may_be_applied_as_a_person_applies_them(bare_cluster: Cluster) -> None:
    told = bare_cluster.kubectl("apply", "--dry-run=server", "-f", str(CRDS))
    assert told.count("(server dry run)") == len(KINDS)


def test_an_object_nobody_has_looked_at_says_so(objects: Objects) -> None:
    made = objects.create(deployment())
    assert made["status"] == {"observedGeneration": -1}
    assert made["spec"]["replicas"] == 1


def test_status_is_written_apart_and_does_not_count_as_a_change(objects: Objects) -> None:
    made = objects.create(within(objects, deployment()))
    changed = objects.merge("ModelDeployment", "sentiment", {"spec": {"replicas": 9}, "status": READY}, None, "status")
    assert changed["metadata"]["generation"] == made["metadata"]["generation"] == 1
    assert changed["spec"]["replicas"] == 1
    assert changed["status"]["observedGeneration"] == 1
    assert objects.merge("ModelDeployment", "sentiment", {"spec": {"replicas": 2}})["metadata"]["generation"] == 2


def test_columns_of_kubectl_get(bare_cluster: Cluster, objects: Objects) -> None:
    objects.create(deployment())
    objects.merge("ModelDeployment", "sentiment", {"status": READY}, None, "status")
    shown = bare_cluster.kubectl("get", "mzd", "-o", "wide", "-n", objects.namespace)
    header, row = (line.split("   ") for line in shown.splitlines())
    columns = [part.strip() for part in header if part.strip()]
    expected = ["NAME", "READY", "REASON", "READY REPLICAS", "DESIRED", "MODEL", "AGE", "ENGINE", "REVISION", "URL"]
    assert columns == expected
    values = [part.strip() for part in row if part.strip()]
    assert values[:6] == ["sentiment", "True", "Serving", "1", "2", "sentiment/3"]
    assert values[7:] == ["Triton", "sentiment-abc", "http://gateway/v1"]


@every_kind
def test_a_kind_is_found_by_its_short_name_and_category(bare_cluster: Cluster, kind: Kind) -> None:
    by_short_name = bare_cluster.kubectl("get", kind.short_name, "-A", "-o", "name")
    named = bare_cluster.kubectl("api-resources", "--categories=mizzen", "-o", "name").split()
    assert f"{kind.plural}.mizzen.dev" in named
    assert all(line.startswith(f"{kind.name.lower()}.mizzen.dev/") for line in by_short_name.splitlines())


def _containers(schema: Schema, path: str) -> Iterator[tuple[str, Schema]]:
    """Every object and list of objects below the spec and the status, with its fields."""
    fields = schema.get("items", schema).get("properties", {})
    if fields:
        yield path, fields
    for name, part in fields.items():
        yield from _containers(part, f"{path}.{name}")


@every_kind
def test_kubectl_explains_every_field(bare_cluster: Cluster, kind: Kind) -> None:
    unexplained = []
    ours = {name: part for name, part in kind_schema(kind)["properties"].items() if name in ("spec", "status")}
    for path, fields in _containers({"properties": ours}, f"{kind.plural}.mizzen.dev"):
        told = bare_cluster.kubectl("explain", path)
        words = " ".join(told.split())
        for name, node in fields.items():
            described = " ".join(node.get("description", "").split())
            if f"\n  {name}\t<" not in told or described not in words:
                unexplained.append(f"{path}.{name}")
    assert unexplained == []


def test_two_managers_share_an_object_and_a_conflict_names_the_other(objects: Objects) -> None:
    mine = within(objects, deployment(engine={"type": "vLLM", "env": [{"name": "A", "value": "1"}]}, replicas=2))
    objects.apply(mine, manager="platform")
    theirs = within(objects, {**deployment(), "spec": {"engine": {"env": [{"name": "B", "value": "2"}]}}})
    both = objects.apply(theirs, manager="team")
    assert [each["name"] for each in both["spec"]["engine"]["env"]] == ["A", "B"]
    with pytest.raises(RefusedError) as refused:
        objects.apply(within(objects, {**deployment(), "spec": {"replicas": 3}}), manager="team")
    assert refused.value.status == 409
    assert [each["field"] for each in refused.value.causes] == [".spec.replicas"]
    assert 'conflict with "platform"' in refused.value.causes[0]["message"]
    forced = objects.apply(within(objects, {**deployment(), "spec": {"replicas": 3}}), manager="team", force=True)
    assert forced["spec"]["replicas"] == 3
    assert [each["name"] for each in forced["spec"]["engine"]["env"]] == ["A"], "team no longer names B"


def test_what_a_manager_no_longer_names_goes_back_to_its_default(objects: Objects) -> None:
    objects.apply(within(objects, deployment(replicas=4)), manager="git")
    assert objects.apply(within(objects, deployment()), manager="git")["spec"]["replicas"] == 1


def test_kubectl_scale_changes_replicas(bare_cluster: Cluster, objects: Objects) -> None:
    objects.create(deployment())
    bare_cluster.kubectl("scale", "modeldeployments.mizzen.dev/sentiment", "--replicas=3", "-n", objects.namespace)
    scaled = objects.get("ModelDeployment", "sentiment")
    assert scaled
    assert scaled["spec"]["replicas"] == 3
    bare_cluster.kubectl("scale", "mzd/sentiment", "--replicas=5", "--current-replicas=3", "-n", objects.namespace)
    path = objects.resource("ModelDeployment").path(objects.namespace, "sentiment", "scale")
    objects.merge("ModelDeployment", "sentiment", {"status": READY}, None, "status")
    scale = objects.call("GET", path)
    assert scale["spec"]["replicas"] == 5
    assert scale["status"] == {"replicas": 1, "selector": READY["selector"]}


def test_a_number_that_an_autoscaler_set_outlives_what_people_apply_without_one(
    bare_cluster: Cluster, objects: Objects
) -> None:
    within_kubectl = ("-n", objects.namespace)
    objects.apply(within(objects, deployment("never-named")), manager="git")
    objects.apply(within(objects, deployment("named-once", replicas=2)), manager="git")
    bare_cluster.kubectl("apply", *within_kubectl, "-f", "-", stdin=yaml.safe_dump(deployment("by-kubectl")))
    names = ("never-named", "named-once", "by-kubectl")
    for name in names:
        bare_cluster.kubectl("scale", f"mzd/{name}", "--replicas=5", *within_kubectl)
    for name in names[:2]:
        objects.apply(within(objects, deployment(name, placement={"priorityClassName": "high"})), manager="git")
    changed = yaml.safe_dump(deployment("by-kubectl", placement={"priorityClassName": "high"}))
    bare_cluster.kubectl("apply", *within_kubectl, "-f", "-", stdin=changed)
    assert [_replicas(objects, name) for name in names] == [5, 5, 5]


def test_a_number_taken_out_of_a_file_goes_back_to_one_by_kubectl_alone(
    bare_cluster: Cluster, objects: Objects
) -> None:
    for wanted in (deployment(replicas=2), deployment()):
        bare_cluster.kubectl("apply", "-n", objects.namespace, "-f", "-", stdin=yaml.safe_dump(wanted))
        if "replicas" in wanted["spec"]:
            bare_cluster.kubectl("scale", "mzd/sentiment", "--replicas=5", "-n", objects.namespace)
    assert _replicas(objects, "sentiment") == 1


def _replicas(objects: Objects, name: str) -> int:
    found = objects.get("ModelDeployment", name)
    assert found
    return int(found["spec"]["replicas"])


def test_a_horizontal_pod_autoscaler_reads_and_writes_scale(node_cluster: Cluster) -> None:
    objects = fresh_namespace(node_cluster)
    objects.create(deployment())
    example = yaml.safe_load((CRDS.parent / "examples/scaling/horizontal-pod-autoscaler.yaml").read_text())
    objects.create({**example, "metadata": {"name": example["metadata"]["name"]}})
    objects.wait("ModelDeployment", "sentiment", lambda seen: seen["spec"]["replicas"] == 2)
    without = objects.wait("HorizontalPodAutoscaler", "sentiment", lambda seen: condition(seen, "ScalingActive"))
    assert condition(without, "AbleToScale")["status"] == "True"
    objects.wait("HorizontalPodAutoscaler", "sentiment", lambda seen: _blocked_by(seen) == "InvalidSelector")
    objects.merge("ModelDeployment", "sentiment", {"status": READY}, None, "status")
    objects.wait("HorizontalPodAutoscaler", "sentiment", lambda seen: _blocked_by(seen) == "FailedGetResourceMetric")


def _blocked_by(autoscaler: Object) -> str:
    """Without a selector it cannot ask for metrics; with one it asks, and there is no metrics server here."""
    return str(condition(autoscaler, "ScalingActive").get("reason", ""))


@every_kind
def test_an_object_read_and_written_back_is_unchanged(bare_cluster: Cluster, objects: Objects, kind: Kind) -> None:
    right = [each for each in cases("right") if each.kind is kind and each.before is None]
    assert right
    for case in right:
        written = {**case.written, "metadata": {"name": case.written["metadata"]["name"]}}
        made = objects.create(written)
        again = objects.replace(made)
        assert again["metadata"]["generation"] == 1
        assert again["spec"] == made["spec"]
        objects.delete(kind.name, made["metadata"]["name"])
