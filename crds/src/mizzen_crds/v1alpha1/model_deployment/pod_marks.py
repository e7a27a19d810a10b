"""Which labels and annotations may a user give to pods? None that the platform below the pod obeys."""

import re
from typing import Final

_FAMILIES: Final = (
    "^mizzen[.]dev/",
    "(kubernetes|k8s|cncf)[.]io/",
    # Networks: another interface, an address of one's own choice or a policy switched off goes past NetworkPolicies.
    "(^|[.-])cni([./-]|$)",
    "(cilium|antrea|spidernet|nsm|gke|openshift)[.]io/",
    "(projectcalico|ovn)[.]org/",
    "(amazonaws|azure)[.]com/",
    # Container runtimes: devices, namespaces, mounts, another kernel.
    "cri-?o[.]io",
    "containerd[.]io/",
    "[.]nri[.]",
    "^io[.](kubernetes|katacontainers)[.]",
    "^(run[.]oci|dev[.]gvisor)[.]",
    # A token of the pod's service account in every container.
    "^azure[.]workload[.]identity/",
)
REFUSED_PATTERN: Final = "|".join(_FAMILIES)
"""Of the platform: Mizzen, Kubernetes, networks (CNI plugins, clouds) and container runtimes. Sidecars are not: a mesh
may be told to leave the pods alone."""

MARK_REFUSAL: Final = (
    "keys that Mizzen, Kubernetes, the network or the container runtime obey (mizzen.dev/, kubernetes.io/, k8s.io/, "
    "cni.cncf.io/ and the like) are set by the platform; use a prefix of your own"
)


def mark_refused(key: str) -> bool:
    """Whether a user may not give pods a label or annotation of this key."""
    return re.search(REFUSED_PATTERN, key) is not None


def marks_refused_cel(field: str) -> str:
    """The CEL expression that is true where no key of the map `self.<field>` is refused."""
    return f"self.{field}.all(k, !k.matches('{REFUSED_PATTERN}'))"
