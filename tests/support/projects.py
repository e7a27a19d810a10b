"""Builders of Projects and classes for tests."""

from datetime import timedelta
from typing import Any

from mizzen_crds.v1alpha1.accelerator_class import AcceleratorClass
from mizzen_crds.v1alpha1.project import Project
from support.deployments import NOON


def project(name: str = "team-a", *, minutes: int = 0, uid: str = "", deleted: bool = False, **spec: Any) -> Project:
    """Return a project made so many minutes after noon; keywords are fields of the spec, camelCase."""
    metadata: dict[str, Any] = {"name": name, "uid": uid or f"uid-{name}", "generation": 2}
    metadata["creationTimestamp"] = (NOON + timedelta(minutes=minutes)).isoformat()
    if deleted:
        metadata["deletionTimestamp"] = NOON.isoformat()
    return Project.model_validate({"metadata": metadata, "spec": spec})


def h100(**spec: Any) -> AcceleratorClass:
    """Return a class called h100."""
    body = {"resourceName": "nvidia.com/gpu", "memory": "80Gi"} | spec
    return AcceleratorClass.model_validate({"metadata": {"name": "h100"}, "spec": body})
