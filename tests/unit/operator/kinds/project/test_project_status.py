"""What is said of a project."""

from datetime import timedelta
from typing import Any

from mizzen_crds.v1alpha1 import conditions
from mizzen_crds.v1alpha1.project import Project, ProjectStatus
from mizzen_operator.conditions.verdict import no
from mizzen_operator.kinds.project.environment import ProjectEnvironment
from mizzen_operator.kinds.project.status import ProjectObservation, project_status
from mizzen_operator.observation import Refusal
from support.deployments import NOON
from support.projects import h100, project

EIGHT = {"accelerators": [{"acceleratorClass": "h100", "count": 8}]}


def seen(*projects: Project, **facts: Any) -> ProjectObservation:
    live = {"team-a": {"metadata": {"name": "team-a"}}}
    known: dict[str, Any] = {"namespaces": live, "classes": {"h100": h100()}, "in_place": True, "used": {}}
    return ProjectObservation(projects=projects, **(known | facts))


def said(status: ProjectStatus) -> dict[str, tuple[str, str]]:
    return {one.type: (one.status, one.reason) for one in status.conditions}


def message(status: ProjectStatus, name: str) -> str:
    return next(one.message for one in status.conditions if one.type == name)


def test_a_project_in_place_is_ready() -> None:
    status = project_status(project(quota=EIGHT), seen(used={"h100": 3}), NOON)
    assert said(status) == {
        "Ready": ("True", "ProjectInPlace"),
        "NamespacesBound": ("True", "NamespacesInPlace"),
        "QuotaReady": ("True", "QuotaInForce"),
        "AccessReady": ("True", "AccessInPlace"),
        "LimitsReady": ("True", "NoLimits"),
    }
    assert (status.observed_generation, status.accelerators_hard, status.accelerators_used) == (2, 8, 3)


def test_the_younger_of_two_claimants_is_stalled_and_names_the_older() -> None:
    status = project_status(project(minutes=1), seen(project("first", namespaces=["team-a"])), NOON)
    assert said(status)["Stalled"] == ("True", "NamespaceClaimed")
    assert said(status)["Ready"] == ("False", "NamespaceClaimed")
    assert "team-a is claimed by the older project first" in message(status, "NamespacesBound")


def test_the_older_claimant_is_not_disturbed() -> None:
    status = project_status(project(), seen(project("second", minutes=1, namespaces=["team-a"])), NOON)
    assert said(status)["Ready"][0] == "True"


def test_a_namespace_that_is_not_made_yet_is_on_its_way() -> None:
    status = project_status(project(), seen(namespaces={}, in_place=False), NOON)
    assert said(status)["Reconciling"] == ("True", "Applying")
    assert "Stalled" not in said(status)


def test_a_namespace_of_the_platform_is_refused() -> None:
    reserved = ProjectEnvironment(reserved=frozenset({"team-a"}))
    status = project_status(project(), seen(environment=reserved), NOON)
    assert said(status)["Stalled"] == ("True", "NamespaceReserved")


def test_a_class_that_does_not_exist_is_named_and_may_come_later() -> None:
    status = project_status(project(quota=EIGHT), seen(classes={}), NOON)
    assert said(status)["QuotaReady"] == ("False", "AcceleratorClassNotFound")
    assert "there is no AcceleratorClass h100" in message(status, "QuotaReady")
    assert "Stalled" not in said(status)


def test_a_quota_below_what_is_used_says_both_figures() -> None:
    status = project_status(project(quota=EIGHT), seen(used={"h100": 9}), NOON)
    assert said(status)["QuotaReady"] == ("False", "UsedBeyondQuota")
    assert "9 of 8 h100" in message(status, "QuotaReady")


def test_a_queue_needs_kueue() -> None:
    queued = project(queue={"clusterQueue": "research"})
    assert said(project_status(queued, seen(), NOON))["QuotaReady"] == ("False", "KueueNotInstalled")
    kueue = ProjectEnvironment(kueue="kueue.x-k8s.io/v1beta1")
    assert said(project_status(queued, seen(environment=kueue), NOON))["QuotaReady"] == ("True", "QuotaInForce")
    stopped = seen(environment=kueue, queue_words="Can't submit new workloads to clusterQueue")
    assert said(project_status(queued, stopped, NOON))["QuotaReady"] == ("False", "QueueStopped")


def test_without_kueue_it_is_said_what_holds_the_quota_instead() -> None:
    queued = project(queue={"clusterQueue": "research"}, quota=EIGHT | {"resources": {"pods": 9}})
    words = message(project_status(queued, seen(used={"h100": 3}), NOON), "QuotaReady")
    assert "no LocalQueue mizzen exists" in words
    assert "ResourceQuota mizzen-project in each namespace (pods=9, requests.nvidia.com/gpu=8)" in words
    assert "used of spec.quota: 3 of 8 h100." in words
    unbound = project(queue={"clusterQueue": "research"})
    assert "Nothing is in force instead" in message(project_status(unbound, seen(), NOON), "QuotaReady")


def test_what_the_cluster_refuses_is_said_where_it_belongs() -> None:
    refused = {
        "RoleBinding": Refusal(conditions.CHILD_OWNED_BY_SOMEONE_ELSE, "RoleBinding mizzen-edit belongs to nobody."),
        "ResourceQuota": Refusal(conditions.APPLY_FAILED, "resourcequotas is forbidden."),
        "Namespace": Refusal(conditions.APPLY_FAILED, "namespaces is forbidden."),
    }
    status = project_status(project(quota=EIGHT), seen(refused=refused), NOON)
    assert said(status)["NamespacesBound"] == ("False", "ApplyFailed")
    assert said(status)["QuotaReady"] == ("False", "ApplyFailed")
    assert said(status)["AccessReady"] == ("False", "ChildOwnedBySomeoneElse")


def test_limits_are_what_the_control_plane_says_of_them() -> None:
    limited = project(limits=[{"name": "all", "metric": "Requests", "amount": 10}])
    assert said(project_status(limited, seen(), NOON))["LimitsReady"] == ("Unknown", "NotObserved")
    refused = no(conditions.LIMIT_REFUSED, "spec.limits[0].key: there is no key ci.")
    assert said(project_status(limited, seen(limits=refused), NOON))["Stalled"] == ("True", "LimitRefused")


def test_what_was_not_looked_at_is_unknown_and_its_figures_stay() -> None:
    before = project_status(project(quota=EIGHT), seen(used={"h100": 3}), NOON)
    again = project(quota=EIGHT).model_copy(update={"status": before})
    status = project_status(again, seen(used=None, in_place=None), NOON)
    assert said(status)["AccessReady"] == ("Unknown", "NotObserved")
    assert status.accelerators_used == 3


def test_a_quiet_pass_changes_nothing() -> None:
    before = project_status(project(quota=EIGHT), seen(), NOON)
    again = project(quota=EIGHT).model_copy(update={"status": before})
    assert project_status(again, seen(), NOON + timedelta(hours=1)) == before
