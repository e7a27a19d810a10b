"""Does it fit, and what would? The verdict with its numbers in one sentence, and a suggestion in another."""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from mizzen_operator.kinds.model_deployment.fit.demand import Demand, Model, demand_of
from mizzen_operator.kinds.model_deployment.fit.overhead import GIB, MIB
from mizzen_operator.kinds.model_deployment.fit.settings import Settings

LARGEST_TENSOR: Final = 64
CONTEXT_STEP: Final = 1024
"""A suggested context is a multiple of this."""
LEAST_CONTEXT: Final = 1024


class Verdict(StrEnum):
    """What the estimate says."""

    FITS = "Fits"
    DOES_NOT_FIT = "DoesNotFit"
    UNKNOWN = "Unknown"


@dataclass(frozen=True)
class Fit:
    """The estimate of one deployment."""

    verdict: Verdict
    message: str
    """For people: what is needed, what there is, and what to change."""
    estimated_bytes: int | None = None
    """Weights, overhead and the cache of one request, on all accelerators of a replica."""
    parameters: int | None = None
    """As counted; None where the model's shape is not known."""


def judge(model: Model, settings: Settings, accelerator_bytes: int | None) -> Fit:
    """Return whether each accelerator holds its part; Unknown where its memory is not known."""
    demand = demand_of(model, settings, accelerator_bytes)
    needed = demand.total * settings.accelerators
    estimated, parameters = needed * settings.data, model.parameters.total
    if accelerator_bytes is None:
        text = f"Needs {gib(needed)} ({_parts(demand, settings)}); the accelerators' memory is not known."
        return Fit(Verdict.UNKNOWN, text, estimated, parameters)
    left = demand.left_for_cache(usable(settings, accelerator_bytes))
    fits = left >= demand.request
    text = f"Needs {gib(needed)} ({_parts(demand, settings)}); {_offer(demand, settings, accelerator_bytes)}."
    if not fits:
        text += f" {suggestion(model, settings, accelerator_bytes)}"
    return Fit(Verdict.FITS if fits else Verdict.DOES_NOT_FIT, text, estimated, parameters)


def usable(settings: Settings, accelerator_bytes: int) -> int:
    """Return the bytes of one accelerator that the engine takes."""
    return int(accelerator_bytes * settings.utilisation)


def suggestion(model: Model, settings: Settings, accelerator_bytes: int) -> str:
    """Return the smallest tensor size that fits, and the longest context that fits the accelerators as they are."""
    ways = []
    tensor = smallest_tensor(model, settings, accelerator_bytes)
    if tensor is not None:
        wider = settings.divided(tensor)
        left = _offer(demand_of(model, wider, accelerator_bytes), wider, accelerator_bytes)
        ways.append(
            f"set spec.engine.parallelism.tensor to {tensor}, with {wider.accelerators * settings.data} accelerators a "
            f"replica ({left})"
        )
    context = longest_context(model, settings, accelerator_bytes)
    if context is not None:
        ways.append(f"set spec.engine.maxModelLen to {context}")
    if not ways:
        return "No tensor size helps: choose a larger acceleratorClass, or a quantised version of the model."
    text = ", or ".join(ways)
    return f"{text[0].upper()}{text[1:]}."


def smallest_tensor(model: Model, settings: Settings, accelerator_bytes: int) -> int | None:
    """Return the smallest larger tensor size that divides the heads and fits; None if there is none."""
    tensor = settings.tensor * 2
    while tensor <= LARGEST_TENSOR:
        wider = settings.divided(tensor)
        demand = demand_of(model, wider, accelerator_bytes)
        if (
            model.shape.heads % tensor == 0
            and demand.left_for_cache(usable(wider, accelerator_bytes)) >= demand.request
        ):
            return tensor
        tensor *= 2
    return None


def longest_context(model: Model, settings: Settings, accelerator_bytes: int) -> int | None:
    """Return the longest context that fits as the accelerators are, in steps of 1,024; None if not even one does."""

    def fits(context: int) -> bool:
        shorter = demand_of(replace(model, context=context), settings, accelerator_bytes)
        return shorter.left_for_cache(usable(settings, accelerator_bytes)) >= shorter.request

    low, high = LEAST_CONTEXT // CONTEXT_STEP, (model.context - 1) // CONTEXT_STEP
    if high < low or not fits(low * CONTEXT_STEP):
        return None
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(middle * CONTEXT_STEP) else (low, middle - 1)
    return low * CONTEXT_STEP


def _parts(demand: Demand, settings: Settings) -> str:
    count = settings.accelerators
    return (
        f"weights {gib(demand.weights * count)}, overhead {gib(demand.overhead * count)}, "
        f"{gib(demand.request * count)} of cache for a context of {demand.context} tokens"
    )


def _offer(demand: Demand, settings: Settings, accelerator_bytes: int) -> str:
    """Return what the accelerators leave, as `2 x 80 GiB with tensor: 2 leaves 12 GiB for 31 k tokens of cache`."""
    left = demand.left_for_cache(usable(settings, accelerator_bytes))
    count = settings.accelerators
    split = f"tensor: {settings.tensor}" + (f", pipeline: {settings.pipeline}" if settings.pipeline > 1 else "")
    offered = f"{count} x {gib(accelerator_bytes)} at {settings.utilisation:g} with {split}"
    if left <= 0:
        return f"{offered} is {gib(-left * count)} short before any cache"
    tokens = demand.cache.tokens_within(left, demand.context, demand.batched)
    return f"{offered} leaves {gib(left * count)} for {thousands(tokens)} tokens of cache"


def gib(count: int) -> str:
    """Return bytes for people: 141 GiB, 12.4 GiB, 46 MiB."""
    value = count / GIB
    if value < 0.095:
        return f"{count / MIB:.0f} MiB"
    return f"{value:.0f} GiB" if value >= 99.5 else f"{value:.1f} GiB".replace(".0 ", " ")


def thousands(count: int) -> str:
    """Return a number of tokens for people: 940, 31 k."""
    return f"{count // 1000} k" if count >= 10_000 else str(count)
