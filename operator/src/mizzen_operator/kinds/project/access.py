"""Who works in a project's namespaces, and which pods talk there by default? RoleBindings and a NetworkPolicy."""

from collections.abc import Mapping
from typing import Any, Final

from mizzen_crds.v1alpha1.project import Project
from mizzen_crds.v1alpha1.project.project import Member, MemberKind, MemberRole

Manifest = dict[str, Any]
ISOLATION_NAME: Final = "mizzen-default-deny"
_RBAC: Final = "rbac.authorization.k8s.io"


def default_deny(metadata: Manifest) -> Manifest:
    """Return the policy by which no pod sends or receives unless another policy says so."""
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": metadata,
        # Said in so many words, or a rule that somebody adds would pass for one that nobody minds.
        "spec": {"podSelector": {}, "policyTypes": ["Ingress", "Egress"], "ingress": [], "egress": []},
    }


def subjects(project: Project) -> Mapping[MemberRole, list[Manifest]]:
    """Return the members of each role that has any, in the order of the spec."""
    found: dict[MemberRole, list[Manifest]] = {}
    for member in project.spec.members:
        found.setdefault(member.role, []).append(_subject(member))
    return found


def role_binding(metadata: Manifest, cluster_role: str, members: list[Manifest]) -> Manifest:
    """Return the binding of a role; its roleRef never changes, so each role has a binding of its own name."""
    return {
        "apiVersion": f"{_RBAC}/v1",
        "kind": "RoleBinding",
        "metadata": metadata,
        "roleRef": {"apiGroup": _RBAC, "kind": "ClusterRole", "name": cluster_role},
        "subjects": members,
    }


def _subject(member: Member) -> Manifest:
    if member.kind is MemberKind.SERVICE_ACCOUNT:
        namespace, _, name = member.name.partition("/")
        return {"kind": "ServiceAccount", "name": name, "namespace": namespace}
    return {"apiGroup": _RBAC, "kind": member.kind.value, "name": member.name}
