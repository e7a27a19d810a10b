"""A plan of writes: nothing where all is as wanted, never anything of someone else's, each write with its reason."""

import copy
from typing import Any

from mizzen_operator.reconcile.apply import as_applied
from mizzen_operator.reconcile.children import RENDERED, rendered_hash, with_hash
from mizzen_operator.reconcile.writes import plan_writes
from support.deployments import deployment

MODEL = deployment("sentiment")
OWNER = {"kind": "ModelDeployment", "name": "sentiment", "uid": "uid-sentiment", "controller": True}


def service(name: str = "sentiment", port: int = 80, **owner: str) -> dict[str, Any]:
    return with_hash(
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": name, "namespace": "default", "ownerReferences": [OWNER | owner]},
            "spec": {"ports": [{"port": port, "targetPort": "http"}]},
        }
    )


def workload(replicas: int, name: str = "sentiment-a") -> dict[str, Any]:
    metadata = {"name": name, "namespace": "default", "ownerReferences": [OWNER]}
    return with_hash(
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": {"replicas": replicas}}
    )


def kept(name: str = "sentiment-a", label: str = "a") -> dict[str, Any]:
    metadata = {"name": name, "namespace": "default", "ownerReferences": [OWNER], "labels": {"x": label}}
    return with_hash({"apiVersion": "apps/v1", "kind": "ControllerRevision", "metadata": metadata, "data": {"a": 1}})


def as_live(manifest: dict[str, Any], **metadata: Any) -> dict[str, Any]:
    live = copy.deepcopy(manifest)
    live["metadata"] |= {"uid": "u", "resourceVersion": "7", **metadata}
    return live


def test_nothing_is_written_where_all_is_as_wanted() -> None:
    wanted = [kept(), service(), workload(1)]
    assert plan_writes(MODEL, wanted, [as_live(one) for one in wanted]).writes == ()


def test_what_is_missing_is_made_in_the_order_of_what_is_wanted() -> None:
    plan = plan_writes(MODEL, [kept(), service(), workload(1)], [])
    assert [(one.verb, one.child[0]) for one in plan.writes] == [
        ("create", "ControllerRevision"),
        ("create", "Service"),
        ("create", "Deployment"),
    ]


def test_an_equal_hash_proves_nothing() -> None:
    edited = as_live(service())
    edited["spec"]["ports"][0]["targetPort"] = "other"
    (write,) = plan_writes(MODEL, [service()], [edited]).writes
    assert (write.verb, write.repair) == ("update", True)
    assert "spec.ports" in write.reason


def test_a_field_that_is_wanted_no_longer_is_seen_by_the_hash() -> None:
    before = as_live(service() | {"spec": {**service()["spec"], "type": "NodePort"}})
    before["metadata"]["annotations"][RENDERED] = "older"
    (write,) = plan_writes(MODEL, [service()], [before]).writes
    assert (write.reason, write.repair) == ("a field is wanted no longer", False)


def test_scaling_is_no_repair_and_says_from_and_to() -> None:
    (write,) = plan_writes(MODEL, [workload(3)], [as_live(workload(1))]).writes
    assert (write.reason, write.repair) == ("from 1 to 3 replicas", False)
    assert rendered_hash(workload(3)) == rendered_hash(workload(1))


def test_someone_elses_object_is_left_alone() -> None:
    plan = plan_writes(MODEL, [service()], [as_live(service(kind="Deployment", uid="other"))])
    assert plan.writes == ()
    assert [one["metadata"]["name"] for one in plan.foreign] == ["sentiment"]


def test_a_child_of_a_former_object_is_waited_for() -> None:
    plan = plan_writes(MODEL, [service()], [as_live(service(uid="earlier"))])
    assert (plan.writes, plan.foreign, len(plan.leftover)) == ((), (), 1)


def test_a_child_that_goes_is_not_written_to() -> None:
    going = as_live(service(port=81), deletionTimestamp="2026-01-01T00:00:00Z")
    assert plan_writes(MODEL, [service()], [going]).writes == ()


def test_what_is_wanted_no_longer_goes_and_revisions_only_when_expired() -> None:
    live = [as_live(service("old")), as_live(workload(0)), as_live(kept()), as_live(service(uid="other"))]
    assert [str(one) for one in plan_writes(MODEL, [], live).writes] == ["delete Service old: no longer wanted"]
    assert plan_writes(MODEL, [], live, obsolete=False).writes == ()
    expired = plan_writes(MODEL, [], live, expired=["sentiment-a"], obsolete=False).writes
    assert [one.child[0] for one in expired] == ["Deployment", "ControllerRevision"]


def test_a_kept_template_is_never_written_again() -> None:
    live = as_live(kept())
    live["data"] = {"a": 2}
    assert plan_writes(MODEL, [kept()], [live]).writes == ()
    (write,) = plan_writes(MODEL, [kept()], [as_live(kept(label="edited"))]).writes
    assert write.reason == "labels.x differs"


def test_fields_of_our_create_become_fields_that_we_apply() -> None:
    ours = {"manager": "mizzen-operator", "operation": "Update", "fieldsV1": {"f:spec": {"f:a": {}, "f:b": {}}}}
    applied = {"manager": "mizzen-operator", "operation": "Apply", "fieldsV1": {"f:spec": {"f:c": {}}}}
    theirs = {"manager": "kubectl", "operation": "Update", "fieldsV1": {"f:spec": {"f:d": {}}}}
    status = {"manager": "mizzen-operator", "operation": "Update", "subresource": "status", "fieldsV1": {}}
    merged = {**applied, "fieldsV1": {"f:spec": {"f:a": {}, "f:b": {}, "f:c": {}}}}
    assert as_applied([ours, theirs, applied, status]) == [theirs, status, merged]
    assert as_applied([applied, theirs]) == [applied, theirs]
