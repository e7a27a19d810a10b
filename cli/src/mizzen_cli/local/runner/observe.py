"""What one pass sees of a deployment: read once, then only asked."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from mizzen_crds.v1alpha1 import conditions, labels
from mizzen_crds.v1alpha1.model_deployment import ModelDeployment
from mizzen_operator.ledgers.load_ledger import LoadLedger
from mizzen_operator.ledgers.startup_ledger import StartupLedger
from mizzen_operator.rollout.fleet import Capacity, Fleet, ObservedPod, ObservedRevision, PodFailure

from mizzen_cli.local.pod.sandboxes import SeenPod
from mizzen_cli.local.runner.environment_keeper import EnvironmentKeeper
from mizzen_cli.local.runner.object_cache import Key
from mizzen_cli.local.runner.pod_factory import DEPLOYMENT_UID
from mizzen_cli.local.runner.pod_view import observed_pod, parsed
from mizzen_cli.local.runner.revisions import KeptRevision


@dataclass(frozen=True)
class DeploymentPods:
    """Pods of a deployment, sorted by what is to be done with them."""

    own: tuple[SeenPod, ...]
    """Of this very object, with a shim or still without."""
    ended: tuple[SeenPod, ...]
    """Finished or lost: to be cleared away."""
    foreign: tuple[SeenPod, ...]
    """Of an earlier object of the same name, or of a revision that is not kept: to be ended."""


def key_of_pod(seen: SeenPod) -> Key:
    """The deployment that a pod belongs to."""
    return seen.pod.namespace, seen.pod.labels.get(labels.DEPLOYMENT, "")


def sort_pods(pods: Sequence[SeenPod], key: Key, uid: str, revisions: Collection[str]) -> DeploymentPods:
    """Pods of the deployment `key` with that uid and those revisions."""
    mine = [each for each in pods if key_of_pod(each) == key]
    ended = tuple(each for each in mine if each.lost or (each.state and each.state.finished))
    rest = [each for each in mine if each not in ended]
    own = tuple(
        each
        for each in rest
        if each.pod.annotations.get(DEPLOYMENT_UID) == uid and each.pod.labels.get(labels.REVISION) in revisions
    )
    return DeploymentPods(own, ended, tuple(each for each in rest if each not in own))


def observe_fleet(
    deployment: ModelDeployment,
    kept: Mapping[str, KeptRevision],
    pods: Sequence[SeenPod],
    ledgers: tuple[StartupLedger, LoadLedger],
    keeper: EnvironmentKeeper,
    now: datetime,
) -> Fleet:
    """Every kept revision with its pods."""
    startups, loads = ledgers
    key = (deployment.metadata.namespace, deployment.metadata.name)
    rollout = deployment.status.rollout
    since = rollout.step_started_at if rollout else None
    return Fleet(
        tuple(
            ObservedRevision(
                name=each.revision.name,
                hash=digits,
                created_at=each.created_at,
                replicas=each.replicas,
                pods=pods_of(each, pods, startups, keeper, now),
                model_version=each.model_version,
                load=loads.window((*key, digits), since),
            )
            for digits, each in kept.items()
        )
    )


def pods_of(
    kept: KeptRevision, pods: Sequence[SeenPod], startups: StartupLedger, keeper: EnvironmentKeeper, now: datetime
) -> tuple[ObservedPod, ...]:
    """Pods of one revision as the plan sees them."""
    mine = [each for each in pods if each.pod.labels.get(labels.REVISION) == kept.revision.hash]
    environment = keeper.view(kept.runtime, kept.local) if any(each.pending for each in mine) else None
    missing = None
    if environment and environment.failure:
        missing = PodFailure(conditions.ENVIRONMENT_MISSING, environment.failure, component="environment", time=now)
    installing = environment.progress if environment else ""
    return tuple(observed_pod(each, startups.of(each.pod.name), missing, now, installing) for each in mine)


def count_starts(key: Key, pods: Sequence[SeenPod], startups: StartupLedger) -> None:
    """Note how long each pod took that has become ready."""
    for each in pods:
        if each.state and (ready := parsed(each.state.first_ready_at)):
            startups.started(key, each.pod.name, (ready - each.created_at).total_seconds())


def capacity() -> Capacity:
    """This machine hands out no accelerators: pods that ask for one wait, and the status says so."""
    return Capacity(free_accelerators=0)
