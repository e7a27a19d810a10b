"""What is kept of a Namespace? Whose it is, its labels, and whether it is on its way out."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mizzen_crds.v1alpha1 import labels

from mizzen_operator.reconcile.children import RENDERED

Manifest = dict[str, Any]


@dataclass(frozen=True, slots=True)
class NamespaceView:
    """One namespace."""

    name: str
    uid: str
    resource_version: str
    labels: Mapping[str, str] = field(default_factory=dict)
    rendered: str = ""
    """Hash of what a Project wanted of it; empty where no Project's labels were ever written."""
    deletion_timestamp: str = ""

    @property
    def project(self) -> str:
        """The project that its label names; empty where there is none."""
        return self.labels.get(labels.PROJECT, "")

    @property
    def manifest(self) -> Manifest:
        """As the API server has it, the parts that count."""
        metadata: Manifest = {"name": self.name, "uid": self.uid, "resourceVersion": self.resource_version}
        metadata |= {"labels": dict(self.labels), "annotations": {RENDERED: self.rendered} if self.rendered else {}}
        if self.deletion_timestamp:
            metadata["deletionTimestamp"] = self.deletion_timestamp
        return {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}


def namespace_view(namespace: Mapping[str, Any]) -> NamespaceView:
    """Return what is kept of a namespace, of which metadata alone may be there."""
    metadata = namespace["metadata"]
    return NamespaceView(
        name=metadata["name"],
        uid=metadata["uid"],
        resource_version=metadata["resourceVersion"],
        labels=metadata.get("labels") or {},
        rendered=(metadata.get("annotations") or {}).get(RENDERED, ""),
        deletion_timestamp=metadata.get("deletionTimestamp") or "",
    )
