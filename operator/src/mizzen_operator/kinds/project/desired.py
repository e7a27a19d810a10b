"""Which objects does a Project have? Namespaces with their labels, and in each a quota, isolation and access."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from mizzen_crds.v1alpha1 import API_VERSION, labels
from mizzen_crds.v1alpha1.accelerator_class import AcceleratorClass
from mizzen_crds.v1alpha1.project import Project
from mizzen_crds.v1alpha1.project.project import NetworkIsolation, PodSecurity

from mizzen_operator.kinds.project.access import ISOLATION_NAME, default_deny, role_binding, subjects
from mizzen_operator.kinds.project.environment import ProjectEnvironment
from mizzen_operator.kinds.project.quota import QUOTA_NAME, hard, is_queued, local_queue, resource_quota

Manifest = dict[str, Any]
POD_SECURITY = "pod-security.kubernetes.io"


def desired(
    project: Project,
    namespaces: Collection[str],
    classes: Mapping[str, AcceleratorClass],
    environment: ProjectEnvironment,
) -> tuple[Manifest, ...]:
    """Return what should exist in `namespaces`, which are those of the spec that the project has (see `claims`).

    A Namespace has no owner, because it must outlive its project: whatever people keep in it would go with it. All
    other objects belong to the Project and go with it; those of a namespace that left the spec carry its label.
    """
    wanted: list[Manifest] = []
    for name in project.namespaces:
        if name in namespaces:
            wanted += [_namespace(project, name), *_inside(project, name, classes, environment)]
    return tuple(wanted)


def _namespace(project: Project, name: str) -> Manifest:
    marks = {labels.PROJECT: project.metadata.name}
    if project.spec.pod_security is not PodSecurity.UNMANAGED:
        level = project.spec.pod_security.value.lower()
        marks |= {f"{POD_SECURITY}/{mode}": level for mode in ("enforce", "audit", "warn")}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": marks}}


def _inside(
    project: Project, namespace: str, classes: Mapping[str, AcceleratorClass], environment: ProjectEnvironment
) -> Iterator[Manifest]:
    spec = project.spec
    if bounds := hard(project, classes, environment.kueue):
        yield resource_quota(_metadata(project, namespace, QUOTA_NAME), bounds)
    if spec.queue is not None and is_queued(project, environment.kueue):
        metadata = _metadata(project, namespace, spec.queue.local_queue)
        yield local_queue(metadata, spec.queue.cluster_queue, environment.kueue)
    if spec.network_isolation is NetworkIsolation.DEFAULT_DENY:
        yield default_deny(_metadata(project, namespace, ISOLATION_NAME))
    for role, members in sorted(subjects(project).items()):
        cluster_role = environment.roles[role]
        yield role_binding(_metadata(project, namespace, cluster_role), cluster_role, members)


def _metadata(project: Project, namespace: str, name: str) -> Manifest:
    owner = {
        "apiVersion": API_VERSION,
        "kind": "Project",
        "name": project.metadata.name,
        "uid": project.metadata.uid,
        "controller": True,
        "blockOwnerDeletion": False,  # True would need a right on the owner's finalizers
    }
    return {
        "name": name,
        "namespace": namespace,
        "labels": {labels.MANAGED_BY: "mizzen", labels.PROJECT: project.metadata.name},
        "ownerReferences": [owner],
    }
