"""What may the programs of a node do? The API server calls the kubelet, CoreDNS reads; the rest is built in."""

from support.cluster.objects import Object

_GROUP = "rbac.authorization.k8s.io"
_READS = ["list", "watch"]


def every() -> list[Object]:
    """Roles and bindings."""
    rules = [
        {"apiGroups": [""], "resources": ["services", "pods", "namespaces"], "verbs": _READS},
        {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": _READS},
    ]
    reads = {
        "apiVersion": f"{_GROUP}/v1",
        "kind": "ClusterRole",
        "metadata": {"name": "system:coredns"},
        "rules": rules,
    }
    return [
        reads,
        _binding("system:coredns", "system:coredns"),
        _binding("system:kubelet-api-admin", "kube-apiserver-kubelet-client"),
    ]


def _binding(role: str, user: str) -> Object:
    return {
        "apiVersion": f"{_GROUP}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": f"mizzen:{user.removeprefix('system:')}"},
        "roleRef": {"apiGroup": _GROUP, "kind": "ClusterRole", "name": role},
        "subjects": [{"apiGroup": _GROUP, "kind": "User", "name": user}],
    }
