"""What is there in a namespace, apart from what is new each time it is made? For comparing how two runs ended.

Left out: uids, versions, times and names that the API server draws; hashes of pod templates; durations; and which of
two releases rendered a template, because that depends on which of them came to write first. That a template was never
rendered twice shows in the number of ReplicaSets.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from support.cluster.objects import Object, Objects
from support.model_objects import CHILD_KINDS

KINDS = ("ModelDeployment", *CHILD_KINDS, "ReplicaSet", "Pod", "PersistentVolumeClaim", "Job", "Secret")
RELEASES = ("mizzen.dev/platform:1", "mizzen.dev/platform:2")
"""Platform images of two releases of the operator."""
DRAWN = {"uid", "resourceVersion", "creationTimestamp", "managedFields", "selfLink", "clusterIP", "clusterIPs"}
HASHES = {"pod-template-hash", "mizzen.dev/rendered"}
COUNTS = ("replicas", "readyReplicas", "updatedReplicas", "availableReplicas")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


def pictures(objects: Objects, namespaces: Iterable[str]) -> dict[str, str]:
    """The state of each namespace as text, to compare and to show the difference of."""
    found: dict[str, list[Object]] = defaultdict(list)
    for kind in KINDS:
        for one in objects.list(kind, "*"):
            found[one["metadata"]["namespace"]].append(one)
    return {namespace: picture(found[namespace], namespace) for namespace in namespaces}


def picture(every: Iterable[Object], namespace: str) -> str:
    """One namespace."""
    parts = sorted(json.dumps(_essence(one), indent=1, sort_keys=True) for one in every)
    # Also within sentences; as a word, because test-7 begins like test-74.
    text = re.sub(rf"\b{re.escape(namespace)}\b", "<namespace>", TIME.sub("<time>", "\n".join(parts)))
    for image in RELEASES:
        text = text.replace(image, "<platform>")
    return text


def _essence(one: Object) -> Object:
    kind = one["kind"]
    if kind == "Pod":
        return _pod(one)
    kept = _without_drawn(one)
    if kind == "ModelDeployment":
        kept.get("status", {}).pop("startup", None)
        return kept
    kept["metadata"].pop("generation", None)
    status = kept.pop("status", {})
    kept["counts"] = {name: status.get(name, 0) for name in COUNTS if name in status}
    if kind == "ReplicaSet":
        kept["metadata"] = {"of": [owner["name"] for owner in one["metadata"]["ownerReferences"]]}
    return kept


def _pod(pod: Object) -> Object:
    metadata, told = pod["metadata"], pod.get("status", {}).get("conditions") or ()
    return {
        "kind": "Pod",
        "labels": _without_drawn(metadata.get("labels") or {}),
        "annotations": metadata.get("annotations") or {},
        "goes": "deletionTimestamp" in metadata,
        "ready": any(each["type"] == "Ready" and each["status"] == "True" for each in told),
    }


def _without_drawn(part: Any) -> Any:
    if isinstance(part, dict):
        return {name: _without_drawn(value) for name, value in part.items() if name not in DRAWN | HASHES}
    return [_without_drawn(each) for each in part] if isinstance(part, list) else part
