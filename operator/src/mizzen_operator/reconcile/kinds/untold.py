"""What does a status say when a pass over a Project, ModelRoute or AcceleratorClass ended with a bug? That nobody can
tell now; the figures stay as they were."""

from datetime import datetime
from typing import Final

from mizzen_crds.v1alpha1 import conditions
from mizzen_crds.v1alpha1.accelerator_class import AcceleratorClass, AcceleratorClassStatus
from mizzen_crds.v1alpha1.model_route import ModelRoute, ModelRouteStatus
from mizzen_crds.v1alpha1.project import Project, ProjectStatus

from mizzen_operator.conditions.dated import dated
from mizzen_operator.conditions.verdict import unknown

PARTS: Final = {
    "Project": (
        conditions.NAMESPACES_BOUND,
        conditions.QUOTA_READY,
        conditions.ACCESS_READY,
        conditions.LIMITS_READY,
    ),
    "ModelRoute": (conditions.ACCEPTED, conditions.RESOLVED_REFS),
    "AcceleratorClass": (conditions.NODES_AVAILABLE, conditions.DISJOINT),
}


def untold(
    subject: Project | ModelRoute | AcceleratorClass, error: Exception, now: datetime
) -> ProjectStatus | ModelRouteStatus | AcceleratorClassStatus:
    """Return the status of before with every condition Unknown and the error's words; nothing of it is computed."""
    lost = unknown(
        f"The operator failed on this object, and tries again: {type(error).__name__}: {error}. "
        "Its log has the whole error; report it."
    )
    said = dict.fromkeys((conditions.READY, *PARTS[subject.kind]), lost)
    generation = subject.metadata.generation
    return subject.status.model_copy(
        update={
            "observed_generation": generation,
            "conditions": dated(said, subject.status.conditions, generation, now),
        }
    )
