"""What does a deployment ask for of the accelerators that its project may hold? Counted before any pod is there."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Demand:
    """Accelerators of one class."""

    accelerator_class: str
    each: int
    """Of one replica, over all its pods. 0 where replicas share accelerators: the operator knows how many share one."""
    replicas: int
    """The fewest that it runs."""

    @property
    def accelerators(self) -> int:
        """All of them."""
        return self.each * self.replicas


def demand_of(spec: Mapping[str, Any]) -> Demand | None:
    """What the spec of a ModelDeployment, valid and without its defaults, asks for; None without a class."""
    resources = spec.get("resources") or {}
    name = resources.get("acceleratorClass")
    if not name:
        return None
    shared = (resources.get("sharing") or "Exclusive") != "Exclusive"
    size = int((spec.get("multiNode") or {}).get("size", 1))
    return Demand(name, 0 if shared else int(resources.get("acceleratorsPerPod", 0)) * size, _fewest(spec))


def _fewest(spec: Mapping[str, Any]) -> int:
    """Replicas that run at any time."""
    if (spec.get("lifecycle") or {}).get("state") == "Stopped":
        return 0
    replicas, scaling = int(spec.get("replicas", 1)), spec.get("autoscaling")
    return int(scaling.get("minReplicas", 1)) if scaling else replicas


def asked_for(specs: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """Accelerators that these deployments ask for together, by class."""
    total: dict[str, int] = {}
    for demand in filter(None, map(demand_of, specs)):
        total[demand.accelerator_class] = total.get(demand.accelerator_class, 0) + demand.accelerators
    return total


def refusal(
    name: str,
    spec: Mapping[str, Any],
    before: Mapping[str, Any] | None,
    others: Iterable[Mapping[str, Any]],
    quota: Mapping[str, int],
) -> str:
    """Why the deployment may not ask for what it does; empty where it may.

    `before` is its spec of now, None of a new one: who asks for no more than before is never refused, so that a quota
    that was lowered stands in nobody's way. `others` are the specs of the project's other deployments; `quota` is
    accelerators by class.
    """
    demand, old = demand_of(spec), demand_of(before) if before is not None else None
    if demand is None:
        return ""
    known = old is not None and old.accelerator_class == demand.accelerator_class
    if known and old is not None and (demand.each <= old.each and demand.accelerators <= old.accelerators):
        return ""
    wanted = demand.accelerator_class
    if wanted not in quota:
        listed = ", ".join(sorted(quota))
        return (
            f"Deployment {name} asks for accelerators of class {wanted}; the quota of the project names {listed} alone"
        )
    taken = asked_for(others).get(wanted, 0)
    if demand.accelerators and taken + demand.accelerators > quota[wanted]:
        return (
            f"Deployment {name} asks for {demand.accelerators} accelerators of class {wanted} ({demand.replicas} x "
            f"{demand.each}); the project's other deployments ask for {taken}, and its quota is {quota[wanted]}"
        )
    if demand.each > quota[wanted]:
        return (
            f"One replica of deployment {name} takes {demand.each} accelerators of class {wanted}, and the quota of "
            f"the project is {quota[wanted]}, so none could ever start"
        )
    return ""
