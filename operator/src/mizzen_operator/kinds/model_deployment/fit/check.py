"""Does a deployment's model fit? The one entry point: from what the registry told, the spec and the accelerators."""

from typing import Final

from mizzen_crds.registry import MemoryFacts
from mizzen_crds.v1alpha1.model_deployment import ModelDeployment
from mizzen_crds.v1alpha1.model_deployment.source import ModelFormat
from mizzen_crds.v1alpha1.model_deployment.workload import EngineType, Sharing

from mizzen_operator.kinds.model_deployment.artifact import Artifact
from mizzen_operator.kinds.model_deployment.fit.demand import model_of
from mizzen_operator.kinds.model_deployment.fit.overhead import CONTEXT_BYTES
from mizzen_operator.kinds.model_deployment.fit.quantisation import UnknownQuantisationError
from mizzen_operator.kinds.model_deployment.fit.settings import settings_of
from mizzen_operator.kinds.model_deployment.fit.shape import UnknownShapeError
from mizzen_operator.kinds.model_deployment.fit.verdict import Fit, Verdict, gib, judge

GRAPH_ALLOWANCE: Final = 0.5
"""Of an ONNX graph's weights: what its intermediate results are allowed for, as no graph tells the batch."""


def fit_of(deployment: ModelDeployment, artifact: Artifact | None, accelerator_bytes: int | None) -> Fit:
    """Return the estimate; `accelerator_bytes` is the memory of one accelerator of the class, or of one part of it.

    A model that is not known, or an engine whose memory is not, is Unknown and says why.
    """
    if artifact is None:
        return Fit(Verdict.UNKNOWN, "The model is not resolved, so nothing is known of its size.")
    if artifact.memory is None:
        return Fit(Verdict.UNKNOWN, _why_nothing_is_known(deployment, artifact))
    engine = deployment.spec.engine.type
    if artifact.format == ModelFormat.ONNX:
        return _shared(deployment, _graph(artifact.memory, accelerator_bytes))
    if engine is EngineType.VLLM:
        return _shared(deployment, _language_model(deployment, artifact.memory, accelerator_bytes))
    weights = sum(artifact.memory.tensor_bytes.values())
    text = f"The weights are {gib(weights)}; what an engine of type {engine} takes beside them is not known."
    return Fit(Verdict.UNKNOWN, text)


def _why_nothing_is_known(deployment: ModelDeployment, artifact: Artifact) -> str:
    if deployment.spec.model.version_ref is None:
        return "Nothing is known of a model at a uri before it is fetched. Push it as a version to have it estimated."
    if artifact.format in {ModelFormat.SAFETENSORS, ModelFormat.GGUF, ModelFormat.ONNX}:
        return (
            "Its headers are not known: the control plane is away, or an earlier release took the version without "
            "reading them. Push it again if the control plane answers."
        )
    return f"The format {artifact.format or 'of the model'} does not tell its memory."


def _language_model(deployment: ModelDeployment, facts: MemoryFacts, accelerator_bytes: int | None) -> Fit:
    settings = settings_of(deployment)
    try:
        model = model_of(facts, settings)
    except (UnknownShapeError, UnknownQuantisationError) as error:
        weights, count = sum(facts.tensor_bytes.values()), settings.accelerators
        text = f"{error} The weights alone are {gib(weights)}."
        if accelerator_bytes is not None and weights > accelerator_bytes * settings.utilisation * count:
            more = f"{count} x {gib(accelerator_bytes)} at {settings.utilisation:g} do not hold them."
            return Fit(Verdict.DOES_NOT_FIT, f"{text} {more}")
        return Fit(Verdict.UNKNOWN, text)
    return judge(model, settings, accelerator_bytes)


def _graph(facts: MemoryFacts, accelerator_bytes: int | None) -> Fit:
    """One accelerator holds the whole graph."""
    weights = sum(facts.tensor_bytes.values())
    beside = CONTEXT_BYTES + int(weights * GRAPH_ALLOWANCE)
    text = (
        f"Needs {gib(weights + beside)} (weights {gib(weights)}, allowance for a batch and the runtime {gib(beside)})"
    )
    if accelerator_bytes is None:
        return Fit(Verdict.UNKNOWN, f"{text}; the accelerators' memory is not known.", weights + beside)
    verdict = Verdict.FITS if weights + beside <= accelerator_bytes else Verdict.DOES_NOT_FIT
    return Fit(verdict, f"{text}; one accelerator has {gib(accelerator_bytes)}.", weights + beside)


def _shared(deployment: ModelDeployment, found: Fit) -> Fit:
    """Return Unknown where others take of the same memory; what does not fit alone does not fit with others."""
    if deployment.spec.resources.sharing is not Sharing.TIME_SLICED or found.verdict is not Verdict.FITS:
        return found
    text = f"{found.message} Others share the accelerator, and how much they take is not known."
    return Fit(Verdict.UNKNOWN, text, found.estimated_bytes, found.parameters)
