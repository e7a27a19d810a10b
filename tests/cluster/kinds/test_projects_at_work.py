"""What the operator makes of Projects on a real API server: made, repaired, taken away, and told."""

from typing import Any

import pytest
from support.cluster.cluster import condition
from support.cluster.objects import Object, Objects, RefusedError, wait_until
from support.kind_objects import GPU, accelerator_class, events_about, pod, project, quota
from support.model_objects import looked_at, says

SECONDS = 60.0
PART_KINDS = ("ResourceQuota", "NetworkPolicy", "RoleBinding")


def settled(objects: Objects, name: str) -> Object:
    """The project once all is as its spec says."""
    return objects.wait("Project", name, says("Ready", "True", "ProjectInPlace"), SECONDS)


def parts(objects: Objects, namespace: str) -> list[tuple[str, str]]:
    """What a project has in a namespace."""
    selector = "app.kubernetes.io/managed-by=mizzen,mizzen.dev/project"
    found = [(kind, one) for kind in PART_KINDS for one in objects.list(kind, namespace, selector)]
    return [(kind, one["metadata"]["name"]) for kind, one in found]


def label_of(objects: Objects, namespace: str) -> str:
    found = objects.get("Namespace", namespace)
    assert found is not None
    return str(found["metadata"].get("labels", {}).get("mizzen.dev/project", ""))


def test_a_project_gets_its_namespace_with_quota_isolation_and_access(objects: Objects) -> None:
    objects.create(accelerator_class("whole"))
    members = [{"kind": "Group", "name": "ml", "role": "Edit"}, {"kind": "User", "name": "ada", "role": "Admin"}]
    objects.create(project("whole-team", quota=quota("whole", 3), members=members))
    status = settled(objects, "whole-team")["status"]
    assert status["namespaces"] == [{"name": "whole-team", "state": "Bound", "project": "whole-team"}]
    assert label_of(objects, "whole-team") == "whole-team"
    assert sorted(parts(objects, "whole-team")) == [
        ("NetworkPolicy", "mizzen-default-deny"),
        ("ResourceQuota", "mizzen-project"),
        ("RoleBinding", "mizzen-admin"),
        ("RoleBinding", "mizzen-edit"),
    ]
    told = [one["reason"] for one in events_about(objects, "Project", "whole-team")]
    assert told.count("ProjectInPlace") == 1, told
    assert settled(objects, "whole-team")["metadata"].get("finalizers") is None


def edits() -> list[Any]:
    """Every way in which somebody else's hand may get at what a project has."""
    opened = {"spec": {"ingress": [{}], "policyTypes": ["Ingress"]}}
    return [
        pytest.param("ResourceQuota", "mizzen-project", {"spec": {"hard": {f"requests.{GPU}": "99"}}}, id="quota"),
        pytest.param("NetworkPolicy", "mizzen-default-deny", opened, id="policy"),
        pytest.param("RoleBinding", "mizzen-view", {"subjects": []}, id="members"),
        pytest.param("Namespace", "drifting", {"metadata": {"labels": {"mizzen.dev/project": "x"}}}, id="label"),
        pytest.param(
            "Namespace",
            "drifting",
            {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "privileged"}}},
            id="pod security",
        ),
    ]


@pytest.fixture(scope="module")
def drifting(objects_of_module: Objects) -> Objects:
    objects_of_module.create(accelerator_class("drifting"))
    member = {"kind": "User", "name": "eve", "role": "View"}
    objects_of_module.create(project("drifting", quota=quota("drifting", 2), members=[member]))
    settled(objects_of_module, "drifting")
    return objects_of_module


@pytest.mark.parametrize(("kind", "name", "edit"), edits())
def test_a_hand_edit_is_set_back(drifting: Objects, kind: str, name: str, edit: Object) -> None:
    before = drifting.get(kind, name, "drifting")
    assert before is not None
    drifting.merge(kind, name, edit, "drifting")
    wanted = {part: before.get(part) for part in ("spec", "subjects")}
    labels = before["metadata"]["labels"]

    def set_back(one: Object) -> bool:
        same = all(one.get(part) == what for part, what in wanted.items())
        return same and all(one["metadata"]["labels"].get(label) == said for label, said in labels.items())

    drifting.wait(kind, name, set_back, SECONDS, "drifting")


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("ResourceQuota", "mizzen-project"),
        ("NetworkPolicy", "mizzen-default-deny"),
        ("RoleBinding", "mizzen-view"),
    ],
)
def test_what_is_deleted_comes_back(drifting: Objects, kind: str, name: str) -> None:
    before = drifting.get(kind, name, "drifting")
    assert before is not None
    drifting.delete(kind, name, "drifting")
    drifting.wait(kind, name, lambda one: one["metadata"]["uid"] != before["metadata"]["uid"], SECONDS, "drifting")


def test_a_repair_is_told(drifting: Objects) -> None:
    drifting.merge("ResourceQuota", "mizzen-project", {"spec": {"hard": {f"requests.{GPU}": "77"}}}, "drifting")

    def told() -> bool:
        notes = [str(one) for one in events_about(drifting, "Project", "drifting") if one["reason"] == "Repaired"]
        return any("ResourceQuota drifting/mizzen-project: spec.hard" in one for one in notes)

    wait_until(told, SECONDS, lambda: str(events_about(drifting, "Project", "drifting")))


def test_a_namespace_that_leaves_keeps_nothing_of_the_project(objects: Objects) -> None:
    objects.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "leaves", "labels": {"mine": "1"}}})
    objects.create(project("shrinks", namespaces=["stays", "leaves"], quota={"resources": {"pods": "5"}}))
    settled(objects, "shrinks")
    assert len(parts(objects, "leaves")) == 2
    objects.merge("Project", "shrinks", {"spec": {"namespaces": ["stays"]}})
    wait_until(lambda: parts(objects, "leaves") == [], SECONDS, lambda: str(parts(objects, "leaves")))
    labels = objects.wait("Namespace", "leaves", lambda _: label_of(objects, "leaves") == "", SECONDS)
    assert labels["metadata"]["labels"]["mine"] == "1", "what others wrote stays"
    assert not any(one.startswith("pod-security") for one in labels["metadata"]["labels"])
    assert len(parts(objects, "stays")) == 2


def test_what_a_spec_asks_for_no_longer_goes(objects: Objects) -> None:
    objects.create(project("less", quota={"resources": {"pods": "5"}}))
    settled(objects, "less")
    objects.merge("Project", "less", {"spec": {"quota": None, "networkIsolation": "Unmanaged"}})
    wait_until(lambda: parts(objects, "less") == [], SECONDS, lambda: str(parts(objects, "less")))


def test_of_two_projects_with_one_namespace_the_older_has_it_and_the_other_is_stalled(objects: Objects) -> None:
    first = objects.create(project("first", namespaces=["contested"], quota={"resources": {"pods": "5"}}))
    settled(objects, "first")

    def later() -> bool:
        """Ages are told in whole seconds."""
        probe = objects.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"generateName": "clock-"}})
        return bool(probe["metadata"]["creationTimestamp"] > first["metadata"]["creationTimestamp"])

    wait_until(later, 10.0, "the clock stands still")
    objects.create(project("second", namespaces=["contested"], quota={"resources": {"pods": "500"}}))
    stalled = objects.wait("Project", "second", says("Stalled", "True", "NamespaceClaimed"), SECONDS)
    assert "contested is claimed by the older project first" in condition(stalled, "NamespacesBound")["message"]
    assert condition(stalled, "Ready")["status"] == "False"
    bound = objects.get("ResourceQuota", "mizzen-project", "contested")
    assert bound is not None
    assert bound["spec"]["hard"] == {"pods": "5"}

    objects.delete("Project", "first")
    settled(objects, "second")
    objects.wait("ResourceQuota", "mizzen-project", lambda one: one["spec"]["hard"]["pods"] == "500", 60, "contested")
    assert label_of(objects, "contested") == "second"


def test_what_pods_hold_is_in_the_status(objects: Objects) -> None:
    objects.create(accelerator_class("used"))
    objects.create(project("uses", quota=quota("used", 3)))
    settled(objects, "uses")
    objects.wait("ServiceAccount", "default", bool, SECONDS, "uses")
    objects.create(pod("two", "uses", 2))

    def counts(one: Object) -> bool:
        listed = one["status"].get("accelerators") or []
        return [(each["acceleratorClass"], each["hard"], each.get("used", 0)) for each in listed] == [("used", 3, 2)]

    # Other tests have classes of the same nodes: a pod on one of them counts for the first.
    other = [one["metadata"]["name"] for one in objects.list("AcceleratorClass") if one["metadata"]["name"] != "used"]
    for name in other:
        objects.delete("AcceleratorClass", name)
    found = objects.wait("Project", "uses", counts, SECONDS)
    assert found["status"]["acceleratorsUsed"] == 2
    with pytest.raises(RefusedError, match="exceeded quota: mizzen-project"):
        objects.create(pod("beyond", "uses", 2))
    objects.merge("Project", "uses", {"spec": {"quota": quota("used", 1)}})
    objects.wait("Project", "uses", says("QuotaReady", "False", "UsedBeyondQuota"), SECONDS)
    objects.delete("Pod", "two", "uses", gracePeriodSeconds=0)
    objects.wait("Project", "uses", says("QuotaReady"), SECONDS)


def test_an_object_of_somebody_else_is_left_alone_and_named(objects: Objects) -> None:
    objects.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "taken"}})
    theirs = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "mizzen-project", "namespace": "taken"}}
    objects.create(theirs | {"spec": {"hard": {"pods": "1"}}})
    objects.create(project("taken", quota={"resources": {"pods": "5"}}))
    found = objects.wait("Project", "taken", says("QuotaReady", "False", "ChildOwnedBySomeoneElse"), SECONDS)
    assert "ResourceQuota mizzen-project exists" in condition(found, "QuotaReady")["message"]
    kept = objects.get("ResourceQuota", "mizzen-project", "taken")
    assert kept is not None
    assert kept["spec"]["hard"] == {"pods": "1"}


def test_without_kueue_a_queue_is_said_to_be_missing(objects: Objects) -> None:
    objects.create(project("queued", queue={"clusterQueue": "all"}))
    objects.wait("Project", "queued", says("QuotaReady", "False", "KueueNotInstalled"), SECONDS)


def test_a_deleted_project_goes_at_once_and_its_namespace_is_free(objects: Objects) -> None:
    objects.create(project("brief", quota={"resources": {"pods": "5"}}))
    settled(objects, "brief")
    objects.delete("Project", "brief")
    objects.wait_gone("Project", "brief", SECONDS)
    objects.wait_gone("ResourceQuota", "mizzen-project", SECONDS, "brief")
    wait_until(lambda: label_of(objects, "brief") == "", SECONDS, "the label stays")


def test_a_deleted_namespace_is_made_again(objects: Objects) -> None:
    objects.create(project("reborn"))
    settled(objects, "reborn")
    before = objects.get("Namespace", "reborn")
    assert before is not None
    objects.delete("Namespace", "reborn")
    objects.wait("Namespace", "reborn", lambda one: one["metadata"]["uid"] != before["metadata"]["uid"], SECONDS)
    objects.wait("Project", "reborn", looked_at, SECONDS)
    settled(objects, "reborn")
    wait_until(lambda: parts(objects, "reborn") != [], SECONDS, "no policy in the new namespace")
