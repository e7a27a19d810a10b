"""What is to be written to the namespaces of a project? Labels where they differ, and their end where one has left."""

from collections.abc import Iterable, Mapping
from typing import Any

from mizzen_crds.v1alpha1.project import Project

from mizzen_operator.kinds.project.claims import owners
from mizzen_operator.observing.namespace_view import NamespaceView
from mizzen_operator.reconcile.children import with_hash
from mizzen_operator.reconcile.writes import Write, write_of

Manifest = dict[str, Any]


def namespace_write(wanted: Manifest, view: NamespaceView | None) -> Write | None:
    """Return the write that makes a namespace as a project wants it; None where it is, or is on its way out."""
    return write_of(with_hash(wanted), view.manifest if view else None)


def left_namespaces(project: str, projects: Iterable[Project], views: Mapping[str, NamespaceView]) -> list[Write]:
    """Return the writes that take Mizzen's labels off the namespaces that no project has any more.

    A label that somebody else wrote, without a Project, stays as it is.
    """
    held = owners(projects)
    return [
        Write("update", bare(view), "the namespace left the project", view.manifest)
        for name, view in views.items()
        if view.project == project and view.rendered and name not in held and not view.deletion_timestamp
    ]


def bare(view: NamespaceView) -> Manifest:
    """Return the namespace without anything of Mizzen's."""
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": view.name}}
