"""Project: a tenant as code, and what became of it."""

from mizzen_crds.v1alpha1.project.project import Project, ProjectSpec
from mizzen_crds.v1alpha1.project.status import ProjectStatus

__all__ = ["Project", "ProjectSpec", "ProjectStatus"]
