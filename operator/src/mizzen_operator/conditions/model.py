"""Is the model known, does it fit, are its weights in place? ModelResolved, ModelFits, ModelCached, AdaptersLoaded."""

from mizzen_crds.v1alpha1 import conditions
from mizzen_crds.v1alpha1.model_deployment import ModelDeployment
from mizzen_crds.v1alpha1.model_deployment.workload import FitCheck

from mizzen_operator.conditions.verdict import Said, no, unknown, yes
from mizzen_operator.kinds.model_deployment.adapters import ADAPTER_FETCH
from mizzen_operator.kinds.model_deployment.fit.check import fit_of
from mizzen_operator.kinds.model_deployment.fit.refusal import has_served
from mizzen_operator.kinds.model_deployment.fit.verdict import Verdict
from mizzen_operator.kinds.model_deployment.startup import longest_silence_seconds
from mizzen_operator.observation import Observation, Refusal
from mizzen_operator.rollout.fleet import ObservedPod, PodFailure
from mizzen_operator.rollout.outcome import RolloutPlan

FETCH_REASONS = frozenset(
    {
        conditions.FETCH_FAILED,
        conditions.DIGEST_MISMATCH,
        conditions.LAYOUT_REFUSED,
        conditions.SECRET_NOT_FOUND,
        conditions.CLAIM_NOT_FOUND,
        conditions.DISK_FULL,
    }
)

HEARD_WITHIN_SECONDS = 60
"""An init container reports each second; so long after its start its posts do not arrive."""


def refused_by(observation: Observation, condition: str) -> Refusal | None:
    """Return the first refusal that belongs to a condition, by the table of reasons."""
    for refusal in observation.refusals:
        row = conditions.REASONS.get(refusal.reason)
        if row is not None and row.condition_types[0] == condition:
            return refusal
    return None


def model_resolved(deployment: ModelDeployment, observation: Observation) -> Said:
    """Whether the source means one artifact of a format that the runtime serves."""
    failure = observation.resolution_failure
    if failure is not None and failure.reason == conditions.REGISTRY_UNAVAILABLE:
        return Said("Unknown", failure.reason, failure.message)
    if failure is not None:
        return no(failure.reason, failure.message)
    refusal = refused_by(observation, conditions.MODEL_RESOLVED)
    if refusal is not None:
        return no(refusal.reason, refusal.message)
    artifact = observation.artifact
    if artifact is None:
        return unknown("The model source has not been resolved yet.")
    named = f"version {artifact.version} of {_model_name(deployment)}" if artifact.version else artifact.uri
    return yes(conditions.RESOLVED, f"{named}{', ' + artifact.digest if artifact.digest else ''}")


def _model_name(deployment: ModelDeployment) -> str:
    reference = deployment.spec.model.version_ref
    return reference.model if reference is not None else "the model"


def model_fits(deployment: ModelDeployment, observation: Observation) -> Said:
    """Whether the estimate of memory is within the accelerators' memory, with its numbers."""
    resources, runtime = deployment.spec.resources, observation.runtime
    if resources.accelerators_per_pod == 0:
        return yes(conditions.NO_ACCELERATOR, _on_cpus_with(resources.accelerator_class))
    if resources.fit_check is FitCheck.DISABLED:
        return yes(conditions.FIT_CHECK_DISABLED)
    if runtime is not None and not runtime.spec.formats:
        return yes(conditions.FITS, "The runtime loads no weights.")
    refusal = refused_by(observation, conditions.MODEL_FITS)
    if refusal is not None:
        return no(refusal.reason, refusal.message)
    fit = fit_of(deployment, observation.artifact, observation.accelerator_bytes)
    if fit.verdict is Verdict.UNKNOWN:
        return unknown(fit.message)
    if fit.verdict is Verdict.FITS:
        return yes(conditions.FITS, fit.message)
    if has_served(deployment, observation.artifact):
        return yes(conditions.FITS, f"It has run so, whatever the estimate says. {fit.message}")
    return no(conditions.FITS_BARELY, fit.message)


def _on_cpus_with(named: str | None) -> str:
    """Earlier releases took a class of which no pod gets an accelerator."""
    if named is None:
        return ""
    return (
        f"The replicas run on CPUs: spec.resources names the class {named}, and acceleratorsPerPod is 0. Set it to the "
        "accelerators that each pod gets, or remove acceleratorClass."
    )


def model_cached(deployment: ModelDeployment, observation: Observation, plan: RolloutPlan | None) -> Said:
    """Whether the newest revision's weights are fetched and checked."""
    if observation.runtime is not None and not observation.runtime.spec.formats:
        return yes(conditions.NO_WEIGHTS)
    if observation.revision is None or plan is None:
        return unknown("There is no revision yet to fetch for.")
    revision = observation.fleet.find(observation.revision.hash)
    pods = revision.live if revision is not None else ()
    failure = next((pod.failure for pod in pods if pod.failure and pod.failure.reason in FETCH_REASONS), None)
    if failure is not None:
        return _failed(failure)
    if any(pod.ready or pod.fetched for pod in pods):
        return yes(conditions.CACHED)
    if pods:
        silence = longest_silence_seconds(deployment.spec.model.cache.stall_seconds)
        return no(conditions.FETCHING, _unheard(pods, silence))
    return unknown("No pod of the newest revision exists, so nothing is fetched.")


def _failed(failure: PodFailure) -> Said:
    return no(failure.reason, failure.message)


def _unheard(pods: tuple[ObservedPod, ...], silence_seconds: int) -> str:
    """Say that nobody knows how far a start is; empty where all tell, or began only now."""
    for pod in pods:
        under_way = next((one for one in reversed(pod.phases) if one.seconds >= HEARD_WITHIN_SECONDS), None)
        if under_way is not None and under_way.bytes_done is None:
            return (
                f"{pod.name} reports no progress of its {under_way.name}, so nobody can tell whether it stands still; "
                f"it is replaced after {silence_seconds} s of silence."
            )
    return ""


def adapters_loaded(deployment: ModelDeployment, observation: Observation) -> Said:
    """Whether the newest revision has the adapters: they come with the engine, so with the first ready replica."""
    adapters = deployment.spec.adapters
    if not adapters:
        return yes(conditions.NO_ADAPTERS)
    if observation.runtime is not None and not observation.runtime.spec.formats:
        return yes(conditions.ADAPTERS_IN_PLACE, "The runtime loads no weights, and no adapters either.")
    failure = observation.resolution_failure
    if failure is not None and failure.message.startswith("spec.adapters"):
        return no(conditions.ADAPTER_FAILED, failure.message)
    if observation.revision is None:
        return unknown("There is no revision yet that adapters are loaded for.")
    revision = observation.fleet.find(observation.revision.hash)
    pods = revision.live if revision is not None else ()
    for pod in pods:
        if pod.failure is not None and (number := _adapter_number(pod.failure.component, len(adapters))) is not None:
            return no(conditions.ADAPTER_FAILED, f"{adapters[number].name}: {pod.failure.message}")
    names = ", ".join(adapter.name for adapter in adapters)
    if any(pod.ready for pod in pods):
        return yes(conditions.ADAPTERS_IN_PLACE, names)
    return no(conditions.LOADING_ADAPTERS, names)


def _adapter_number(component: str, count: int) -> int | None:
    """Return which adapter's fetch a container is, by its name."""
    number = component.removeprefix(ADAPTER_FETCH)
    return int(number) if number != component and number.isdigit() and int(number) < count else None
