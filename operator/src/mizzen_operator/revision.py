"""When are two pods the same? A revision: the user's pod-affecting fields, `restarted-at` and the resolved digest.

Nothing that Mizzen renders enters the hash, so that an upgrade of Mizzen or of a runtime restarts no engine.
Defaults are left out, so that a field added by a later release leaves old hashes alone.
"""

import hashlib
from dataclasses import dataclass, field
from typing import Any, Final

import orjson
from mizzen_crds.v1alpha1 import labels
from mizzen_crds.v1alpha1.model_deployment import ModelDeployment

from mizzen_operator.names import child_name

HASH_DIGITS: Final = 10
POD_AFFECTING: Final = frozenset(
    {"model", "adapters", "engine", "resources", "placement", "pod_overrides", "multi_node", "lifecycle"}
)
"""Fields of the spec that pods are made from; the served name is added to them."""

NOT_IN_PODS: Final[dict[str, Any]] = {
    "model": {"version_ref", "digest"},  # the resolved digest stands for both
    "adapters": {"__all__": {"version_ref", "load"}},
    "resources": {"fit_check"},
    "lifecycle": {"state"},
}
"""Parts of those fields that leave pods as they are."""


@dataclass(frozen=True)
class Revision:
    """What a set of equal pods was made from. It is kept as a ControllerRevision and never rendered again."""

    name: str
    """<deployment>-<hash>, at most 63 characters."""
    hash: str
    """Ten hexadecimal digits over `inputs`."""
    inputs: dict[str, Any]
    """What the hash covers."""
    template: dict[str, Any]
    """Pod template (metadata and spec), as first rendered; of a replica over several pods, the leader's."""
    worker_template: dict[str, Any] | None = None
    """Template of the other pods of such a replica."""
    generation: int = 0
    """Generation of the deployment that it was first rendered for."""
    annotations: dict[str, str] = field(default_factory=dict)
    """Facts for people: the model's version, the digest."""


def revision_inputs(deployment: ModelDeployment, identity: str) -> dict[str, Any]:
    """Return what makes two pods different in the user's eyes; nothing that Mizzen itself renders.

    `identity` is the resolved artifact's: its digest, and those of adapters.
    """
    spec = deployment.spec
    inputs: dict[str, Any] = spec.model_dump(
        mode="json",
        by_alias=True,
        exclude_defaults=True,
        include=dict.fromkeys(POD_AFFECTING, True),
        exclude=NOT_IN_PODS,
    )
    kept = {name: value for name, value in inputs.items() if value not in ({}, [], None)}
    return kept | {
        "servedModelName": deployment.served_names[0],
        "restartedAt": deployment.metadata.annotations.get(labels.RESTARTED_AT, ""),
        "digest": identity,
    }


def hash_of_inputs(inputs: dict[str, Any]) -> str:
    """Return ten hexadecimal digits over `inputs`, whatever the order of their keys."""
    return hashlib.sha256(orjson.dumps(inputs, option=orjson.OPT_SORT_KEYS)).hexdigest()[:HASH_DIGITS]


def revision_hash(deployment: ModelDeployment, identity: str) -> str:
    """Return ten hexadecimal digits over `revision_inputs`."""
    return hash_of_inputs(revision_inputs(deployment, identity))


def revision_name(deployment: str, revision: str) -> str:
    """Return the name of a revision, of its workload and of its ControllerRevision."""
    return child_name(deployment, revision)


def frozen_revision(manifest: dict[str, Any]) -> Revision:
    """Read a revision back from its ControllerRevision. Raises KeyError where it is not one of Mizzen's."""
    metadata, data = manifest["metadata"], manifest["data"]
    return Revision(
        name=metadata["name"],
        hash=metadata["labels"][labels.REVISION],
        inputs=data["inputs"],
        template=data["template"],
        worker_template=data.get("workerTemplate"),
        generation=manifest.get("revision", 0),
        annotations=dict(metadata.get("annotations", {})),
    )
