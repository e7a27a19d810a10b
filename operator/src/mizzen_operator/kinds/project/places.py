"""Which deployments of a project begin where `spec.quota.deployments` bounds their number? Pure.

Those that have begun keep their places, whatever the quota becomes; what is left goes to the others by age.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from mizzen_crds.v1alpha1 import conditions
from mizzen_crds.v1alpha1.project import Project

from mizzen_operator.counted import counted, verb
from mizzen_operator.observation import Refusal


@dataclass(frozen=True)
class Standing:
    """What decides whether a deployment has a place."""

    uid: str
    created: str
    """When the object was made, as Kubernetes writes it."""
    begun: bool
    """It has, or had, a revision."""

    @property
    def rank(self) -> tuple[bool, str, str]:
        """Whoever has the lower one goes before."""
        return (not self.begun, self.created, self.uid)


def standing(manifest: Mapping[str, Any]) -> Standing:
    """Return that of a ModelDeployment."""
    metadata = manifest["metadata"]
    begun = bool((manifest.get("status") or {}).get("revisions"))
    return Standing(str(metadata["uid"]), str(metadata.get("creationTimestamp") or ""), begun)


def place_refusal(project: Project, mine: Standing, others: Iterable[Standing]) -> Refusal | None:
    """Return why a deployment may not begin; None where it has begun, or has a place. `others` are the project's."""
    places = project.spec.quota.deployments
    if places is None or mine.begun:
        return None
    before = sum(one.rank < mine.rank for one in others if one.uid != mine.uid)
    if before < places:
        return None
    return Refusal(
        conditions.DEPLOYMENT_QUOTA_EXCEEDED,
        f"spec.quota.deployments of project {project.metadata.name} is {places}, and {counted(before, 'deployment')} "
        f"{verb(before, 'goes', 'go')} before this one. Delete one, or have the quota raised to {before + 1} (`mizzen "
        "quotas set`, or in the Project object); this one begins by itself then.",
    )
