"""A cluster in a few lines, for rollouts: it carries out plans and lets pods come and go on limited accelerators."""

import random
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from mizzen_crds.v1alpha1.model_deployment import ModelDeployment
from mizzen_operator.observation import Observation
from mizzen_operator.rollout.fleet import Capacity, Fleet, LoadWindow, ObservedPod, ObservedRevision, PodFailure
from mizzen_operator.rollout.plan import RolloutPlan, plan_rollout
from mizzen_operator.status import build_status

AWAY = PodFailure("FetchFailed", "hub.example cannot be reached", "fetch", 21)


@dataclass
class Pod:
    """One pod."""

    name: str
    revision: str
    created_at: datetime
    scheduled: bool = False
    ready: bool = False
    terminating: bool = False


@dataclass
class SimulatedCluster:
    """Pods become ready after some ticks (or never, for hashes in `broken`); going takes some ticks as well."""

    deployment: ModelDeployment
    now: datetime
    chance: random.Random
    accelerators: int | None = None
    unusable: int = 0
    """Accelerators that count as free, and the scheduler gives to no pod."""
    quota: int | None = None
    lag: float = 0.0
    """How likely a workload is left for the next tick, as by a controller manager that is slow."""
    broken: set[str] = field(default_factory=set)
    failures: dict[str, PodFailure] = field(default_factory=dict)
    """What goes wrong in pods of a revision that are not ready."""
    source_away: bool = False
    """Nothing can be fetched; init containers end with the exit code for that."""
    load: dict[str, LoadWindow] = field(default_factory=dict)
    pods: list[Pod] = field(default_factory=list)
    replicas: dict[str, int] = field(default_factory=dict)
    born: dict[str, datetime] = field(default_factory=dict)
    made: int = 0

    @property
    def need(self) -> int:
        """Accelerators of a pod."""
        return self.deployment.spec.resources.accelerators_per_pod

    def of(self, revision: str) -> list[Pod]:
        """Pods of a revision."""
        return [pod for pod in self.pods if pod.revision == revision]

    def ready(self, revision: str | None = None) -> int:
        """Pods that take requests."""
        return sum(pod.ready and not pod.terminating for pod in self.pods if revision in {None, pod.revision})

    def holding(self) -> int:
        """Pods that hold a place."""
        return sum(pod.scheduled for pod in self.pods)

    def fleet(self) -> Fleet:
        """What an observer sees."""
        return Fleet(
            tuple(
                ObservedRevision(
                    f"sentiment-{name}",
                    name,
                    self.born[name],
                    replicas,
                    tuple(
                        ObservedPod(
                            pod.name,
                            pod.created_at,
                            pod.ready,
                            pod.scheduled,
                            pod.terminating,
                            failure=self._failure(pod),
                        )
                        for pod in self.of(name)
                    ),
                    load=self.load.get(name, LoadWindow()),
                )
                for name, replicas in self.replicas.items()
            )
        )

    def _failure(self, pod: Pod) -> PodFailure | None:
        if pod.ready or not pod.scheduled:
            return None
        return AWAY if self.source_away else self.failures.get(pod.revision)

    def capacity(self) -> Capacity:
        """What is left."""
        quota = None if self.quota is None else self.quota - len(self.pods) * self.need
        if self.accelerators is None:
            return Capacity(None, quota, None)
        left = self.accelerators + self.unusable - len(self.pods) * self.need
        return Capacity(max(0, left), quota, max(0, -left))

    def tick(self, target: str, seconds: int = 5) -> RolloutPlan:
        """Run one pass and what comes of it."""
        self.now += timedelta(seconds=seconds)
        fleet = self.fleet()
        plan = plan_rollout(self.deployment, target, fleet, self.capacity(), self.now)
        status = build_status(self.deployment, Observation(fleet=fleet), plan, self.now)
        self.deployment = self.deployment.model_copy(update={"status": status})
        for one in plan.revisions:
            self.born.setdefault(one.hash, self.now)
            self.replicas[one.hash] = one.replicas
        for name in plan.expired:
            self.replicas.pop(name)
        self._workloads()
        self._nodes()
        return plan

    def settle(self, target: str, ticks: int = 200) -> RolloutPlan:
        """Tick until the target has all replicas and no pod goes; the last plan."""
        for _ in range(ticks):
            plan = self.tick(target)
            if plan.complete and self.ready(target) == plan.wanted and len(self.pods) == plan.wanted:
                return plan
        raise AssertionError(f"not settled after {ticks} passes: {plan}, {self.pods}")

    def spec(self, **changes: object) -> None:
        """Edit the spec."""
        body = self.deployment.model_dump(mode="json", by_alias=True)
        body["spec"] |= changes
        self.deployment = ModelDeployment.model_validate(body)

    def _workloads(self) -> None:
        for name, replicas in self.replicas.items():
            if self.chance.random() < self.lag:
                continue
            live = [pod for pod in self.of(name) if not pod.terminating]
            for pod in sorted(live, key=lambda pod: (pod.ready, pod.scheduled))[: max(0, len(live) - replicas)]:
                pod.terminating, pod.ready = True, False
            for _ in range(replicas - len(live)):
                if self.quota is None or (len(self.pods) + 1) * self.need <= self.quota:
                    self.made += 1
                    self.pods.append(Pod(f"{name}-{self.made}", name, self.now))

    def _nodes(self) -> None:
        self.pods = [pod for pod in self.pods if not pod.terminating or (pod.scheduled and self.chance.random() < 0.5)]
        for pod in self.pods:
            if not pod.scheduled:
                pod.scheduled = self.accelerators is None or (self.holding() + 1) * self.need <= self.accelerators
            elif not pod.terminating and not pod.ready:
                starts = pod.revision not in self.broken and not self.source_away
                pod.ready = starts and self.chance.random() < 0.5
