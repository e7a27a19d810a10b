"""Which children should there be now? Those of the newest revision, and the workload of every revision that is kept.

Without a newest revision, what stands around the serving one stays, as it was last wanted.
"""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any, Final

import orjson
from mizzen_crds.v1alpha1.model_deployment import ModelDeployment

from mizzen_operator.kinds.model_deployment.desired import Desired, workload_of
from mizzen_operator.kinds.model_deployment.environment import PlanEnvironment
from mizzen_operator.kinds.model_deployment.standing import standing, with_every_way_out
from mizzen_operator.kinds.model_deployment.workload import controller_revision
from mizzen_operator.observing.fleet_view import KeptRevision

Manifest = dict[str, Any]
RENDERED: Final = "mizzen.dev/rendered"
"""Hash of what was last wanted of a child: tells when a field is wanted no longer, never that all is as wanted."""
WORKLOADS: Final = frozenset({"Deployment", "LeaderWorkerSet"})
FIRST: Final = (
    "ControllerRevision",
    "NetworkPolicy",
    "Service",
    "PodDisruptionBudget",
    "Deployment",
    "LeaderWorkerSet",
)
"""Order of writes: what a hash was rendered to before anything made from it; no pod before its policy."""


def wanted_children(
    deployment: ModelDeployment,
    newest: Desired | None,
    kept: Mapping[str, KeptRevision],
    replicas: Mapping[str, int],
    environment: PlanEnvironment,
) -> tuple[Manifest, ...]:
    """Return every child, in the order of writes. `replicas` are by hash; a revision that is not in it is left alone.

    Without a newest revision (the spec is refused, the registry does not answer) only what revisions keep is said.
    """
    around: tuple[Manifest, ...] = ()
    running = [one.revision for digits, one in kept.items() if replicas.get(digits)]
    if newest is not None:
        around = tuple(one for one in newest.manifests if one["kind"] not in WORKLOADS | {"ControllerRevision"})
        running.append(newest.revision)
    elif (serving := serving_revision(deployment, kept, replicas)) is not None:
        around = standing(deployment, serving.revision, environment)
    manifests = list(with_every_way_out(deployment, around, running, environment))
    for digits, one in kept.items():
        if digits in replicas:
            manifests.append(controller_revision(deployment, one.revision))
            manifests.append(workload_of(deployment, one.revision, replicas[digits]))
    return tuple(with_hash(one) for one in sorted(manifests, key=lambda one: FIRST.index(one["kind"])))


def serving_revision(
    deployment: ModelDeployment, kept: Mapping[str, KeptRevision], replicas: Mapping[str, int]
) -> KeptRevision | None:
    """Return the revision that takes most requests, by what the status last told; None while none runs."""
    percents = {one.hash: one.traffic_percent for one in deployment.status.revisions}
    running = [one for digits, one in kept.items() if replicas.get(digits)]
    return max(running, key=lambda one: (percents.get(one.revision.hash, 0), one.created_at), default=None)


def as_last_wanted(wanted: Iterable[Manifest], live: Iterable[Manifest]) -> tuple[Manifest, ...]:
    """Return what is wanted without what would change a child that stands around revisions into something else.

    For a pass that has no newest revision: it makes such children again and sets hand edits back, and no more.
    """
    last = {(one["kind"], one["metadata"]["name"]): one for one in live}

    def stays(one: Manifest) -> bool:
        there = last.get((one["kind"], one["metadata"]["name"]))
        if there is None or one["kind"] in WORKLOADS | {"ControllerRevision"}:
            return True
        return bool(
            (there["metadata"].get("annotations") or {}).get(RENDERED) == one["metadata"]["annotations"][RENDERED]
        )

    return tuple(one for one in wanted if stays(one))


def with_hash(manifest: Manifest) -> Manifest:
    """Return the manifest with the hash of what it wants."""
    metadata = manifest["metadata"]
    # A kept revision carries the annotations that it was read with, the hash among them.
    annotations = {name: text for name, text in (metadata.get("annotations") or {}).items() if name != RENDERED}
    bare = manifest | {"metadata": {**metadata, "annotations": annotations}}
    annotations = annotations | {RENDERED: rendered_hash(bare)}
    return manifest | {"metadata": metadata | {"annotations": annotations}}


def rendered_hash(manifest: Manifest) -> str:
    """Return twelve hexadecimal digits over what is wanted; scaling leaves them as they are."""
    spec = {name: part for name, part in (manifest.get("spec") or {}).items() if name != "replicas"}
    body = manifest | {"spec": spec}
    return hashlib.sha256(orjson.dumps(body, option=orjson.OPT_SORT_KEYS)).hexdigest()[:12]
