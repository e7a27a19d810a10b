"""Which deployments get no pods because the model does not fit? Those that ask for it and have never run as they are.

What has served once is proof; no estimate, and no release that estimates otherwise, takes it down.
"""

from mizzen_crds.v1alpha1 import conditions
from mizzen_crds.v1alpha1.model_deployment import ModelDeployment
from mizzen_crds.v1alpha1.model_deployment.workload import FitCheck

from mizzen_operator.kinds.model_deployment.artifact import Artifact
from mizzen_operator.kinds.model_deployment.fit.check import fit_of
from mizzen_operator.kinds.model_deployment.fit.verdict import Verdict
from mizzen_operator.observation import Refusal
from mizzen_operator.revision import revision_hash
from mizzen_operator.rollout.situation import SERVED_STATES


def fit_refusal(
    deployment: ModelDeployment, artifact: Artifact | None, accelerator_bytes: int | None
) -> Refusal | None:
    """Return DoesNotFit under `fitCheck: Enforce`; None where the estimate is not certain, or was proved wrong."""
    resources = deployment.spec.resources
    if resources.fit_check is not FitCheck.ENFORCE or resources.accelerators_per_pod == 0:
        return None
    if has_served(deployment, artifact):
        return None
    fit = fit_of(deployment, artifact, accelerator_bytes)
    if fit.verdict is Verdict.UNKNOWN:
        return _as_before(deployment, artifact, accelerator_bytes)
    if fit.verdict is Verdict.FITS:
        return None
    return Refusal(conditions.DOES_NOT_FIT, f"spec.resources: {fit.message[:1].lower()}{fit.message[1:]}")


def _as_before(deployment: ModelDeployment, artifact: Artifact | None, accelerator_bytes: int | None) -> Refusal | None:
    """Return what was said of the same spec and model, while headers or class cannot be told: it starts nothing."""
    status = deployment.status
    lost = artifact is not None and (artifact.memory is None or accelerator_bytes is None)
    same = (
        artifact is not None and status.resolved_model is not None and status.resolved_model.digest == artifact.digest
    )
    if not lost or not same or status.observed_generation != deployment.metadata.generation:
        return None
    said = next((one for one in status.conditions if one.type == conditions.MODEL_FITS), None)
    if said is None or said.reason != conditions.DOES_NOT_FIT:
        return None
    return Refusal(conditions.DOES_NOT_FIT, said.message)


def has_served(deployment: ModelDeployment, artifact: Artifact | None) -> bool:
    """Whether the revision that the spec asks for has answered requests before."""
    if artifact is None:
        return False
    wanted = revision_hash(deployment, artifact.identity)
    return any(one.hash == wanted and one.state in SERVED_STATES for one in deployment.status.revisions)
