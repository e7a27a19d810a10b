"""Where does a kind live on the API server? One `Resource` a kind, and all kinds that Mizzen touches.

No discovery: the kinds are known, and a program that starts while the server is slow asks it for nothing but objects.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

MIZZEN: Final = "mizzen.dev/v1alpha1"


@dataclass(frozen=True, slots=True)
class Resource:
    """A kind in the version that Mizzen speaks."""

    api_version: str
    kind: str
    plural: str
    namespaced: bool = True

    def path(self, namespace: str = "", name: str = "", subresource: str = "") -> str:
        """Return the URL's path: of all objects, those of a namespace, one, or a subresource of one."""
        root = "/apis" if "/" in self.api_version else "/api"
        parts = [root, self.api_version]
        if namespace and self.namespaced:
            parts += ["namespaces", quote(namespace, safe="")]
        parts.append(self.plural)
        if name:
            if self.namespaced and not namespace:
                raise ValueError(f"{self.kind} {name}: an object of a namespace needs its namespace")
            parts.append(quote(name, safe=""))
        if subresource:
            parts.append(subresource)
        return "/".join(parts)

    def __str__(self) -> str:
        group = self.api_version.partition("/")[0] if "/" in self.api_version else ""
        return f"{self.plural}.{group}" if group else self.plural


MODEL_DEPLOYMENTS: Final = Resource(MIZZEN, "ModelDeployment", "modeldeployments")
SERVING_RUNTIMES: Final = Resource(MIZZEN, "ServingRuntime", "servingruntimes", namespaced=False)
ACCELERATOR_CLASSES: Final = Resource(MIZZEN, "AcceleratorClass", "acceleratorclasses", namespaced=False)
PROJECTS: Final = Resource(MIZZEN, "Project", "projects", namespaced=False)
MODEL_ROUTES: Final = Resource(MIZZEN, "ModelRoute", "modelroutes")

DEPLOYMENTS: Final = Resource("apps/v1", "Deployment", "deployments")
REPLICA_SETS: Final = Resource("apps/v1", "ReplicaSet", "replicasets")
STATEFUL_SETS: Final = Resource("apps/v1", "StatefulSet", "statefulsets")
CONTROLLER_REVISIONS: Final = Resource("apps/v1", "ControllerRevision", "controllerrevisions")
LEADER_WORKER_SETS: Final = Resource("leaderworkerset.x-k8s.io/v1", "LeaderWorkerSet", "leaderworkersets")
LOCAL_QUEUES: Final = Resource("kueue.x-k8s.io/v1beta1", "LocalQueue", "localqueues")

SERVICES: Final = Resource("v1", "Service", "services")
CONFIG_MAPS: Final = Resource("v1", "ConfigMap", "configmaps")
SECRETS: Final = Resource("v1", "Secret", "secrets")
"""Ask for the metadata alone: what is in them is no business of Mizzen's programs."""
PODS: Final = Resource("v1", "Pod", "pods")
NODES: Final = Resource("v1", "Node", "nodes", namespaced=False)
NAMESPACES: Final = Resource("v1", "Namespace", "namespaces", namespaced=False)
RESOURCE_QUOTAS: Final = Resource("v1", "ResourceQuota", "resourcequotas")
LIMIT_RANGES: Final = Resource("v1", "LimitRange", "limitranges")
PERSISTENT_VOLUME_CLAIMS: Final = Resource("v1", "PersistentVolumeClaim", "persistentvolumeclaims")
SERVICE_ACCOUNTS: Final = Resource("v1", "ServiceAccount", "serviceaccounts")

NETWORK_POLICIES: Final = Resource("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies")
DISRUPTION_BUDGETS: Final = Resource("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets")
ROLE_BINDINGS: Final = Resource("rbac.authorization.k8s.io/v1", "RoleBinding", "rolebindings")
ENDPOINT_SLICES: Final = Resource("discovery.k8s.io/v1", "EndpointSlice", "endpointslices")
EVENTS: Final = Resource("events.k8s.io/v1", "Event", "events")
LEASES: Final = Resource("coordination.k8s.io/v1", "Lease", "leases")
TOKEN_REVIEWS: Final = Resource("authentication.k8s.io/v1", "TokenReview", "tokenreviews", namespaced=False)
ACCESS_REVIEWS: Final = Resource(
    "authorization.k8s.io/v1", "SubjectAccessReview", "subjectaccessreviews", namespaced=False
)
CUSTOM_RESOURCE_DEFINITIONS: Final = Resource(
    "apiextensions.k8s.io/v1", "CustomResourceDefinition", "customresourcedefinitions", namespaced=False
)

KNOWN: Final[Mapping[tuple[str, str], Resource]] = {
    (resource.api_version, resource.kind): resource
    for resource in list(globals().values())
    if isinstance(resource, Resource)
}


def resource_of(manifest: Mapping[str, Any]) -> Resource:
    """Return where the object of a manifest lives. ValueError for a kind that Mizzen does not touch."""
    named = (str(manifest.get("apiVersion", "")), str(manifest.get("kind", "")))
    if named not in KNOWN:
        raise ValueError(f"{named[0] or 'no apiVersion'}, {named[1] or 'no kind'}: not a kind that Mizzen touches")
    return KNOWN[named]
