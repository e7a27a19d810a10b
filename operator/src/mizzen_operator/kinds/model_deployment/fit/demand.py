"""What does one accelerator of a replica have to hold? Weights, overhead and the cache of one request."""

from collections.abc import Mapping
from dataclasses import dataclass

from mizzen_crds.registry import MemoryFacts

from mizzen_operator.kinds.model_deployment.fit.cache import Cache, cache_of
from mizzen_operator.kinds.model_deployment.fit.overhead import batched_tokens, overhead_bytes, sequences
from mizzen_operator.kinds.model_deployment.fit.parameters import Parameters, count_parameters
from mizzen_operator.kinds.model_deployment.fit.quantisation import Quantisation, read_quantisation
from mizzen_operator.kinds.model_deployment.fit.settings import ONE_BYTE_CACHES, Settings
from mizzen_operator.kinds.model_deployment.fit.shape import Shape, UnknownShapeError, read_shape
from mizzen_operator.kinds.model_deployment.fit.weights import computing_width, counted, loaded_from_headers

DEFAULT_CONTEXT = 2048
"""Tokens, where neither the deployment nor the model says."""
LOADED_QUANTISED: Mapping[str, float] = {"fp8": 8, "bitsandbytes": 4 + 32 / 64}
"""Bits of a weight that vLLM quantises while it loads, by --quantization."""


@dataclass(frozen=True)
class Model:
    """A language model, as far as it matters here."""

    shape: Shape
    parameters: Parameters
    weight_bytes: int
    """All weights, loaded once."""
    context: int
    """Longest request in tokens."""


@dataclass(frozen=True)
class Demand:
    """What one accelerator has to hold, in bytes."""

    weights: int
    overhead: int
    cache: Cache
    request: int
    """Cache of one request of the longest context: without it vLLM does not start."""
    context: int
    batched: int

    @property
    def total(self) -> int:
        """All of it."""
        return self.weights + self.overhead + self.request

    def left_for_cache(self, usable: int) -> int:
        """Return what so much usable memory leaves for the cache; less than zero where weights alone are too much."""
        return usable - self.weights - self.overhead


def model_of(facts: MemoryFacts, settings: Settings) -> Model:
    """Return the model. Raises UnknownShapeError, and UnknownQuantisationError where no header tells the bytes."""
    shape = read_shape(facts.config)
    width = computing_width(settings.dtype)
    parameters = _parameters(shape, facts)
    at_load = LOADED_QUANTISED.get(settings.quantisation)
    if at_load is not None and not facts.config.get("quantization_config"):
        weight_bytes = counted(parameters, width, Quantisation(at_load))
    elif facts.tensor_bytes:
        quantised = bool(facts.config.get("quantization_config"))
        weight_bytes = loaded_from_headers(facts.tensor_bytes, width, quantised=quantised)
    else:
        weight_bytes = counted(parameters, width, read_quantisation(facts.config))
    return Model(shape, parameters, weight_bytes, settings.max_model_len or shape.context or DEFAULT_CONTEXT)


def _parameters(shape: Shape, facts: MemoryFacts) -> Parameters:
    """Count; where headers tell the bytes, a vision tower that cannot be counted is no obstacle."""
    try:
        return count_parameters(shape)
    except UnknownShapeError:
        if not facts.tensor_bytes:
            raise
        return count_parameters(shape.without_vision())


def demand_of(model: Model, settings: Settings, accelerator_bytes: int | None) -> Demand:
    """Return what one accelerator has to hold; `accelerator_bytes` only chooses the engine's own defaults."""
    shape = model.shape
    batched = settings.batched_tokens or batched_tokens(accelerator_bytes)
    cache = cache_of(
        shape,
        width=1 if settings.cache_dtype.startswith(ONE_BYTE_CACHES) else 2,
        tensor=settings.tensor,
        pipeline=settings.pipeline,
        block=settings.block,
    )
    return Demand(
        weights=share_of_weights(model, settings),
        overhead=overhead_bytes(
            shape,
            tokens=batched,
            samples=settings.sequences or sequences(accelerator_bytes),
            tensor=settings.tensor,
            eager=settings.eager,
        ),
        cache=cache,
        request=cache.of_request(model.context, batched),
        context=model.context,
        batched=batched,
    )


def share_of_weights(model: Model, settings: Settings) -> int:
    """Return the weights of the fullest accelerator.

    `tensor` divides every matrix; a stage of `pipeline` has its layers, and the first or last the vocabulary too.
    """
    parameters, stages = model.parameters, settings.pipeline
    if stages == 1:
        return -(-model.weight_bytes // settings.tensor)
    ends = parameters.embedding + parameters.output
    per_parameter = model.weight_bytes / parameters.total
    vocabulary = min(model.weight_bytes, round(max(2.0, per_parameter) * ends))  # it is never quantised
    stage = -(-model.shape.layers // stages) / model.shape.layers
    widest_end = vocabulary if not parameters.output else -(-vocabulary // 2)
    return -(-(round((model.weight_bytes - vocabulary) * stage) + widest_end) // settings.tensor)
