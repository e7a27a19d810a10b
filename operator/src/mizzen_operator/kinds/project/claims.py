"""Which project has a namespace? The oldest that names it; of two of one age, the one with the smaller uid."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from mizzen_crds.v1alpha1.project import Project
from mizzen_crds.v1alpha1.project.status import NamespaceState, NamespaceStatus

NOT_YET_STORED = float("inf")


def owners(projects: Iterable[Project]) -> dict[str, Project]:
    """Return the project of every namespace that any project names. A project that is being deleted claims nothing."""
    living = [one for one in projects if one.metadata.deletion_timestamp is None]
    held: dict[str, Project] = {}
    for project in sorted(living, key=_age):
        for name in project.namespaces:
            held.setdefault(name, project)
    return held


def states(
    project: Project,
    projects: Iterable[Project],
    live: Mapping[str, Mapping[str, Any]],
    reserved: Collection[str],
) -> tuple[NamespaceStatus, ...]:
    """Return where each namespace of the project stands; `live` are the cluster's namespaces by name.

    `reserved` are those of the platform itself: no project gets them.
    """
    held = owners([*projects, project])
    return tuple(_state(name, project, held, live.get(name), reserved) for name in project.namespaces)


def _state(
    name: str,
    project: Project,
    held: Mapping[str, Project],
    found: Mapping[str, Any] | None,
    reserved: Collection[str],
) -> NamespaceStatus:
    if name in reserved or name.startswith("kube-"):
        return NamespaceStatus(name=name, state=NamespaceState.RESERVED)
    owner = held.get(name, project)
    if owner.metadata.uid != project.metadata.uid:
        return NamespaceStatus(name=name, state=NamespaceState.CLAIMED, project=owner.metadata.name)
    return NamespaceStatus(name=name, state=_progress(found), project=project.metadata.name)


def _progress(found: Mapping[str, Any] | None) -> NamespaceState:
    if found is None:
        return NamespaceState.PENDING
    return NamespaceState.TERMINATING if found["metadata"].get("deletionTimestamp") else NamespaceState.BOUND


def _age(project: Project) -> tuple[float, str]:
    created = project.metadata.creation_timestamp
    return (created.timestamp() if created is not None else NOT_YET_STORED, project.metadata.uid)
