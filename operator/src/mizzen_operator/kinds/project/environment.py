"""What does the plan of a project need to know of the installation? It asks nobody: callers tell it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from mizzen_crds.v1alpha1.project.project import MemberRole


def _roles() -> dict[MemberRole, str]:
    return {role: f"mizzen-{role.value.lower()}" for role in MemberRole}


@dataclass(frozen=True)
class ProjectEnvironment:
    """Facts of the installation."""

    reserved: frozenset[str] = frozenset({"mizzen-system"})
    """Namespaces that no project gets: the platform's own."""
    kueue: str = ""
    """apiVersion of LocalQueue as the cluster serves it, such as kueue.x-k8s.io/v1beta1; empty without Kueue."""
    roles: Mapping[MemberRole, str] = field(default_factory=_roles)
    """ClusterRole that a member's role is bound to; the chart brings them."""
