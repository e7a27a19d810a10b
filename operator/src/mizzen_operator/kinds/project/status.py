"""What became of a project? Its namespaces, the use of its quota, and one function for each condition."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from mizzen_crds.v1alpha1 import conditions
from mizzen_crds.v1alpha1.accelerator_class import AcceleratorClass
from mizzen_crds.v1alpha1.project import Project, ProjectStatus
from mizzen_crds.v1alpha1.project.status import AcceleratorUse, NamespaceState, NamespaceStatus

from mizzen_operator.conditions.dated import dated
from mizzen_operator.conditions.settled import summed_up
from mizzen_operator.conditions.verdict import Said, no, unknown, yes
from mizzen_operator.kinds.project.claims import states
from mizzen_operator.kinds.project.environment import ProjectEnvironment
from mizzen_operator.kinds.project.quota import QUOTA_NAME, hard, unknown_classes
from mizzen_operator.observation import Refusal


@dataclass(frozen=True)
class ProjectObservation:
    """One pass's view of a project. None always means: could not be told, or not looked at."""

    projects: Sequence[Project]
    """All projects, this one too or not."""
    namespaces: Mapping[str, Mapping[str, Any]]
    """The cluster's namespaces by name."""
    classes: Mapping[str, AcceleratorClass]
    """AcceleratorClasses by name."""
    environment: ProjectEnvironment = field(default_factory=ProjectEnvironment)
    """Facts of the installation."""
    used: Mapping[str, int] | None = None
    """Accelerators of each class that the project's pods hold."""
    in_place: bool | None = None
    """Every object of `desired` exists as wanted."""
    refused: Mapping[str, Refusal] = field(default_factory=dict)
    """Kind of an object that the cluster refused -> why: Namespace, ResourceQuota, LocalQueue, RoleBinding, ..."""
    queue_words: str = ""
    """What Kueue says of a LocalQueue that is not active."""
    limits: Said | None = None
    """What the control plane said of limits and budgets."""
    deployments: int = 0
    """ModelDeployments that it has; 0 where their number has no bound."""


ACCESS_KINDS = ("NetworkPolicy", "RoleBinding")
QUOTA_KINDS = ("ResourceQuota", "LocalQueue")


def project_status(project: Project, seen: ProjectObservation, now: datetime) -> ProjectStatus:
    """Return the status to write, equal to `project.status` when nothing changed."""
    found = states(project, seen.projects, seen.namespaces, seen.environment.reserved)
    uses = _uses(project, seen)
    parts = {
        conditions.NAMESPACES_BOUND: namespaces_bound(found, seen),
        conditions.QUOTA_READY: quota_ready(project, uses, seen),
        conditions.ACCESS_READY: access_ready(seen),
        conditions.LIMITS_READY: limits_ready(project, seen),
    }
    said = summed_up(parts, in_place=conditions.PROJECT_IN_PLACE)
    return ProjectStatus(
        observed_generation=project.metadata.generation,
        conditions=dated(said, project.status.conditions, project.metadata.generation, now),
        project_id=project.status.project_id,
        namespaces=list(found),
        accelerators=uses,
        accelerators_hard=sum(one.hard for one in uses),
        accelerators_used=sum(one.used for one in uses),
        deployments_used=seen.deployments,
    )


def namespaces_bound(found: Sequence[NamespaceStatus], seen: ProjectObservation) -> Said:
    """Whether every namespace exists and is this project's alone."""
    by_state = {state: [one for one in found if one.state is state] for state in NamespaceState}
    if claimed := by_state[NamespaceState.CLAIMED]:
        text = ", ".join(f"{one.name} is claimed by the older project {one.project}" for one in claimed)
        return no(conditions.NAMESPACE_CLAIMED, f"spec.namespaces: {text}.")
    if reserved := by_state[NamespaceState.RESERVED]:
        return no(conditions.NAMESPACE_RESERVED, f"spec.namespaces: {_names(reserved)} is not for tenants.")
    if going := by_state[NamespaceState.TERMINATING]:
        return no(conditions.NAMESPACE_TERMINATING, f"{_names(going)} is being deleted, and is made again after that.")
    if "Namespace" in seen.refused:
        return _refusal(seen.refused["Namespace"])
    if missing := by_state[NamespaceState.PENDING]:
        return no(conditions.APPLYING, f"{_names(missing)} is being made.")
    return yes(conditions.NAMESPACES_IN_PLACE)


def quota_ready(project: Project, uses: Sequence[AcceleratorUse], seen: ProjectObservation) -> Said:
    """Whether the quota is in force."""
    if missing := unknown_classes(project, seen.classes):
        text = f"spec.quota.accelerators: there is no AcceleratorClass {', '.join(missing)}."
        return no(conditions.ACCELERATOR_CLASS_NOT_FOUND, text)
    if refused := _first(seen, QUOTA_KINDS):
        return _refusal(refused)
    if project.spec.queue is not None and not seen.environment.kueue:
        return no(conditions.KUEUE_NOT_INSTALLED, _without_kueue(project, uses, seen))
    if seen.queue_words:
        return no(conditions.QUEUE_STOPPED, f"LocalQueue {_queue(project)}: {seen.queue_words}")
    if over := [one for one in uses if one.used > one.hard]:
        text = ", ".join(f"{one.used} of {one.hard} {one.accelerator_class}" for one in over)
        return no(conditions.USED_BEYOND_QUOTA, f"Used: {text}.")
    quota = project.spec.quota
    if not (quota.accelerators or quota.resources or project.spec.queue or quota.deployments is not None):
        return yes(conditions.NO_QUOTA)
    return _as_applied(seen, conditions.QUOTA_IN_FORCE)


def _without_kueue(project: Project, uses: Sequence[AcceleratorUse], seen: ProjectObservation) -> str:
    """What holds instead of the queue."""
    bounds = hard(project, seen.classes, seen.environment.kueue)
    lack = f"The cluster has no Kueue, so that no LocalQueue {_queue(project)} exists."
    if not bounds:
        return f"{lack} Nothing is in force instead: spec.quota names nothing."
    listed = ", ".join(f"{name}={amount}" for name, amount in bounds.items())
    text = f"{lack} In force instead: ResourceQuota {QUOTA_NAME} in each namespace ({listed})"
    used = ", ".join(f"{one.used} of {one.hard} {one.accelerator_class}" for one in uses)
    return f"{text}; used of spec.quota: {used}." if used else f"{text}."


def access_ready(seen: ProjectObservation) -> Said:
    """Whether network policies and role bindings are in place."""
    refused = _first(seen, ACCESS_KINDS)
    return _refusal(refused) if refused else _as_applied(seen, conditions.ACCESS_IN_PLACE)


def limits_ready(project: Project, seen: ProjectObservation) -> Said:
    """Whether the control plane holds limits and budgets."""
    if seen.limits is not None:
        return seen.limits
    if not project.spec.limits and not project.spec.budgets:
        return yes(conditions.NO_LIMITS)
    return unknown("The control plane was not asked in this pass.")


def _as_applied(seen: ProjectObservation, reason: str) -> Said:
    if seen.in_place is None:
        return unknown("The project's objects were not looked at in this pass.")
    return yes(reason) if seen.in_place else no(conditions.APPLYING)


def _uses(project: Project, seen: ProjectObservation) -> list[AcceleratorUse]:
    before = {one.accelerator_class: one.used for one in project.status.accelerators}
    used = before if seen.used is None else seen.used
    return [
        AcceleratorUse(accelerator_class=one.accelerator_class, hard=one.count, used=used.get(one.accelerator_class, 0))
        for one in project.spec.quota.accelerators
    ]


def _first(seen: ProjectObservation, kinds: Sequence[str]) -> Refusal | None:
    return next((seen.refused[kind] for kind in kinds if kind in seen.refused), None)


def _refusal(refused: Refusal) -> Said:
    return no(refused.reason, refused.message)


def _queue(project: Project) -> str:
    return project.spec.queue.local_queue if project.spec.queue else ""


def _names(listed: Sequence[NamespaceStatus]) -> str:
    return ", ".join(one.name for one in listed)
