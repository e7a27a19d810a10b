"""What runs a revision's pods, and what keeps their template? Deployment or LeaderWorkerSet, and ControllerRevision."""

from typing import Any

from mizzen_crds.v1alpha1 import API_VERSION, labels
from mizzen_crds.v1alpha1.model_deployment import ModelDeployment

from mizzen_operator.kinds.model_deployment.pod import QUEUE_LABEL, child_labels, selector_labels
from mizzen_operator.revision import Revision

Manifest = dict[str, Any]


def child_metadata(deployment: ModelDeployment, name: str) -> dict[str, Any]:
    """Return the metadata of a child: labels, and the owner, with whom it goes."""
    owner = {
        "apiVersion": API_VERSION,
        "kind": "ModelDeployment",
        "name": deployment.metadata.name,
        "uid": deployment.metadata.uid,
        "controller": True,
        "blockOwnerDeletion": False,  # True would need a right on the owner's finalizers
    }
    return {
        "name": name,
        "namespace": deployment.metadata.namespace,
        "labels": child_labels(deployment),
        "ownerReferences": [owner],
    }


def workload_of(deployment: ModelDeployment, revision: Revision, replicas: int) -> Manifest:
    """Return the Deployment or LeaderWorkerSet that runs `replicas` of a revision, from its frozen template."""
    if revision.worker_template is not None:
        return _leader_worker_set(deployment, revision, replicas)
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": _revision_metadata(deployment, revision),
        "spec": {
            "replicas": replicas,
            # A revision's template never changes; only a repair after a hand edit rolls it, and needs no spare place.
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}},
            "revisionHistoryLimit": 0,
            "progressDeadlineSeconds": deployment.spec.rollout.progress_deadline_seconds,
            "selector": {"matchLabels": selector_labels(deployment) | {labels.REVISION: revision.hash}},
            "template": revision.template,
        },
    }


def controller_revision(deployment: ModelDeployment, revision: Revision) -> Manifest:
    """Return what keeps a revision's inputs and template, immutable once created."""
    data = {"inputs": revision.inputs, "template": revision.template}
    if revision.worker_template is not None:
        data["workerTemplate"] = revision.worker_template
    metadata = _revision_metadata(deployment, revision)
    if revision.annotations:
        metadata["annotations"] = dict(revision.annotations)
    return {
        "apiVersion": "apps/v1",
        "kind": "ControllerRevision",
        "metadata": metadata,
        "revision": revision.generation,
        "data": data,
    }


def _revision_metadata(deployment: ModelDeployment, revision: Revision) -> dict[str, Any]:
    metadata = child_metadata(deployment, revision.name)
    return metadata | {"labels": metadata["labels"] | {labels.REVISION: revision.hash}}


def _in_queue(metadata: Manifest, revision: Revision) -> Manifest:
    """Kueue admits a group as one only where the LeaderWorkerSet itself names the queue, not its pods alone."""
    queue = revision.template["metadata"]["labels"].get(QUEUE_LABEL)
    return metadata | {"labels": metadata["labels"] | ({QUEUE_LABEL: queue} if queue else {})}


def _leader_worker_set(deployment: ModelDeployment, revision: Revision, replicas: int) -> Manifest:
    assert deployment.spec.multi_node is not None
    return {
        "apiVersion": "leaderworkerset.x-k8s.io/v1",
        "kind": "LeaderWorkerSet",
        "metadata": _in_queue(_revision_metadata(deployment, revision), revision),
        "spec": {
            "replicas": replicas,
            "startupPolicy": "LeaderCreated",
            "leaderWorkerTemplate": {
                "size": deployment.spec.multi_node.size,
                "restartPolicy": "RecreateGroupOnPodRestart",
                "leaderTemplate": revision.template,
                "workerTemplate": revision.worker_template,
            },
        },
    }
